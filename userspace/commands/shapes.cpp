// shapes.cpp - member by member, in the order a reader wants them.
#include "commands/shapes.h"

#include <cmath>

#include "events/time_text.h"

namespace apnat {
namespace {

double tenths(double value) { return std::round(value * 10) / 10; }

}  // namespace

Json shape(const MappingView& mapping) {
  return Json{{"pool", mapping.pool},
              {"protocol", protocol_name(mapping.protocol)},
              {"subscriber", mapping.subscriber.text()},
              {"internal_address", mapping.internal.address.text()},
              {"internal_port", mapping.internal.port},
              {"external_address", mapping.external.address.text()},
              {"external_port", mapping.external.port},
              {"state", mapping.state},
              {"idle_seconds", tenths(mapping.idle_seconds)}};
}

Json shape(const BlockView& block) {
  Json row{{"pool", block.pool},
           {"subscriber", block.subscriber.text()},
           {"external_address", block.external_address.text()},
           {"port_start", block.ports.empty() ? 0 : block.ports.front().first},
           {"port_end", block.ports.empty() ? 0 : block.ports.back().last},
           {"assigned_at", block.assigned_at ? Json(rfc3339(*block.assigned_at)) : Json()},
           {"mappings", block.mappings}};
  if (block.ports.size() > 1) {
    for (const PortRange& run : block.ports)
      row["ports"].push_back({{"port_start", run.first}, {"port_end", run.last}});
  }
  return row;
}

Json shape(const SubscriberView& subscriber) {
  return Json{{"pool", subscriber.pool},
              {"subscriber", subscriber.subscriber.text()},
              {"external_address", subscriber.external_address ? Json(subscriber.external_address->text()) : Json()},
              {"blocks", subscriber.blocks},
              {"max_blocks", subscriber.max_blocks},
              {"ports", subscriber.ports},
              {"mappings", subscriber.mappings}};
}

Json shape(const PoolView& pool) {
  return Json{{"name", pool.name},
              {"assignment", pool.assignment},
              {"port_layout", pool.port_layout},
              {"external_addresses", pool.external_addresses},
              {"subscribers", pool.subscribers},
              {"active_subscribers", pool.active_subscribers},
              {"block_size", pool.block_size},
              {"blocks", pool.blocks},
              {"blocks_assigned", pool.blocks_assigned},
              {"blocks_held_down", pool.blocks_held_down},
              {"mappings", pool.mappings},
              {"ports_per_subscriber", tenths(pool.ports_per_subscriber)},
              {"sharing_ratio", tenths(pool.sharing_ratio)},
              {"full_percent", full_percent(pool)}};
}

Json shape(const InterfaceView& interface) {
  return Json{{"name", interface.name}, {"role", interface.role}, {"mode", interface.mode},
              {"up", interface.up},     {"mtu", interface.mtu},   {"warnings", interface.warnings}};
}

Json shape(const ForwardView& forward) {
  return Json{{"pool", forward.forward.pool},
              {"protocol", protocol_name(forward.forward.protocol)},
              {"external_address", forward.forward.external.address.text()},
              {"external_port", forward.forward.external.port},
              {"internal_address", forward.forward.internal.address.text()},
              {"internal_port", forward.forward.internal.port},
              {"from_configuration", forward.from_configuration}};
}

// Of the blocks a subscriber could be given: those held down are as good as taken.
double full_percent(const PoolView& pool) {
  if (pool.blocks == 0) return 0;
  return tenths(100.0 * static_cast<double>(pool.blocks_assigned + pool.blocks_held_down) /
                static_cast<double>(pool.blocks));
}

}  // namespace apnat
