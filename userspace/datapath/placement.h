// placement.h - where a plan goes in the tables: which rows, table numbers and
// pool numbers it gets, next to what lives there already. Pure.
//
// What keeps its name and shape keeps its place, and with it every mapping. New
// things take places that neither the old nor the new arrangement uses, so that
// nothing is overwritten under a packet in flight.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/plan.h"
#include "datapath/directory_space.h"
#include "datapath/rows.h"

namespace apnat {

struct PlacedAddress {
  Ip4 address;
  std::uint32_t row = 0;     // in external_addresses
  std::uint32_t tables = 0;  // number in mapping_tables, block_tables, creation_tables
  bool kept = false;         // it stood there for the same pool; its mappings stay
};

struct PlacedPool {
  std::uint32_t index = 0;               // in pools
  bool kept = false;                     // same name, same shape
  std::uint32_t address_first = 0;       // in pool_addresses
  std::vector<PlacedAddress> addresses;  // as PlannedPool.external
};

struct Placement {
  std::vector<PlacedPool> pools;  // as Plan.pools
  Directory directory;            // every /24 of the plan and of the gateway's own addresses
};

// What the tables hold now.
struct Holding {
  const Rows& rows;
  const Directory& directory;
};

// Mappings survive from one to the other: ports mean the same, blocks are as large, subscribers as wide.
bool same_shape(const struct pool& one, const struct pool& other);

// `local`: addresses of the gateway itself. Refused if the tables have no room, before anything is written.
Result<Placement> place(const Plan& plan, const Holding& held, const std::vector<Ip4>& local);

// Round keys of a scattered pool: the same as long as the tables and the name are.
void derive_layout_key(const node_state& node, const std::string& name, __u32 (&key)[4]);

// The row of a pool: the plan's, with what placement and the node's secret add.
struct pool pool_row(const PlannedPool& planned, const PlacedPool& placed, const node_state& node);

// The row a new subscriber begins with: its pool, and its ports where the plan fixes them.
subscriber subscriber_row(const PlannedPool& planned, const PlacedPool& placed, const std::vector<PlannedBlock>& fixed);

// Every subscriber of the pool, in order, with the blocks the plan fixes for it (none: dynamic).
void for_each_subscriber(const PlannedPool& pool,
                         const std::function<void(const Prefix&, const std::vector<PlannedBlock>&)>& each);

}  // namespace apnat
