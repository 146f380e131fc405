// lists.cpp - walks over pools, addresses, blocks and slots.
#include "datapath/lists.h"

#include <algorithm>

#include "net/port_range.h"

namespace apnat {
namespace {

constexpr slot_range kAllSlots{0, SLOTS_PER_CLASS - 1};

std::string assignment_name(const struct pool& pool) {
  switch (pool.assignment) {
    case ASSIGN_DETERMINISTIC:
      return "deterministic";
    case ASSIGN_STATIC:
      return "static";
    default:
      return "dynamic";
  }
}

std::string layout_name(const struct pool& pool) {
  switch (pool.port_layout) {
    case LAYOUT_PSID:
      return "psid";
    case LAYOUT_SCATTERED:
      return "scattered";
    default:
      return "contiguous";
  }
}

std::uint32_t ports_in(const struct pool& pool, slot_range slots) {
  std::uint32_t ports = 0;
  for (const PortRange& range : ports_of_slots(pool, slots)) ports += range.count();
  return ports;
}

}  // namespace

bool Lists::pool_matches(const Filter& filter, const struct pool& pool) const {
  return pool.name[0] != 0 && (!filter.pool || *filter.pool == name_of(pool));
}

// ---- addresses and slots ------------------------------------------------------------

bool Lists::for_each_address(const Filter& filter, const std::function<bool(const Place&)>& each) const {
  for (const struct pool& pool : rows().pools) {
    if (!pool_matches(filter, pool)) continue;
    for (std::uint32_t n = 0; n < pool.address_count; ++n) {
      const std::uint32_t at = pool.address_first + n;
      if (at >= rows().pool_addresses.size()) break;
      const std::uint32_t row = rows().pool_addresses[at].external_row;
      if (row >= rows().external_addresses.size()) continue;
      external_address& external = rows().external_addresses[row];
      if (filter.external_address && external.address != filter.external_address->network()) continue;
      const AddressRows* tables = rows().find_address(external);
      if (tables && !each({&pool, &external, tables})) return false;
    }
  }
  return true;
}

bool Lists::live_in(const Place& place, slot_range slots, const EachSlot& each) const {
  for (unsigned protocol_class = 0; protocol_class < PROTOCOL_CLASSES; ++protocol_class) {
    for (unsigned slot = slots.first; slot <= slots.last; ++slot) {
      const MappingNow entry = read_mapping(place.tables->at(protocol_class, slot));
      if (!is_live(options_, protocol_class, entry, now_.ticks)) continue;
      if (!each(place, {protocol_class, slot}, entry)) return false;
    }
  }
  return true;
}

// Everything alive at one address: by its blocks where blocks have owners, so that empty ones cost nothing; forwards
// stand where they like.
bool Lists::live_at_address(const Place& place, const Filter& filter, const EachSlot& each) const {
  if (filter.external_port) {
    const std::uint16_t slot = slot_of_port(*place.pool, *filter.external_port);
    return live_in(place, {slot, slot}, each);
  }
  if (place.pool->assignment != ASSIGN_DYNAMIC) return live_in(place, kAllSlots, each);
  for (unsigned number = 0; number < blocks_on_address(*place.pool); ++number) {
    if (load(place.tables->blocks[number].owner_plus_one) == 0) continue;
    if (!live_in(place, block_slots(*place.pool, number), each)) return false;
  }
  return true;
}

std::uint32_t Lists::count_live(const Place& place, slot_range slots) const {
  std::uint32_t count = 0;
  live_in(place, slots, [&](const Place&, SlotIn, const MappingNow&) { return ++count != 0; });
  return count;
}

// ---- mappings ---------------------------------------------------------------------------

MappingView Lists::view_of(const Place& place, SlotIn at, const MappingNow& entry) const {
  const Ip4 internal = Ip4::from_network(entry.row.internal_address);
  const std::int64_t idle = std::max<std::int64_t>(ticks_since(entry.row.last_seen, now_.ticks), 0);
  return {.pool = name_of(*place.pool),
          .protocol = entry.row.protocol,
          .subscriber = subscriber_prefix(*place.pool, internal),
          .internal = {internal, ntohs(entry.row.internal_port)},
          .external = {Ip4::from_network(place.external->address),
                       port_of_slot(*place.pool, static_cast<std::uint16_t>(at.slot))},
          .state = state_name(at.protocol_class, entry),
          .idle_seconds = static_cast<double>(idle) * (1ULL << TICK_SHIFT) / 1e9};
}

void Lists::mappings(const Filter& filter, const std::function<bool(const MappingView&)>& each) const {
  const EachSlot show = [&](const Place& place, SlotIn at, const MappingNow& entry) {
    if (filter.protocol && entry.row.protocol != *filter.protocol) return true;
    const MappingView view = view_of(place, at, entry);
    return (filter.subscriber && !view.subscriber.contains(*filter.subscriber)) || each(view);
  };
  // Forwards first: in a dynamic pool they may stand where no block has an owner.
  const auto is_dynamic = [](const Place& place) { return place.pool->assignment == ASSIGN_DYNAMIC; };
  for (const forward_set& set : rows().forward_sets) {
    for (const forward& entry : set.slot) {
      mapping named{};
      named.key = load(entry.key);
      if (named.key == 0 || entry.external_row >= rows().external_addresses.size()) continue;
      external_address& external = rows().external_addresses[entry.external_row];
      const AddressRows* tables = rows().find_address(external);
      if (!tables) continue;
      const Place place{&rows().pools[(external.pool_plus_one - 1) % MAX_POOLS], &external, tables};
      if (!is_dynamic(place) || !pool_matches(filter, *place.pool)) continue;
      if (filter.external_address && external.address != filter.external_address->network()) continue;
      if (filter.external_port && slot_of_port(*place.pool, *filter.external_port) != entry.slot) continue;
      const SlotIn at{class_of_protocol(named.protocol), entry.slot};
      const MappingNow there = read_mapping(tables->at(at.protocol_class, at.slot));
      if (there.in_use() && there.is_static() && !show(place, at, there)) return;
    }
  }
  const EachSlot show_others = [&](const Place& place, SlotIn at, const MappingNow& entry) {
    return (entry.is_static() && is_dynamic(place)) || show(place, at, entry);
  };
  for_each_address(filter, [&](const Place& place) { return live_at_address(place, filter, show_others); });
}

std::uint64_t Lists::count_mappings() const {
  std::uint64_t count = 0;
  const EachSlot one_more = [&](const Place&, SlotIn, const MappingNow&) { return ++count != 0; };
  for_each_address({}, [&](const Place& place) { return live_at_address(place, {}, one_more); });
  return count;
}

// ---- subscribers and blocks ----------------------------------------------------------------

bool Lists::visit_row(const Filter& filter, std::uint32_t reference, Ip4 address,
                      const std::function<bool(const Holder&)>& each) const {
  const subscriber* row = rows().find_subscriber(reference);
  const std::uint16_t pool_plus_one = row ? load(row->pool_plus_one) : 0;
  if (pool_plus_one == 0 || pool_plus_one > MAX_POOLS) return true;
  const struct pool& pool = rows().pools[pool_plus_one - 1U];
  if (!pool_matches(filter, pool)) return true;
  Place place{.pool = &pool};
  if (const std::uint32_t external = load(row->external_row_plus_one);
      external != 0 && external <= rows().external_addresses.size()) {
    place.external = &rows().external_addresses[external - 1];
    place.tables = rows().find_address(*place.external);
  }
  if (filter.external_address && (!place.external || place.external->address != filter.external_address->network())) {
    return true;
  }
  return each({pool, *row, subscriber_prefix(pool, address), place});
}

bool Lists::for_each_holder(const Filter& filter, const std::function<bool(const Holder&)>& each) const {
  const Chunks& chunks = tables_.directory()[REALM_INTERNAL];
  if (filter.subscriber) {
    const auto reference = find_row(chunks, *filter.subscriber);
    return !reference || visit_row(filter, *reference, *filter.subscriber, each);
  }
  for (const auto& [number, chunk] : chunks) {
    for (std::uint32_t i = 0; i < chunk.rows(); ++i) {
      if (!visit_row(filter, chunk.base + i, Ip4(number << 8 | i << chunk.shift), each)) return false;
    }
  }
  return true;
}

BlockView Lists::view_of(const Holder& holder, slot_range slots, bool with_live_mappings) const {
  BlockView view{.pool = name_of(holder.pool),
                 .subscriber = holder.prefix,
                 .external_address = Ip4::from_network(holder.place.external->address),
                 .ports = ports_of_slots(holder.pool, slots),
                 .assigned_at = std::nullopt,
                 .mappings = with_live_mappings ? count_live(holder.place, slots) : 0,
                 .mappings_created = 0};
  if (holder.pool.assignment == ASSIGN_DYNAMIC) {
    const port_block& block = holder.place.tables->blocks[slots.first >> holder.pool.block_size_log2];
    view.assigned_at = now_.wall(load(block.assigned_at_ns));
    view.mappings_created = load(block.mappings_created);
  }
  return view;
}

void Lists::blocks(const Filter& filter, const std::function<bool(const BlockView&)>& each) const {
  for_each_holder(filter, [&](const Holder& holder) {
    if (!holder.place.tables) return true;
    for (const slot_range& block : holder.row.block) {
      const slot_range slots{load(block.first), load(block.last)};
      if (slots.last == 0) continue;
      if (filter.external_port) {
        const std::uint16_t slot = slot_of_port(holder.pool, *filter.external_port);
        if (slot < slots.first || slot > slots.last) continue;
      }
      if (!each(view_of(holder, slots, filter.with_live_mappings))) return false;
    }
    return true;
  });
}

void Lists::subscribers(const Filter& filter, const std::function<bool(const SubscriberView&)>& each) const {
  for_each_holder(filter, [&](const Holder& holder) {
    SubscriberView view{.pool = name_of(holder.pool),
                        .subscriber = holder.prefix,
                        .external_address = std::nullopt,
                        .max_blocks = holder.pool.max_blocks};
    if (holder.place.external) view.external_address = Ip4::from_network(holder.place.external->address);
    for (const slot_range& block : holder.row.block) {
      const slot_range slots{load(block.first), load(block.last)};
      if (slots.last == 0 || !holder.place.tables) continue;
      ++view.blocks;
      view.ports += ports_in(holder.pool, slots);
      view.mappings += count_live(holder.place, slots);
    }
    // A deterministic pool gives everybody ports; those who use them are of interest, or the one who is asked for.
    const bool uses = holder.pool.assignment == ASSIGN_DETERMINISTIC ? view.mappings != 0 : view.blocks != 0;
    return !(uses || filter.subscriber) || each(view);
  });
}

// ---- pools -------------------------------------------------------------------------------------

PoolView Lists::pool(const struct pool& pool, std::uint64_t subscribers) const {
  PoolView view{.name = name_of(pool),
                .assignment = assignment_name(pool),
                .port_layout = layout_name(pool),
                .external_addresses = pool.address_count,
                .subscribers = subscribers};
  Filter only;
  only.pool = view.name;
  mappings(only, [&](const MappingView&) { return ++view.mappings != 0; });
  std::uint64_t ports = 0;
  for_each_holder(only, [&](const Holder& holder) {
    bool active = false;
    for (const slot_range& block : holder.row.block) {
      const slot_range slots{load(block.first), load(block.last)};
      if (slots.last == 0 || !holder.place.tables) continue;
      const bool fixed = pool.assignment != ASSIGN_DYNAMIC;
      if (fixed) ++view.blocks;
      if (!fixed || count_live(holder.place, slots) != 0) active = true;
      if (fixed) view.blocks_assigned += 1;
      ports += slots.last - slots.first + 1U;
    }
    view.active_subscribers += active;
    return true;
  });
  if (pool.assignment == ASSIGN_DYNAMIC) {
    view.block_size = 1U << pool.block_size_log2;
    view.blocks = std::uint64_t{pool.address_count} * (pool.last_block - pool.first_block + 1U);
    for_each_address(only, [&](const Place& place) {
      for (unsigned number = pool.first_block; number <= pool.last_block; ++number) {
        const port_block& block = place.tables->blocks[number];
        if (load(block.owner_plus_one) != 0) ++view.blocks_assigned;
        const std::uint32_t from = load(block.available_from);
        if (load(block.owner_plus_one) == 0 && from != 0 && ticks_since(from, now_.ticks) < 0) ++view.blocks_held_down;
      }
      return true;
    });
    ports = view.blocks_assigned * view.block_size;
  }
  const std::uint64_t holders = pool.assignment == ASSIGN_DYNAMIC ? view.active_subscribers : view.blocks;
  if (holders != 0) view.ports_per_subscriber = static_cast<double>(ports) / static_cast<double>(holders);
  if (pool.address_count != 0) {
    view.sharing_ratio = static_cast<double>(view.active_subscribers) / pool.address_count;
  }
  return view;
}

}  // namespace apnat
