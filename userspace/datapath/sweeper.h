// sweeper.h - walks the tables at the pace they need: ends mappings whose time is
// up, gives blocks back that nobody uses. Pure: rows and time come in, events go
// out; it keeps no fact that a new agent could not find in the rows again.
//
// A block goes back in two steps, because programs translate meanwhile: its
// closing bit is set (nothing new in it from then on), and a grace period later,
// if nothing lives in it still, it is released. What a dead agent left half done
// is taken up or undone when the walk comes by.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "datapath/endings.h"
#include "datapath/rows.h"

namespace apnat {

class Sweeper {
 public:
  struct Settings {
    struct options options{};  // the lifetimes
    std::uint32_t block_idle_ticks = 0;
    std::uint32_t hold_down_ticks = 0;
    std::uint64_t slots_a_turn = 1 << 20;  // at least; more where a walk would else take longer than half a minute
  };

  // One turn. Bounded: a part of the walk, as long as it takes to come round in about half a minute.
  void sweep(const Rows& rows, const Settings& settings, const Moment& now, std::vector<EventBody>& ended);

  // Forgets the walk: the rows' arrangement has changed.
  void start_over() { *this = Sweeper(); }

 private:
  // The next piece of work: a block of a dynamic pool, a stretch of slots of the others.
  struct Cursor {
    std::uint32_t pool = 0;
    std::uint32_t address = 0;
    std::uint32_t unit = 0;
    bool operator==(const Cursor&) const = default;
  };
  struct Closing {
    std::uint32_t owner_plus_one = 0;
    std::uint64_t assigned_seq = 0;
    std::uint32_t since = 0;
  };
  struct Turn {
    const Rows& rows;
    const Settings& settings;
    const Moment& now;
    std::vector<EventBody>& ended;
  };
  using BlockName = std::pair<std::uint32_t, std::uint32_t>;  // external row, block number

  std::uint64_t visit(const Turn& turn);
  bool step(const Turn& turn);
  std::uint64_t visit_block(const Turn& turn, const Place& place, std::uint32_t external_row, unsigned number);
  std::uint64_t visit_stretch(const Turn& turn, const Place& place, unsigned first_slot);
  void begin_closing(const Turn& turn, const Place& place, BlockName name);
  void finish_closings(const Turn& turn);
  void finish(const Turn& turn, const BlockName& name, const Closing& closing);
  void release(const Turn& turn, const Place& place, const BlockName& name, subscriber* owner, slot_range slots);
  void break_old_locks(const Turn& turn);

  Cursor cursor_;
  std::uint64_t slots_this_round_ = 0;
  std::uint64_t slots_last_round_ = 0;
  std::uint32_t lock_table_ = 0;
  std::map<BlockName, Closing> closing_;
};

// The rows behind entry `n` of a pool's addresses; `tables` nullptr: none.
Place place_of(const Rows& rows, const struct pool& pool, std::uint32_t n, std::uint32_t* external_row = nullptr);

}  // namespace apnat
