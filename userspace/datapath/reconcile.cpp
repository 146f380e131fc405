// reconcile.cpp - the order of writes under traffic.
#include "datapath/reconcile.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <unordered_set>

namespace apnat {
namespace {

bool is_blank(const subscriber& row) {
  if (load(row.external_row_plus_one) != 0) return false;
  return std::ranges::all_of(row.block, [](const slot_range& block) { return load(block.last) == 0; });
}

// Rows of one realm's chunks, by address: finding is cheap when asked in order.
class RowFinder {
 public:
  explicit RowFinder(const Chunks& chunks) : chunks_(chunks) {}
  std::optional<std::uint32_t> find(Ip4 address) {
    if (!at_ || number_ != chunk_number(address)) {
      const auto found = chunks_.find(chunk_number(address));
      at_ = found == chunks_.end() ? nullptr : &found->second;
      number_ = chunk_number(address);
    }
    if (!at_) return std::nullopt;
    return at_->base + ((address.value() & (ADDRESSES_PER_CHUNK - 1)) >> at_->shift);
  }

 private:
  const Chunks& chunks_;
  const Chunk* at_ = nullptr;
  std::uint32_t number_ = 0;
};

bool has_same_chunk(const Chunks& chunks, std::uint32_t number, const Chunk& chunk) {
  const auto found = chunks.find(number);
  return found != chunks.end() && found->second == chunk;
}

}  // namespace

Reconciler::Reconciler(Datapath::Tables& tables, const Wanted& wanted, const Moment& now)
    : tables_(tables), wanted_(wanted), now_(now) {}

Reconciler::~Reconciler() {
  if (done_) return;
  for (std::uint32_t number : made_) (void)tables_.drop_address(number);
}

// ---- prepare -------------------------------------------------------------------------

Result<void> Reconciler::prepare() {
  TRY_VOID(drop_unreachable_tables());
  placement_ = TRY(place(wanted_.plan, {rows(), tables_.directory()}, wanted_.local));
  TRY_VOID(make_tables());
  find_leaving_addresses();
  find_keepers();
  find_leavers();
  return {};
}

// What an agent made and died before it could use.
Result<void> Reconciler::drop_unreachable_tables() {
  std::unordered_set<std::uint32_t> reachable;
  for (const auto& [number, chunk] : tables_.directory()[REALM_EXTERNAL]) {
    for (const external_address& row : rows().external_addresses.subspan(chunk.base, chunk.rows())) {
      if (row.pool_plus_one != 0) reachable.insert(row.tables);
    }
  }
  for (std::uint32_t number = 0; number < MAX_EXTERNAL_TABLES; ++number) {
    const AddressRows& tables = rows().addresses[number];
    const bool there = tables.present() || !tables.blocks.empty() || !tables.creations.empty();
    if (there && !reachable.contains(number)) TRY_VOID(tables_.drop_address(number));
  }
  return {};
}

Result<void> Reconciler::make_tables() {
  for (const auto& [number, chunk] : placement_.directory[REALM_INTERNAL]) {
    TRY_VOID(tables_.make_subscriber_table(chunk.base / SUBSCRIBERS_PER_TABLE));
  }
  for (std::size_t n = 0; n < placement_.pools.size(); ++n) {
    const bool logs = wanted_.plan.pools[n].row.log != LOG_BLOCKS;
    for (const PlacedAddress& address : placement_.pools[n].addresses) {
      if (!address.kept) made_.push_back(address.tables);
      TRY_VOID(tables_.make_address(address.tables, logs));
    }
  }
  return {};
}

void Reconciler::find_leaving_addresses() {
  std::unordered_set<std::uint32_t> kept;
  for (const PlacedPool& pool : placement_.pools) {
    for (const PlacedAddress& address : pool.addresses) {
      if (address.kept) kept.insert(address.row);
    }
  }
  for (const auto& [number, chunk] : tables_.directory()[REALM_EXTERNAL]) {
    for (std::uint32_t row = chunk.base; row < chunk.base + chunk.rows(); ++row) {
      const external_address& there = rows().external_addresses[row];
      if (there.pool_plus_one == 0 || kept.contains(row) || there.tables >= MAX_EXTERNAL_TABLES) continue;
      leaving_.push_back({.row = row,
                          .pool = rows().pools[(there.pool_plus_one - 1) % MAX_POOLS],
                          .tables = rows().addresses[there.tables],
                          .number = there.tables});
    }
  }
}

// Whose row stays as it is: the same pool of the same shape, an address that stays, the same fixed ports.
void Reconciler::find_keepers() {
  keeps_.assign(std::size_t{SUBSCRIBERS_PER_TABLE} * MAX_SUBSCRIBER_TABLES, false);
  RowFinder held(tables_.directory()[REALM_INTERNAL]);
  RowFinder placed(placement_.directory[REALM_INTERNAL]);
  for (std::size_t n = 0; n < placement_.pools.size(); ++n) {
    const PlacedPool& pool = placement_.pools[n];
    if (!pool.kept) continue;
    const PlannedPool& planned = wanted_.plan.pools[n];
    for_each_subscriber(planned, [&](const Prefix& prefix, const std::vector<PlannedBlock>& fixed) {
      const auto reference = held.find(prefix.first());
      if (!reference || reference != placed.find(prefix.first())) return;
      const subscriber* row = rows().find_subscriber(*reference);
      if (row && may_keep(*row, subscriber_row(planned, pool, fixed), pool)) keeps_[*reference] = true;
    });
  }
}

bool Reconciler::may_keep(const subscriber& row, const subscriber& wanted, const PlacedPool& pool) const {
  if (load(row.pool_plus_one) != pool.index + 1) return false;
  if (wanted.flags & SUBSCRIBER_FIXED_BLOCKS) {
    return row.flags & SUBSCRIBER_FIXED_BLOCKS && row.external_row_plus_one == wanted.external_row_plus_one &&
           row.external_address == wanted.external_address && row.tables == wanted.tables &&
           std::memcmp(row.block, wanted.block, sizeof(row.block)) == 0;
  }
  const std::uint32_t paired = load(row.external_row_plus_one);
  if (row.flags & SUBSCRIBER_FIXED_BLOCKS) return false;
  return paired == 0 || std::ranges::none_of(leaving_, [&](const LeavingAddress& a) { return a.row + 1 == paired; });
}

void Reconciler::find_leavers() {
  for (const auto& [number, chunk] : tables_.directory()[REALM_INTERNAL]) {
    for (std::uint32_t reference = chunk.base; reference < chunk.base + chunk.rows(); ++reference) {
      const subscriber* row = rows().find_subscriber(reference);
      if (!row || keeps_[reference]) continue;
      const std::uint16_t pool_plus_one = load(row->pool_plus_one);
      if (pool_plus_one != 0 || !is_blank(*row)) leavers_.push_back({reference, pool_plus_one});
    }
  }
}

// ---- remove ----------------------------------------------------------------------------

Result<void> Reconciler::remove(std::vector<EventBody>& ended) {
  stop_traffic();
  for (const Leaver& leaver : leavers_) end_leaver(leaver, ended);
  for (LeavingAddress& leaving : leaving_) end_leaving_address(leaving, ended);
  TRY_VOID(erase_chunks());
  for (const LeavingAddress& leaving : leaving_) {
    left_.push_back(Ip4::from_network(rows().external_addresses[leaving.row].address));
    rows().external_addresses[leaving.row] = {};
    TRY_VOID(tables_.drop_address(leaving.number));
  }
  for (std::uint32_t index = 0; index < rows().pools.size(); ++index) {
    const bool stays =
        std::ranges::any_of(placement_.pools, [&](const PlacedPool& p) { return p.kept && p.index == index; });
    if (!stays && rows().pools[index].name[0] != 0) rows().pools[index] = {};
  }
  return {};
}

// Nothing new reaches what goes; what was on its way has passed when this returns.
void Reconciler::stop_traffic() {
  if (leavers_.empty() && leaving_.empty()) return;
  for (const Leaver& leaver : leavers_) store(rows().find_subscriber(leaver.reference)->pool_plus_one, 0);
  for (const LeavingAddress& leaving : leaving_) {
    external_address& row = rows().external_addresses[leaving.row];
    store(row.flags, load(row.flags) & ~ADDRESS_POOL);
    store(row.pool_plus_one, 0);
  }
  wait_for_programs();
}

// The rows behind an external row, whether it goes or stays; none: it has no tables.
std::optional<Place> Reconciler::place_of_row(std::uint32_t external_row) {
  if (external_row >= rows().external_addresses.size()) return std::nullopt;
  external_address& row = rows().external_addresses[external_row];
  const auto found = std::ranges::find(leaving_, external_row, &LeavingAddress::row);
  if (found != leaving_.end()) return Place{&found->pool, &row, &found->tables};
  const AddressRows* tables = rows().find_address(row);
  if (!tables) return std::nullopt;
  return Place{&rows().pools[(row.pool_plus_one - 1) % MAX_POOLS], &row, tables};
}

void Reconciler::end_leaver(const Leaver& leaver, std::vector<EventBody>& ended) {
  subscriber& row = *rows().find_subscriber(leaver.reference);
  const auto place = row.external_row_plus_one ? place_of_row(row.external_row_plus_one - 1) : std::nullopt;
  bool held = false;
  for (const slot_range& slots : row.block) {
    if (slots.last == 0 || !place || !place->tables->present()) continue;
    end_slots(*place, slots, false, ended);
    if (place->pool->assignment != ASSIGN_DYNAMIC) continue;
    held = true;
    const unsigned number = slots.first >> place->pool->block_size_log2;
    if (place->tables->blocks[number].owner_plus_one != leaver.reference + 1) continue;
    end_block(*place, number, now_, wanted_.plan.hold_down_ticks, ended);
  }
  if (held && place->external->first_blocks > 0) std::atomic_ref(place->external->first_blocks).fetch_sub(1);
  row = {};
}

void Reconciler::end_slots(const Place& place, slot_range slots, bool with_static, std::vector<EventBody>& ended) {
  for (unsigned protocol_class = 0; protocol_class < PROTOCOL_CLASSES; ++protocol_class) {
    for (unsigned slot = slots.first; slot <= slots.last; ++slot) {
      const MappingNow seen = read_mapping(place.tables->at(protocol_class, slot));
      if (!seen.in_use() || (seen.is_static() && !with_static)) continue;
      end_mapping(place, {protocol_class, slot}, seen, now_, "pool_removed", ended);
    }
  }
}

// What its subscribers did not hold: forwards, and blocks whose owner an agent lost.
void Reconciler::end_leaving_address(LeavingAddress& leaving, std::vector<EventBody>& ended) {
  if (!leaving.tables.present()) return;
  const Place place{&leaving.pool, &rows().external_addresses[leaving.row], &leaving.tables};
  end_slots(place, {0, SLOTS_PER_CLASS - 1}, true, ended);
  forget_forwards(leaving.row);
  if (leaving.pool.assignment != ASSIGN_DYNAMIC) return;
  for (unsigned number = 0; number < blocks_on_address(leaving.pool); ++number) {
    if (leaving.tables.blocks[number].owner_plus_one == 0) continue;
    end_block(place, number, now_, wanted_.plan.hold_down_ticks, ended);
  }
}

void Reconciler::forget_forwards(std::uint32_t external_row) {
  for (forward_set& set : rows().forward_sets) {
    for (forward& entry : set.slot) {
      if (load(entry.key) != 0 && entry.external_row == external_row) store(entry.key, 0);
    }
  }
}

Result<void> Reconciler::erase_chunks() {
  bool erased = false;
  for (enum realm realm : {REALM_INTERNAL, REALM_EXTERNAL}) {
    const Chunks held = tables_.directory()[realm];
    for (const auto& [number, chunk] : held) {
      if (has_same_chunk(placement_.directory[realm], number, chunk)) continue;
      TRY_VOID(tables_.erase_chunk(realm, number));
      erased = true;
      if (realm == REALM_INTERNAL) continue;
      for (external_address& row : rows().external_addresses.subspan(chunk.base, chunk.rows())) store(row.flags, 0);
    }
  }
  if (erased) wait_for_programs();
  return {};
}

// ---- add ----------------------------------------------------------------------------------

Result<void> Reconciler::add() {
  done_ = true;
  for (std::size_t n = 0; n < placement_.pools.size(); ++n) {
    put_pool(n);
    put_addresses(n);
  }
  put_local_marks();
  TRY_VOID(put_chunks(REALM_EXTERNAL));
  for (std::size_t n = 0; n < placement_.pools.size(); ++n) put_subscribers(n);
  return put_chunks(REALM_INTERNAL);
}

// A creation time that stayed would be taken for that of a later mapping, once the pool logs again.
void Reconciler::end_records(std::vector<EventBody>& ended) {
  if (silenced_.empty()) return;
  wait_for_programs();
  for (std::size_t n : silenced_) {
    const PlacedPool& pool = placement_.pools[n];
    for (const PlacedAddress& address : pool.addresses) {
      const Place place{&rows().pools[pool.index], &rows().external_addresses[address.row],
                        &rows().addresses[address.tables]};
      if (place.tables->creations.empty()) continue;
      for (unsigned protocol_class = 0; protocol_class < PROTOCOL_CLASSES; ++protocol_class) {
        for (unsigned slot = 0; slot < SLOTS_PER_CLASS; ++slot) {
          end_record(place, {protocol_class, slot}, now_, "no_longer_logged", ended);
        }
      }
    }
  }
}

void Reconciler::put_pool(std::size_t n) {
  const PlacedPool& placed = placement_.pools[n];
  const struct pool wanted = pool_row(wanted_.plan.pools[n], placed, *rows().node);
  for (std::uint32_t i = 0; i < wanted.address_count; ++i) {
    rows().pool_addresses[wanted.address_first + i] = {.external_row = placed.addresses[i].row, .reserved = 0};
  }
  struct pool& row = rows().pools[placed.index];
  if (std::memcmp(&row, &wanted, sizeof(row)) == 0) return;
  if (row.log != LOG_BLOCKS && wanted.log == LOG_BLOCKS) silenced_.push_back(n);
  constexpr std::size_t kBefore = offsetof(struct pool, address_first);
  constexpr std::size_t kAfter = offsetof(struct pool, max_new_mappings_per_second);
  std::memcpy(&row, &wanted, kBefore);
  std::memcpy(reinterpret_cast<char*>(&row) + kAfter, reinterpret_cast<const char*>(&wanted) + kAfter,
              sizeof(row) - kAfter);
  if (row.address_first == wanted.address_first && row.address_count == wanted.address_count) return;
  // Between two of these writes a program may see the old start with the new count, or the reverse: never more
  // addresses than both runs have.
  store(row.address_count, std::min(load(row.address_count), wanted.address_count));
  store(row.address_first, wanted.address_first);
  store(row.address_count, wanted.address_count);
}

void Reconciler::put_addresses(std::size_t n) {
  const PlacedPool& placed = placement_.pools[n];
  const PlannedPool& planned = wanted_.plan.pools[n];
  for (const PlacedAddress& address : placed.addresses) {
    if (address.kept) continue;
    if (planned.row.assignment == ASSIGN_DYNAMIC && wanted_.waits_out_holddown(address.address)) {
      const std::uint32_t from = now_.ticks + wanted_.plan.hold_down_ticks;
      for (port_block& block : rows().addresses[address.tables].blocks) block.available_from = from == 0 ? 1 : from;
    }
    external_address& row = rows().external_addresses[address.row];
    row.address = address.address.network();
    row.tables = address.tables;
    row.blocks_owned = 0;
    row.first_blocks = 0;
    store(row.pool_plus_one, static_cast<__u16>(placed.index + 1));
    store(row.flags, load(row.flags) | ADDRESS_POOL);
  }
}

// Which external rows are the gateway's own; rows that are nothing any more go blank.
void Reconciler::put_local_marks() {
  const std::set<Ip4> local(wanted_.local.begin(), wanted_.local.end());
  for (const auto& [number, chunk] : placement_.directory[REALM_EXTERNAL]) {
    for (std::uint32_t i = 0; i < chunk.rows(); ++i) {
      external_address& row = rows().external_addresses[chunk.base + i];
      const Ip4 address(number << 8 | i);
      const __u16 flags = load(row.flags);
      const __u16 wanted = (flags & ~ADDRESS_LOCAL) | (local.contains(address) ? ADDRESS_LOCAL : 0);
      if (flags == wanted) continue;
      if (row.pool_plus_one == 0) row.address = wanted ? address.network() : 0;
      store(row.flags, wanted);
    }
  }
}

void Reconciler::put_subscribers(std::size_t n) {
  RowFinder placed(placement_.directory[REALM_INTERNAL]);
  const PlannedPool& planned = wanted_.plan.pools[n];
  for_each_subscriber(planned, [&](const Prefix& prefix, const std::vector<PlannedBlock>& fixed) {
    const auto reference = placed.find(prefix.first());
    if (!reference || keeps_[*reference]) return;
    subscriber wanted = subscriber_row(planned, placement_.pools[n], fixed);
    subscriber& row = *rows().find_subscriber(*reference);
    const __u16 pool_plus_one = std::exchange(wanted.pool_plus_one, 0);
    row = wanted;
    store(row.pool_plus_one, pool_plus_one);
  });
}

Result<void> Reconciler::put_chunks(enum realm realm) {
  for (const auto& [number, chunk] : placement_.directory[realm]) {
    if (has_same_chunk(tables_.directory()[realm], number, chunk)) continue;
    TRY_VOID(tables_.put_chunk(realm, number, chunk));
  }
  return {};
}

}  // namespace apnat
