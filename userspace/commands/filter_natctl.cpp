// filter_natctl.cpp - the options every list shares.
#include <CLI/CLI.hpp>

#include "commands/filter.h"

namespace apnat {

void FilterWords::add_to(CLI::App& command, const std::string& options) {
  const auto has = [&](const char* option) { return options.find(option) != std::string::npos; };
  if (has("pool")) command.add_option("--pool", pool, "only this pool's")->type_name("NAME");
  if (has("subscriber")) command.add_option("--subscriber", subscriber, "only this one's")->type_name("ADDRESS");
  if (has("external")) {
    command.add_option("--external", external, "only at this external address, or port of it")
        ->type_name("ADDRESS[:PORT]");
  }
  if (has("protocol")) command.add_option("--protocol", protocol, "tcp, udp, icmp, or a number")->type_name("NAME");
  command.add_option("--limit", limit, "no more rows than this")->type_name("N")->check(CLI::PositiveNumber);
  command.add_flag("--count", count, "only how many there are");
}

Json FilterWords::arguments() const {
  Json arguments = Json::object();
  if (!pool.empty()) arguments["pool"] = pool;
  if (!subscriber.empty()) arguments["subscriber"] = subscriber;
  if (!external.empty()) arguments["external"] = external;
  if (!protocol.empty()) arguments["protocol"] = protocol;
  if (limit) arguments["limit"] = limit;
  if (count) arguments["count"] = true;
  return arguments;
}

}  // namespace apnat
