#include "support/memory_world.h"

#include <arpa/inet.h>

namespace apnat::test {

// The verbs, each answered from the world it is handed.
struct MemoryVerbs {
  static MemoryWorld& world(void* self) { return *static_cast<MemoryWorld*>(self); }

  static std::uint32_t now_ticks(void* self) { return world(self).ticks_; }
  static std::uint64_t now_ns(void* self) { return std::uint64_t{world(self).ticks_} << TICK_SHIFT; }
  static std::uint32_t random_u32(void* self) {
    return world(self).random_ = world(self).random_ * 1664525 + 1013904223;
  }
  static const struct options* the_options(void* self) { return &world(self).options_; }
  static struct node_state* find_node_state(void* self) { return &world(self).node_; }

  template <typename Row>
  static const Row* find(const std::map<std::uint32_t, Row>& rows, std::uint32_t index) {
    const auto found = rows.find(index);
    return found == rows.end() ? nullptr : &found->second;
  }
  template <typename Row>
  static Row* at(std::vector<Row>& rows, std::uint32_t index) {
    return index < rows.size() ? &rows[index] : nullptr;
  }

  static const struct interface* find_interface(void* self, std::uint32_t ifindex) {
    return find(world(self).interfaces_, ifindex);
  }
  static const struct vlan_member* find_vlan_member(void* self, std::uint32_t index) {
    return find(world(self).vlan_members_, index);
  }
  static const struct directory_root* find_directory_root(void* self, std::uint32_t index) {
    return at(world(self).roots_, index);
  }
  static const struct directory_chunk* find_directory_chunk(void* self, std::uint32_t index) {
    return at(world(self).chunks_, index);
  }
  static struct subscriber* find_subscriber(void* self, std::uint32_t reference) {
    return at(world(self).subscribers_, reference);
  }
  static struct external_address* find_external_address(void* self, std::uint32_t row) {
    return at(world(self).external_addresses_, row);
  }
  static const struct pool* find_pool(void* self, std::uint32_t index) { return at(world(self).pools_, index); }
  static struct pool_activity* find_pool_activity(void* self, std::uint32_t index) {
    return at(world(self).pool_activity_, index);
  }
  static const struct pool_address* find_pool_address(void* self, std::uint32_t index) {
    return at(world(self).pool_addresses_, index);
  }
  static struct mapping_set* find_mapping_set(void* self, std::uint32_t tables, std::uint32_t set) {
    return tables < MemoryWorld::kTables && set < SETS_PER_ADDRESS ? &world(self).mapping_set(tables, set) : nullptr;
  }
  static struct creation_set* find_creation_set(void* self, std::uint32_t tables, std::uint32_t set) {
    return tables < MemoryWorld::kTables && set < SETS_PER_ADDRESS ? &world(self).creation_set(tables, set) : nullptr;
  }
  static struct port_block* find_port_block(void* self, std::uint32_t tables, std::uint32_t block) {
    return tables < MemoryWorld::kTables && block < BLOCKS_PER_ADDRESS ? &world(self).port_block(tables, block)
                                                                       : nullptr;
  }
  static const struct forward_set* find_forward_set(void* self, std::uint32_t set) {
    return at(world(self).forward_sets_, set);
  }
  static struct ipv4_id_row* find_ipv4_id_row(void* self, std::uint32_t row) { return at(world(self).ipv4_ids_, row); }
  static struct ipv4_id_laps* find_ipv4_id_laps(void* self, std::uint32_t row) {
    return at(world(self).ipv4_id_laps_, row);
  }

  static core_route_result find_route(void* self, core_route* route) {
    MemoryWorld& w = world(self);
    const std::uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
    std::copy(mac, mac + 6, route->source_mac);
    std::copy(mac, mac + 6, route->destination_mac);
    if (w.answer_route_) return w.answer_route_(*route);
    const std::uint32_t destination = ntohl(route->destination);
    const bool internal = destination >> 22 == 0x64400000u >> 22 || destination >> 24 == 10;
    route->egress_ifindex = internal ? kInsideIfindex : kOutsideIfindex;
    return CORE_ROUTE_FOUND;
  }

  static event_record* reserve_event(void* self) {
    if (world(self).refuse_events_) return nullptr;
    return &world(self).reserved_.emplace();
  }
  static void submit_event(void* self, event_record* record) { world(self).events_.push_back(*record); }
};

MemoryWorld::MemoryWorld(const NatSpec& spec)
    : roots_(DIRECTORY_ROOTS),
      chunks_(64 * CHUNKS_PER_PAGE),
      subscribers_(SUBSCRIBERS_PER_TABLE * 20),
      external_addresses_(64 * ADDRESSES_PER_CHUNK),
      pools_(8),
      pool_activity_(8),
      pool_addresses_(1024),
      forward_sets_(FORWARD_SETS),
      ipv4_ids_(IPV4_ID_ROWS),
      ipv4_id_laps_(IPV4_ID_ROWS) {
  options_ = options_for(spec);
  lay_out(*this, spec);
}

struct subscriber& MemoryWorld::subscriber(std::uint32_t reference) { return subscribers_.at(reference); }
struct external_address& MemoryWorld::external_address(std::uint32_t row) { return external_addresses_.at(row); }

struct mapping_set& MemoryWorld::mapping_set(std::uint32_t tables, std::uint32_t set) {
  auto& table = mapping_tables_[tables];
  if (table.empty()) table.resize(SETS_PER_ADDRESS);
  return table.at(set);
}

struct creation_set& MemoryWorld::creation_set(std::uint32_t tables, std::uint32_t set) {
  auto& table = creation_tables_[tables];
  if (table.empty()) table.resize(SETS_PER_ADDRESS);
  return table.at(set);
}

struct port_block& MemoryWorld::port_block(std::uint32_t tables, std::uint32_t block) {
  auto& table = block_tables_[tables];
  if (table.empty()) table.resize(BLOCKS_PER_ADDRESS);
  return table.at(block);
}

const core_verbs& MemoryWorld::verbs() {
  using V = MemoryVerbs;
  static const core_verbs verbs = {V::now_ticks,
                                   V::now_ns,
                                   V::now_ns,
                                   V::random_u32,
                                   V::the_options,
                                   V::find_node_state,
                                   V::find_interface,
                                   V::find_vlan_member,
                                   V::find_directory_root,
                                   V::find_directory_chunk,
                                   V::find_subscriber,
                                   V::find_external_address,
                                   V::find_pool,
                                   V::find_pool_activity,
                                   V::find_pool_address,
                                   V::find_mapping_set,
                                   V::find_creation_set,
                                   V::find_port_block,
                                   V::find_forward_set,
                                   V::find_ipv4_id_row,
                                   V::find_ipv4_id_laps,
                                   V::find_route,
                                   V::reserve_event,
                                   V::submit_event};
  return verbs;
}

}  // namespace apnat::test
