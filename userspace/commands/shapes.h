// shapes.h - rows of the data plane as JSON: the shapes scripts and dashboards
// rely on (docs/operations.md). Pure.
#pragma once

#include "control/protocol.h"
#include "datapath/datapath.h"

namespace apnat {

// {"pool","protocol","subscriber","internal_address","internal_port","external_address","external_port","state",
//  "idle_seconds"}; for ICMP queries the port is the identifier.
Json shape(const MappingView& mapping);

// {"pool","subscriber","external_address","port_start","port_end","assigned_at","mappings"}, and "ports", a list of
// {"port_start","port_end"}, where they are not one run. assigned_at is null where the configuration fixes the block.
Json shape(const BlockView& block);

// {"pool","subscriber","external_address","blocks","max_blocks","ports","mappings"}; external_address null: none yet.
Json shape(const SubscriberView& subscriber);

// {"name","assignment","port_layout","external_addresses","subscribers","active_subscribers","block_size","blocks",
//  "blocks_assigned","blocks_held_down","mappings","ports_per_subscriber","sharing_ratio","full_percent"}
Json shape(const PoolView& pool);

// {"name","role","mode","up","mtu","warnings"}
Json shape(const InterfaceView& interface);

// {"pool","protocol","external_address","external_port","internal_address","internal_port","from_configuration"}
Json shape(const ForwardView& forward);

double full_percent(const PoolView& pool);

}  // namespace apnat
