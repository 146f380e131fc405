// sweeper.cpp - the walk, and the three steps of giving a block back.
#include "datapath/sweeper.h"

#include <algorithm>
#include <limits>

namespace apnat {
namespace {

constexpr unsigned kStretchSlots = 512;
constexpr std::uint64_t kTurnsARound = 30;
constexpr std::uint32_t kGraceTicks = ticks_of(std::chrono::seconds(1)) + 1;
constexpr std::uint32_t kLockTicks = ticks_of(std::chrono::seconds(1)) + 1;
constexpr unsigned kLockTablesATurn = 16;

// What a run of slots holds after the dead were taken out of it.
struct Census {
  std::uint32_t live = 0;
  // Since when nothing has lived here, in ticks before now; negative: something lives.
  std::int64_t idle_ticks = std::numeric_limits<std::int64_t>::max();
};

struct Scan {
  const Place& place;
  const struct options& options;
  const Moment& now;
  std::uint32_t margin;
  std::vector<EventBody>& ended;
};

void look_at(const Scan& scan, SlotIn at, Census& census) {
  const MappingNow entry = read_mapping(scan.place.tables->at(at.protocol_class, at.slot));
  if (entry.is_static()) return;
  if (!entry.in_use()) {
    // The last to stand here left its time: this is how a new agent knows since when a block is idle.
    if (entry.row.last_seen == 0) return;
    const std::int64_t dead = dead_for(scan.options, at.protocol_class, entry.row, scan.now.ticks);
    census.idle_ticks = std::min(census.idle_ticks, std::max<std::int64_t>(dead, 0));
    return;
  }
  const std::int64_t dead = dead_for(scan.options, at.protocol_class, entry.row, scan.now.ticks);
  census.idle_ticks = std::min(census.idle_ticks, dead);
  if (dead > scan.margin && end_mapping(scan.place, at, entry, scan.now, "expired", scan.ended)) return;
  ++census.live;
}

Census take_census(const Scan& scan, slot_range slots) {
  Census census;
  for (unsigned protocol_class = 0; protocol_class < PROTOCOL_CLASSES; ++protocol_class) {
    for (unsigned slot = slots.first; slot <= slots.last; ++slot) look_at(scan, {protocol_class, slot}, census);
  }
  return census;
}

std::uint64_t slots_in(slot_range slots) { return std::uint64_t{PROTOCOL_CLASSES} * (slots.last - slots.first + 1U); }

unsigned units_of(const struct pool& pool) {
  if (pool.assignment == ASSIGN_DYNAMIC) return blocks_on_address(pool);
  return SLOTS_PER_CLASS / kStretchSlots;
}

using BlockName = std::pair<std::uint32_t, std::uint32_t>;

// The rows of a block that was closing when it was last seen; none: they are gone.
std::optional<Place> place_of_block(const Rows& rows, const BlockName& name) {
  if (name.first >= rows.external_addresses.size()) return std::nullopt;
  external_address& external = rows.external_addresses[name.first];
  const AddressRows* tables = rows.find_address(external);
  if (!tables || external.pool_plus_one > rows.pools.size()) return std::nullopt;
  const Place place{&rows.pools[external.pool_plus_one - 1], &external, tables};
  if (place.pool->assignment != ASSIGN_DYNAMIC || name.second >= units_of(*place.pool)) return std::nullopt;
  return place;
}

// The block is not among the subscriber's any more. The pairing stays: a subscriber that comes back gets its address
// again while there is room.
void forget_block(subscriber& owner, const Place& place, const BlockName& name) {
  const auto b = find_block(owner, name.first, block_slots(*place.pool, name.second));
  if (!b) return;
  store(owner.block[*b], slot_range{0, 0});
  std::atomic_ref(owner.closing).fetch_and(static_cast<__u8>(~(1U << *b)));
  const bool none_left = std::ranges::all_of(owner.block, [](const slot_range& held) { return load(held.last) == 0; });
  if (none_left && load(place.external->first_blocks) > 0) std::atomic_ref(place.external->first_blocks).fetch_sub(1);
}

}  // namespace

// Whose it was when it began to close.
bool Sweeper::is_still(const Place& place, const BlockName& name, const Closing& closing) {
  const port_block& block = place.tables->blocks[name.second];
  return load(block.owner_plus_one) == closing.owner_plus_one && load(block.assigned_seq) == closing.assigned_seq;
}

Place place_of(const Rows& rows, const struct pool& pool, std::uint32_t n, std::uint32_t* external_row) {
  Place place{.pool = &pool};
  const std::uint32_t index = pool.address_first + n;
  if (n >= pool.address_count || index >= rows.pool_addresses.size()) return place;
  const std::uint32_t row = rows.pool_addresses[index].external_row;
  if (row >= rows.external_addresses.size()) return place;
  if (external_row) *external_row = row;
  place.external = &rows.external_addresses[row];
  place.tables = rows.find_address(*place.external);
  return place;
}

void Sweeper::sweep(const Rows& rows, const Settings& settings, const Moment& now, std::vector<EventBody>& ended) {
  const Turn turn{rows, settings, now, ended};
  finish_closings(turn);
  break_old_locks(turn);
  const std::uint64_t budget = std::max(settings.slots_a_turn, slots_last_round_ / kTurnsARound);
  const Cursor start = cursor_;
  for (std::uint64_t visited = 0; visited < budget && ended.size() < settings.most_told;) {
    const std::uint64_t cost = visit(turn);
    visited += cost;
    slots_this_round_ += cost;
    if (!step(turn)) {
      slots_last_round_ = std::exchange(slots_this_round_, 0);
      if (start == Cursor{}) return;  // all of it in one turn
    }
    if (cursor_ == start) return;
  }
}

// The piece of work under the cursor. Returns what it cost, in slots.
std::uint64_t Sweeper::visit(const Turn& turn) {
  if (cursor_.pool >= turn.rows.pools.size()) return 1;
  const struct pool& pool = turn.rows.pools[cursor_.pool];
  std::uint32_t external_row = 0;
  const Place place = place_of(turn.rows, pool, cursor_.address, &external_row);
  if (!place.tables || cursor_.unit >= units_of(pool)) return 1;
  if (pool.assignment == ASSIGN_DYNAMIC) return visit_block(turn, place, external_row, cursor_.unit);
  return visit_stretch(turn, place, cursor_.unit * kStretchSlots);
}

// To the next piece; false: the walk has come round.
bool Sweeper::step(const Turn& turn) {
  const bool there = cursor_.pool < turn.rows.pools.size();
  const struct pool* pool = there ? &turn.rows.pools[cursor_.pool] : nullptr;
  if (pool && cursor_.address < pool->address_count) {
    if (++cursor_.unit < units_of(*pool)) return true;
    cursor_.unit = 0;
    if (++cursor_.address < pool->address_count) return true;
  }
  cursor_ = {.pool = cursor_.pool + 1};
  if (cursor_.pool < turn.rows.pools.size()) return true;
  cursor_ = {};
  return false;
}

std::uint64_t Sweeper::visit_stretch(const Turn& turn, const Place& place, unsigned first_slot) {
  const slot_range slots{static_cast<__u16>(first_slot), static_cast<__u16>(first_slot + kStretchSlots - 1)};
  take_census({place, turn.settings.options, turn.now, RECLAIM_MARGIN, turn.ended}, slots);
  return slots_in(slots);
}

std::uint64_t Sweeper::visit_block(const Turn& turn, const Place& place, std::uint32_t external_row, unsigned number) {
  const port_block& block = place.tables->blocks[number];
  if (load(block.owner_plus_one) == 0) return 4;
  const slot_range slots = block_slots(*place.pool, number);
  const Census census = take_census({place, turn.settings.options, turn.now, RECLAIM_MARGIN, turn.ended}, slots);
  const BlockName name{external_row, number};
  if (closing_.contains(name)) return slots_in(slots);
  const std::int64_t idle_enough = std::max<std::int64_t>(turn.settings.block_idle_ticks, RECLAIM_MARGIN);
  if (census.live == 0 && census.idle_ticks >= idle_enough) {
    begin_closing(turn, place, name);
    return slots_in(slots);
  }
  // In use, yet marked by an agent that died between the steps?
  subscriber* owner = turn.rows.find_subscriber(load(block.owner_plus_one) - 1);
  const auto b = owner ? find_block(*owner, external_row, slots) : std::nullopt;
  if (b && load(owner->closing) & 1U << *b) {
    std::atomic_ref(owner->closing).fetch_and(static_cast<__u8>(~(1U << *b)));
  }
  return slots_in(slots);
}

// The row keeps since when, or an agent that is killed again and again would never come to an end with any block. With
// the bit set already, a dead one's grace period goes on.
void Sweeper::begin_closing(const Turn& turn, const Place& place, BlockName name) {
  port_block& block = place.tables->blocks[name.second];
  Closing closing{load(block.owner_plus_one), load(block.assigned_seq), turn.now.ticks, false};
  if (closing.owner_plus_one == 0) return;
  subscriber* owner = turn.rows.find_subscriber(closing.owner_plus_one - 1);
  const auto b = owner ? find_block(*owner, name.first, block_slots(*place.pool, name.second)) : std::nullopt;
  const std::uint32_t since = load(block.available_from);
  if (b && load(owner->closing) & 1U << *b && since != 0) {
    closing.since = since;
  } else {
    store(block.available_from, turn.now.ticks);
    if (b) std::atomic_ref(owner->closing).fetch_or(static_cast<__u8>(1U << *b));
  }
  const bool is_over = ticks_since(closing.since, turn.now.ticks) >= kGraceTicks;
  if (is_over && !finish(turn, name, closing)) return;
  closing.told = is_over;
  closing_[name] = closing;
}

void Sweeper::finish_closings(const Turn& turn) {
  for (auto at = closing_.begin(); at != closing_.end() && turn.ended.size() < turn.settings.most_told;) {
    Closing& closing = at->second;
    if (closing.told || ticks_since(closing.since, turn.now.ticks) < kGraceTicks) {
      ++at;
    } else if (finish(turn, at->first, closing)) {
      closing.told = true;
      ++at;
    } else {
      at = closing_.erase(at);
    }
  }
}

// The grace period is over. Still nothing in it? Then its end is told; false: it stays what it was.
bool Sweeper::finish(const Turn& turn, const BlockName& name, const Closing& closing) {
  const auto place = place_of_block(turn.rows, name);
  if (!place) return false;
  if (!is_still(*place, name, closing)) {  // another lease of it: its grace period begins now, if at all
    port_block& block = place->tables->blocks[name.second];
    if (load(block.owner_plus_one) != 0) store(block.available_from, turn.now.ticks);
    return false;
  }
  const slot_range slots = block_slots(*place->pool, name.second);
  // No margin now: since the bit was set, whoever saw a mapping alive has long finished with it.
  const Census census = take_census({*place, turn.settings.options, turn.now, 0, turn.ended}, slots);
  if (census.live == 0) {
    tell_block_end(*place, name.second, turn.now, turn.ended);
    return true;
  }
  subscriber* owner = turn.rows.find_subscriber(closing.owner_plus_one - 1);
  const auto b = owner ? find_block(*owner, name.first, slots) : std::nullopt;
  if (b) std::atomic_ref(owner->closing).fetch_and(static_cast<__u8>(~(1U << *b)));
  return false;
}

std::size_t Sweeper::give_back(const Rows& rows, std::uint32_t hold_down_ticks, const Moment& now) {
  return std::erase_if(closing_, [&](const auto& entry) {
    const auto& [name, closing] = entry;
    if (!closing.told) return false;
    const auto place = place_of_block(rows, name);
    if (!place || !is_still(*place, name, closing)) return true;
    if (subscriber* owner = rows.find_subscriber(closing.owner_plus_one - 1)) forget_block(*owner, *place, name);
    free_block(*place, name.second, now, hold_down_ticks);
    return true;
  });
}

// A lock is held for microseconds. One that is a second old has lost its holder.
void Sweeper::break_old_locks(const Turn& turn) {
  const auto& tables = turn.rows.subscriber_tables;
  for (unsigned i = 0; i < std::min<std::size_t>(kLockTablesATurn, tables.size()); ++i) {
    lock_table_ = (lock_table_ + 1) % tables.size();
    for (subscriber& row : tables[lock_table_]) {
      const std::uint32_t held = load(row.lock);
      if (held != 0 && ticks_since(held, turn.now.ticks) > kLockTicks) exchange_if(row.lock, held, 0);
    }
  }
}

}  // namespace apnat
