// filter.cpp - words become a Filter, or a clear no.
#include "commands/filter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "datapath/datapath.h"

namespace apnat {
namespace {

Result<void> parse_external(const std::string& text, Filter& filter) {
  if (const auto address = Ip4::parse(text)) {
    filter.external_address = *address;
  } else if (const auto endpoint = Endpoint::parse(text)) {
    filter.external_address = endpoint->address;
    filter.external_port = endpoint->port;
  } else {
    return fail(fmt::format("--external: \"{}\" is neither an address nor ADDRESS:PORT", text));
  }
  return {};
}

// An address, or a subscriber's prefix as the lists print it.
Result<Ip4> parse_subscriber(const std::string& text) {
  const auto prefix = Prefix::parse(text);
  if (!prefix) return within("--subscriber", prefix.error());
  return prefix->first();
}

}  // namespace

Result<Filter> parse_filter(const Arguments& arguments, const std::vector<std::string>& pools) {
  Filter filter;
  if (const auto pool = TRY(arguments.text("pool"))) {
    if (std::ranges::find(pools, *pool) == pools.end()) {
      return fail(fmt::format("--pool: there is no pool \"{}\"; there is {}", *pool, fmt::join(pools, ", ")));
    }
    filter.pool = *pool;
  }
  if (const auto subscriber = TRY(arguments.text("subscriber"))) filter.subscriber = TRY(parse_subscriber(*subscriber));
  if (const auto external = TRY(arguments.text("external"))) TRY_VOID(parse_external(*external, filter));
  if (const auto protocol = TRY(arguments.text("protocol"))) {
    filter.protocol = parse_protocol(*protocol);
    if (!filter.protocol) return fail(fmt::format("--protocol: \"{}\" is not tcp, udp, icmp or a number", *protocol));
  }
  return filter;
}

}  // namespace apnat
