// forwards.cpp - both places of a forward, in the order that no packet sees half:
// the outbound one first, so that no reply to a first inbound packet opens a mapping
// of its own.
#include "datapath/forwards.h"

#include <fmt/format.h>

#include <algorithm>

#include "core_native.h"
#include "net/port_range.h"

namespace apnat {
namespace {

constexpr std::uint64_t kStatic = static_cast<std::uint64_t>(MARK_STATIC) << 56;

bool is_same_endpoint(std::uint64_t one, std::uint64_t other) { return ((one ^ other) & KEY_MASK) == 0; }

std::string text_of(const PlannedForward& forward) {
  return fmt::format("{} {} -> {}", protocol_name(forward.protocol), forward.external.text(), forward.internal.text());
}

// The sets in which the entry of `key` can stand.
std::array<std::uint32_t, 2> sets_of(const node_state& node, std::uint64_t key) {
  const std::uint64_t hash = core_slot_hash(reinterpret_cast<const std::uint64_t*>(node.secret), key);
  return {core_first_set(hash, 0, SLOTS_PER_CLASS - 1) % FORWARD_SETS,
          core_second_set(hash, 0, SLOTS_PER_CLASS - 1) % FORWARD_SETS};
}

}  // namespace

Result<Forwards::Spot> Forwards::find_spot(const PlannedForward& wanted) const {
  const auto pool = std::ranges::find(rows().pools, wanted.pool, [](const struct pool& row) { return name_of(row); });
  if (pool == rows().pools.end() || wanted.pool.empty()) return fail(fmt::format("there is no pool {}", wanted.pool));
  const auto index = static_cast<std::uint32_t>(pool - rows().pools.begin());
  const auto row = find_row(tables_.directory()[REALM_EXTERNAL], wanted.external.address);
  external_address* external = row ? &rows().external_addresses[*row] : nullptr;
  const AddressRows* tables = external ? rows().find_address(*external) : nullptr;
  if (!tables || external->pool_plus_one != index + 1) {
    return fail(fmt::format("{} is not an external address of pool {}", wanted.external.address.text(), wanted.pool));
  }
  subscriber* owner = tables_.find_subscriber(wanted.internal.address);
  if (owner && load(owner->pool_plus_one) != index + 1) owner = nullptr;
  Spot spot;
  spot.place = {&*pool, external, tables};
  spot.external_row = *row;
  spot.slot = {class_of_protocol(wanted.protocol), slot_of_port(*pool, wanted.external.port)};
  spot.key = core_mapping_key(wanted.internal.address.network(), htons(wanted.internal.port), wanted.protocol);
  spot.owner = owner;
  return spot;
}

forward* Forwards::find_entry(std::uint64_t key) const {
  for (std::uint32_t set : sets_of(*rows().node, key)) {
    for (forward& entry : rows().forward_sets[set].slot) {
      if (load(entry.key) != 0 && is_same_endpoint(load(entry.key), key)) return &entry;
    }
  }
  return nullptr;
}

forward* Forwards::find_free_entry(std::uint64_t key) const {
  for (std::uint32_t set : sets_of(*rows().node, key)) {
    for (forward& entry : rows().forward_sets[set].slot) {
      if (load(entry.key) == 0) return &entry;
    }
  }
  return nullptr;
}

Result<void> Forwards::check_free(const Spot& spot, const PlannedForward& wanted, const struct options& options,
                                  const Moment& now) const {
  const MappingNow there = read_mapping(spot.place.tables->at(spot.slot.protocol_class, spot.slot.slot));
  if (!there.in_use()) return {};
  if (there.is_static()) {
    return fail(fmt::format("{} is forwarded to {}:{} already", wanted.external.text(),
                            Ip4::from_network(there.row.internal_address).text(), ntohs(there.row.internal_port)));
  }
  if (dead_for(options, spot.slot.protocol_class, there.row, now.ticks) > RECLAIM_MARGIN) return {};
  return fail(fmt::format("{} is in use by a mapping of {}:{}; a live mapping is not taken away",
                          wanted.external.text(), Ip4::from_network(there.row.internal_address).text(),
                          ntohs(there.row.internal_port)));
}

Result<void> Forwards::add(const PlannedForward& wanted, bool from_configuration, const struct options& options,
                           const Moment& now, std::vector<EventBody>& told) {
  const Spot spot = TRY(find_spot(wanted));
  if (!spot.owner) {
    return fail(fmt::format("{} is not a subscriber of pool {}", wanted.internal.address.text(), wanted.pool));
  }
  mapping& standing = spot.place.tables->at(spot.slot.protocol_class, spot.slot.slot);
  const MappingNow there = read_mapping(standing);
  forward* entry = find_entry(spot.key);
  const bool is_there = entry && entry->external_row == spot.external_row && entry->slot == spot.slot.slot;
  if (is_there && there.is_static() && is_same_endpoint(there.row.key, spot.key)) {
    const std::uint32_t origin = from_configuration ? 0 : STATE_RUNTIME_FORWARD;
    std::atomic_ref(standing.state).fetch_and(~static_cast<std::uint32_t>(STATE_RUNTIME_FORWARD));
    std::atomic_ref(standing.state).fetch_or(origin);
    return {};
  }
  if (entry && !is_there) {
    return fail(fmt::format("{}/{} has a forward already; an internal endpoint has one external endpoint",
                            wanted.internal.text(), protocol_name(wanted.protocol)));
  }
  TRY_VOID(check_free(spot, wanted, options, now));
  if (!entry) entry = find_free_entry(spot.key);
  if (!entry) return fail("no room in the table of forwards for " + text_of(wanted));
  if (there.in_use()) end_mapping(spot.place, spot.slot, there, now, "expired", told);
  TRY_VOID(claim(spot, *entry, wanted, from_configuration, now));
  if (spot.place.pool->log == LOG_BLOCKS) return {};
  told.emplace_back(MappingCreated{.pool = wanted.pool,
                                   .subscriber = subscriber_prefix(*spot.place.pool, wanted.internal.address),
                                   .protocol = wanted.protocol,
                                   .internal = wanted.internal,
                                   .external = wanted.external,
                                   .destination = std::nullopt});
  return {};
}

Result<void> Forwards::claim(const Spot& spot, forward& entry, const PlannedForward& wanted, bool from_configuration,
                             const Moment& now) {
  mapping& standing = spot.place.tables->at(spot.slot.protocol_class, spot.slot.slot);
  entry.external_row = spot.external_row;
  entry.slot = static_cast<__u16>(spot.slot.slot);
  store(entry.key, spot.key);
  std::atomic_ref(spot.owner->flags).fetch_or(SUBSCRIBER_HAS_FORWARDS);
  if (const auto& creations = spot.place.tables->creations; !creations.empty()) {
    const std::uint32_t set = spot.slot.protocol_class * SETS_PER_CLASS + spot.slot.slot / SET_SLOTS;
    store(creations[set].created_at_ns[spot.slot.slot % SET_SLOTS], now.tai_ns);
  }
  if (!exchange_if(standing.key, 0, spot.key | kStatic)) {
    store(entry.key, 0);
    return fail(fmt::format("{} was taken by a mapping just now", wanted.external.text()));
  }
  // After the key, unlike a program's claim: until it is ours, another may be writing these. A forward does not expire.
  store(standing.last_seen, now.ticks);
  store(standing.state, from_configuration ? 0 : static_cast<std::uint32_t>(STATE_RUNTIME_FORWARD));
  return {};
}

Result<void> Forwards::remove(const PlannedForward& wanted, const Moment& now, std::vector<EventBody>& told) {
  const Spot spot = TRY(find_spot(wanted));
  const MappingNow there = read_mapping(spot.place.tables->at(spot.slot.protocol_class, spot.slot.slot));
  if (!there.is_static() || !is_same_endpoint(there.row.key, spot.key)) {
    return fail("there is no forward " + text_of(wanted));
  }
  end_mapping(spot.place, spot.slot, there, now, "forward_removed", told);
  if (forward* entry = find_entry(spot.key)) store(entry->key, 0);
  if (!spot.owner) return {};
  const bool has_more = std::ranges::any_of(list(), [&](const ForwardView& view) {
    return tables_.find_subscriber(view.forward.internal.address) == spot.owner;
  });
  if (!has_more) {
    std::atomic_ref(spot.owner->flags).fetch_and(static_cast<__u8>(~static_cast<unsigned>(SUBSCRIBER_HAS_FORWARDS)));
  }
  return {};
}

std::vector<ForwardView> Forwards::list() const {
  std::vector<ForwardView> views;
  for (const forward_set& set : rows().forward_sets) {
    for (const forward& entry : set.slot) {
      if (load(entry.key) == 0 || entry.external_row >= rows().external_addresses.size()) continue;
      const external_address& external = rows().external_addresses[entry.external_row];
      const AddressRows* tables = rows().find_address(external);
      if (!tables) continue;
      mapping row{};
      row.key = load(entry.key);
      const struct pool& pool = rows().pools[(external.pool_plus_one - 1) % MAX_POOLS];
      const MappingNow there = read_mapping(tables->at(class_of_protocol(row.protocol), entry.slot));
      views.push_back({.forward = {.pool = name_of(pool),
                                   .protocol = row.protocol,
                                   .external = {Ip4::from_network(external.address), port_of_slot(pool, entry.slot)},
                                   .internal = {Ip4::from_network(row.internal_address), ntohs(row.internal_port)}},
                       .from_configuration = !(there.row.state & STATE_RUNTIME_FORWARD)});
    }
  }
  std::ranges::sort(views, {},
                    [](const ForwardView& view) { return std::pair(view.forward.external, view.forward.protocol); });
  return views;
}

void Forwards::mark_owners() {
  for (const ForwardView& view : list()) {
    if (subscriber* owner = tables_.find_subscriber(view.forward.internal.address)) {
      std::atomic_ref(owner->flags).fetch_or(SUBSCRIBER_HAS_FORWARDS);
    }
  }
}

}  // namespace apnat
