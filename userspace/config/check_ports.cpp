// check_ports.cpp - ports given to somebody by name: static blocks and forwards.
#include <algorithm>
#include <map>
#include <tuple>

#include "config/check_rules.h"

namespace apnat {
namespace {

bool holds(const std::vector<PrefixAt>& prefixes, const Prefix& wanted) {
  return std::ranges::any_of(prefixes, [&](const PrefixAt& at) {
    return at.prefix.contains(wanted.first()) && at.prefix.contains(wanted.last());
  });
}

const PoolConfig* pool_of(const Config& config, const std::string& name, Where where, Complaints& complaints) {
  if (const PoolConfig* pool = find_pool(config, name)) return pool;
  std::vector<std::string_view> names;
  for (const PoolConfig& pool : config.pools) names.push_back(pool.name);
  const std::string_view meant = nearest(name, names);
  complaints.add(where, meant.empty() ? fmt::format("there is no pool \"{}\"; name one of the file's", name)
                                      : fmt::format("there is no pool \"{}\"; did you mean {}?", name, meant));
  return nullptr;
}

void check_static_block(const StaticBlockConfig& block, const PoolConfig& pool, Complaints& complaints) {
  const Where pool_at = at_or(block.pool_at, block.where);
  const Where subscriber_at = at_or(block.subscriber_at, block.where);
  const Where ports_at = at_or(block.ports_at, block.where);
  if (pool.assignment != ASSIGN_STATIC) {
    complaints.add(pool_at, fmt::format("pool \"{}\" gives its ports itself; a static_block wants a pool with "
                                        "assignment = \"static\"",
                                        pool.name));
  }
  if (block.subscriber.length() != pool.subscriber_prefix_length) {
    complaints.add(subscriber_at, fmt::format("subscriber {} is a /{}, and a subscriber of pool \"{}\" is a /{}",
                                              block.subscriber.text(), block.subscriber.length(), pool.name,
                                              pool.subscriber_prefix_length));
  } else if (!holds(pool.internal, block.subscriber)) {
    complaints.add(subscriber_at, fmt::format("subscriber {} is not in internal of pool \"{}\"; add it there",
                                              block.subscriber.text(), pool.name));
  }
  if (!holds(pool.external, Prefix(block.external_address, 32))) {
    complaints.add(at_or(block.external_address_at, block.where),
                   fmt::format("external_address {} is not in external of pool \"{}\"; add it there",
                               block.external_address.text(), pool.name));
  }
  if (block.ports.first < pool.ports.first || block.ports.last > pool.ports.last || block.ports.first == 0 ||
      block.ports.first > block.ports.last) {
    complaints.add(ports_at, fmt::format("ports {} are not within ports {} of pool \"{}\"", block.ports.text(),
                                         pool.ports.text(), pool.name));
  }
}

std::string line_of(Where where) { return where.line ? fmt::format(" (line {})", where.line) : ""; }

// A port of an address is one subscriber's.
void check_disjoint(const Config& config, Complaints& complaints) {
  std::vector<const StaticBlockConfig*> blocks;
  for (const StaticBlockConfig& block : config.static_blocks) blocks.push_back(&block);
  std::ranges::sort(blocks, {}, [](const StaticBlockConfig* block) {
    return std::tuple(block->external_address, block->ports.first, block->where.line);
  });
  const StaticBlockConfig* reaching = nullptr;
  for (const StaticBlockConfig* block : blocks) {
    const bool same_address = reaching && reaching->external_address == block->external_address;
    if (same_address && block->ports.first <= reaching->ports.last) {
      const bool swap = reaching->where.line > block->where.line;
      const StaticBlockConfig& later = swap ? *reaching : *block;
      const StaticBlockConfig& earlier = swap ? *block : *reaching;
      complaints.add(at_or(later.ports_at, later.where),
                     fmt::format("ports {} of {} overlap ports {}{} of subscriber {}; a port has one owner",
                                 later.ports.text(), later.external_address.text(), earlier.ports.text(),
                                 line_of(earlier.where), earlier.subscriber.text()));
    }
    if (!same_address || block->ports.last > reaching->ports.last) reaching = block;
  }
}

// struct subscriber has one external address and room for MAX_SUBSCRIBER_BLOCKS blocks.
void check_subscribers(const Config& config, Complaints& complaints) {
  struct Seen {
    const StaticBlockConfig* first = nullptr;
    int count = 0;
  };
  std::map<Prefix, Seen> subscribers;
  for (const StaticBlockConfig& block : config.static_blocks) {
    Seen& seen = subscribers[block.subscriber];
    if (!seen.first) seen.first = &block;
    if (seen.first->external_address != block.external_address) {
      complaints.add(
          at_or(block.external_address_at, block.where),
          fmt::format("subscriber {} has address {} already{}; a subscriber has one (RFC 6888 REQ-2)",
                      block.subscriber.text(), seen.first->external_address.text(), line_of(seen.first->where)));
    }
    if (++seen.count == MAX_SUBSCRIBER_BLOCKS + 1) {
      complaints.add(block.where, fmt::format("subscriber {} has more than {} static blocks; join adjacent ranges",
                                              block.subscriber.text(), int{MAX_SUBSCRIBER_BLOCKS}));
    }
  }
}

void check_forward(const ForwardConfig& forward, const PoolConfig& pool, Complaints& complaints) {
  struct End {
    std::string_view key;
    const Endpoint& endpoint;
    const std::vector<PrefixAt>& prefixes;
    Where where;
  };
  const End ends[] = {{"external", forward.external, pool.external, at_or(forward.external_at, forward.where)},
                      {"internal", forward.internal, pool.internal, at_or(forward.internal_at, forward.where)}};
  for (const End& end : ends) {
    if (!holds(end.prefixes, Prefix(end.endpoint.address, 32))) {
      complaints.add(end.where, fmt::format("{0} {1} is not in {0} of pool \"{2}\"; add it there", end.key,
                                            end.endpoint.address.text(), pool.name));
    }
    if (end.endpoint.port == 0) {
      complaints.add(end.where, fmt::format("{} port is 0, which is no port; write 1 to 65535", end.key));
    }
  }
}

}  // namespace

void check_static_blocks(const Config& config, Complaints& complaints) {
  for (const StaticBlockConfig& block : config.static_blocks) {
    const PoolConfig* pool = pool_of(config, block.pool, at_or(block.pool_at, block.where), complaints);
    if (pool) check_static_block(block, *pool, complaints);
  }
  check_disjoint(config, complaints);
  check_subscribers(config, complaints);
}

void check_forwards(const Config& config, Complaints& complaints) {
  using Key = std::tuple<std::string_view, std::uint8_t, Endpoint>;
  std::map<Key, const ForwardConfig*> seen;
  for (const ForwardConfig& forward : config.forwards) {
    const PoolConfig* pool = pool_of(config, forward.pool, at_or(forward.pool_at, forward.where), complaints);
    if (pool) check_forward(forward, *pool, complaints);
    if (forward.protocol != IPPROTO_TCP && forward.protocol != IPPROTO_UDP) {
      complaints.add(at_or(forward.protocol_at, forward.where), "protocol of a forward is tcp or udp");
    }
    const Key keys[] = {{"external", forward.protocol, forward.external},
                        {"internal", forward.protocol, forward.internal}};
    for (const Key& key : keys) {
      const auto [first, fresh] = seen.emplace(key, &forward);
      if (fresh) continue;
      const auto& [realm, protocol, endpoint] = key;
      const Where where = realm == "external" ? forward.external_at : forward.internal_at;
      complaints.add(at_or(where, forward.where),
                     fmt::format("{} {} {} is forwarded already{}; an endpoint has one mapping", realm,
                                 protocol_name(protocol), endpoint.text(), line_of(first->second->where)));
    }
  }
  if (config.forwards.size() > limits::kForwards) {
    complaints.add(config.forwards[limits::kForwards].where,
                   fmt::format("{} forwards; there is room for {}", config.forwards.size(), limits::kForwards));
  }
}

}  // namespace apnat
