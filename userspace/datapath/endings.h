// endings.h - how a mapping and a block end: the row is given back, and what is
// to be told about it becomes an event. Pure: rows and time come in.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "datapath/lifetime.h"
#include "datapath/rows.h"
#include "events/event.h"

namespace apnat {

// Where something ends: the rows of one external address of one pool.
struct Place {
  const struct pool* pool = nullptr;
  external_address* external = nullptr;
  const AddressRows* tables = nullptr;
};

struct SlotIn {
  unsigned protocol_class = 0;
  unsigned slot = 0;
};

// Blocks on one address of a dynamic pool, usable ones or not.
inline unsigned blocks_on_address(const struct pool& pool) {
  return static_cast<unsigned>(SLOTS_PER_CLASS) >> pool.block_size_log2;
}

// The slots of block `number` of a dynamic pool.
inline slot_range block_slots(const struct pool& pool, unsigned number) {
  const unsigned size = 1U << pool.block_size_log2;
  return {static_cast<__u16>(number * size), static_cast<__u16>(number * size + size - 1)};
}

// Frees the entry if it still is `seen`; false: it has been revived or taken meanwhile. The end is told where the
// pool logs mappings.
bool end_mapping(const Place& place, SlotIn at, const MappingNow& seen, const Moment& now, std::string_view reason,
                 std::vector<EventBody>& ended);

// The mapping lives on; what was recorded of it has ended all the same. Nothing, where nothing was recorded.
void end_record(const Place& place, SlotIn at, const Moment& now, std::string_view reason,
                std::vector<EventBody>& ended);

// Tells that block `number` has no owner any more.
void tell_block_end(const Place& place, unsigned number, const Moment& now, std::vector<EventBody>& ended);
// Gives it back, to wait out its hold-down. The owner goes last: only then may another subscriber take it.
void free_block(const Place& place, unsigned number, const Moment& now, std::uint32_t hold_down_ticks);
// Both at once.
void end_block(const Place& place, unsigned number, const Moment& now, std::uint32_t hold_down_ticks,
               std::vector<EventBody>& ended);

// Which of the subscriber's blocks is this one; none: not its (any more).
std::optional<unsigned> find_block(const subscriber& owner, std::uint32_t external_row, slot_range slots);

}  // namespace apnat
