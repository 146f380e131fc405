// explain_world.cpp - the verbs of the core over copies of the rows.
#include "datapath/explain_world.h"

#include <cstring>

#include "base/clock.h"

namespace apnat {
namespace {

constexpr std::uint64_t kTable = std::uint64_t{1} << 32;

template <typename Row>
Row* keep(std::map<std::uint64_t, std::unique_ptr<Row>>& copies, std::uint64_t key, const Row* original) {
  auto& copy = copies[key];
  if (!copy && original != nullptr) copy = std::make_unique<Row>(*original);
  return copy.get();
}

template <typename Row>
Row* keep(std::map<std::uint64_t, std::unique_ptr<Row>>& copies, std::uint64_t key, const Result<Row>& original) {
  return keep(copies, key, original ? &*original : nullptr);
}

template <typename Row>
const Row* at(std::span<Row> rows, std::uint32_t index) {
  return index < rows.size() ? &rows[index] : nullptr;
}

}  // namespace

// Answers from `self`, an ExplainWorld.
struct ExplainVerbs {
  static ExplainWorld& world(void* self) { return *static_cast<ExplainWorld*>(self); }
  static const Rows& rows(void* self) { return world(self).tables_.rows(); }

  static std::uint32_t now_ticks(void*) { return Moment::of(SystemClock()).ticks; }
  static std::uint64_t now_monotonic_ns(void*) { return SystemClock().monotonic_ns(); }
  static std::uint64_t now_tai_ns(void*) { return Moment::of(SystemClock()).tai_ns; }
  static std::uint32_t random_u32(void* self) {
    return world(self).random_ = world(self).random_ * 1664525 + 1013904223;
  }
  static const struct options* the_options(void* self) { return &world(self).options_; }

  static struct node_state* find_node_state(void* self) { return keep(world(self).nodes_, 0, rows(self).node); }
  static const struct interface* find_interface(void* self, std::uint32_t i) {
    return keep(world(self).interfaces_, i, world(self).tables_.interface(i));
  }
  static const struct vlan_member* find_vlan_member(void* self, std::uint32_t i) {
    return keep(world(self).members_, i, world(self).tables_.member(i));
  }
  static const struct directory_root* find_directory_root(void* self, std::uint32_t i) {
    return keep(world(self).roots_, i, world(self).tables_.root(i));
  }
  static const struct directory_chunk* find_directory_chunk(void* self, std::uint32_t i) {
    return keep(world(self).chunks_, i, world(self).tables_.chunk(i));
  }
  static struct subscriber* find_subscriber(void* self, std::uint32_t reference) {
    const struct subscriber* original = rows(self).find_subscriber(reference);
    struct subscriber* copy = keep(world(self).subscribers_, reference, original);
    if (copy != nullptr && copy->lock == original->lock) copy->lock = 0;  // whoever holds it is not in our way
    return copy;
  }
  static struct external_address* find_external_address(void* self, std::uint32_t i) {
    return keep(world(self).external_addresses_, i, at(rows(self).external_addresses, i));
  }
  static const struct pool* find_pool(void* self, std::uint32_t i) {
    return keep(world(self).pools_, i, at(rows(self).pools, i));
  }
  static struct pool_activity* find_pool_activity(void* self, std::uint32_t i) {
    return keep(world(self).activity_, i, at(rows(self).activity, i));
  }
  static const struct pool_address* find_pool_address(void* self, std::uint32_t i) {
    return keep(world(self).pool_addresses_, i, at(rows(self).pool_addresses, i));
  }
  static struct mapping_set* find_mapping_set(void* self, std::uint32_t table, std::uint32_t i) {
    const auto& all = rows(self).addresses;
    return keep(world(self).mapping_sets_, table * kTable + i,
                table < all.size() ? at(all[table].mappings, i) : nullptr);
  }
  static struct creation_set* find_creation_set(void* self, std::uint32_t table, std::uint32_t i) {
    const auto& all = rows(self).addresses;
    return keep(world(self).creation_sets_, table * kTable + i,
                table < all.size() ? at(all[table].creations, i) : nullptr);
  }
  static struct port_block* find_port_block(void* self, std::uint32_t table, std::uint32_t i) {
    const auto& all = rows(self).addresses;
    return keep(world(self).port_blocks_, table * kTable + i, table < all.size() ? at(all[table].blocks, i) : nullptr);
  }
  static const struct forward_set* find_forward_set(void* self, std::uint32_t i) {
    return keep(world(self).forward_sets_, i, at(rows(self).forward_sets, i));
  }
  static struct ipv4_id_row* find_ipv4_id_row(void* self, std::uint32_t i) {
    return keep(world(self).ipv4_ids_, i, at(rows(self).ipv4_ids, i));
  }
  static struct ipv4_id_laps* find_ipv4_id_laps(void* self, std::uint32_t i) {
    return keep(world(self).ipv4_id_laps_, i, at(rows(self).ipv4_id_laps, i));
  }

  static core_route_result find_route(void* self, core_route* route) {
    const auto way = way_to(Ip4::from_network(route->destination));
    if (!way) return CORE_ROUTE_NONE;
    world(self).way_ = *way;
    if (way->kind == WayOut::Kind::kProhibited) return CORE_ROUTE_PROHIBITED;
    if (way->kind != WayOut::Kind::kFound) return CORE_ROUTE_NONE;
    if (route->total_length > way->mtu) return CORE_ROUTE_TOO_BIG;
    if (!way->mac) return CORE_ROUTE_NO_NEIGHBOUR;
    route->egress_ifindex = way->ifindex;
    std::memcpy(route->destination_mac, way->mac->data(), way->mac->size());
    return CORE_ROUTE_FOUND;
  }

  static event_record* reserve_event(void* self) {
    world(self).reserved_ = {};
    return &world(self).reserved_;
  }
  static void submit_event(void* self, event_record* record) { world(self).events_.push_back(*record); }
};

ExplainWorld::ExplainWorld(const Datapath::Tables& tables, const struct options& options)
    : tables_(tables), options_(options) {}

const struct subscriber* ExplainWorld::seen_subscriber(std::uint32_t reference) const {
  const auto found = subscribers_.find(reference);
  return found == subscribers_.end() ? nullptr : found->second.get();
}

bool ExplainWorld::opened_mapping() const {
  for (const auto& [key, copy] : mapping_sets_) {
    if (!copy) continue;
    const auto& original = tables_.rows().addresses[key / kTable].mappings[key % kTable];
    for (std::size_t i = 0; i < SET_SLOTS; ++i)
      if (load(original.slot[i].key) != copy->slot[i].key) return true;
  }
  return false;
}

const core_verbs& ExplainWorld::verbs() {
  using V = ExplainVerbs;
  static const core_verbs verbs = {
      .now_ticks = V::now_ticks,
      .now_monotonic_ns = V::now_monotonic_ns,
      .now_tai_ns = V::now_tai_ns,
      .random_u32 = V::random_u32,
      .the_options = V::the_options,
      .find_node_state = V::find_node_state,
      .find_interface = V::find_interface,
      .find_vlan_member = V::find_vlan_member,
      .find_directory_root = V::find_directory_root,
      .find_directory_chunk = V::find_directory_chunk,
      .find_subscriber = V::find_subscriber,
      .find_external_address = V::find_external_address,
      .find_pool = V::find_pool,
      .find_pool_activity = V::find_pool_activity,
      .find_pool_address = V::find_pool_address,
      .find_mapping_set = V::find_mapping_set,
      .find_creation_set = V::find_creation_set,
      .find_port_block = V::find_port_block,
      .find_forward_set = V::find_forward_set,
      .find_ipv4_id_row = V::find_ipv4_id_row,
      .find_ipv4_id_laps = V::find_ipv4_id_laps,
      .find_route = V::find_route,
      .reserve_event = V::reserve_event,
      .submit_event = V::submit_event,
  };
  return verbs;
}

}  // namespace apnat
