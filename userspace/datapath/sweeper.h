// sweeper.h - walks the tables at the pace they need: ends mappings whose time is
// up, gives blocks back that nobody uses. Pure: rows and time come in, events go
// out; it keeps no fact that a new agent could not find in the rows again.
//
// A block goes back in three steps. Its closing bit is set: nothing new in it from
// then on. A grace period later, for programs translate meanwhile, its release is
// told, if nothing lives in it still. And once that is recorded (give_back) it is
// free: an agent that dies before leaves it taken, and the next one tells it again.
// What a dead agent left half done is taken up or undone when the walk comes by.
#pragma once

#include <cstdint>
#include <limits>
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
    std::uint64_t slots_a_turn = 1 << 20;  // at least; more where a walk would else take longer than half a minute
    std::size_t most_told = std::numeric_limits<std::size_t>::max();  // in one turn, about
  };

  // One turn. Bounded: a part of the walk, as long as it takes to come round in about half a minute.
  void sweep(const Rows& rows, const Settings& settings, const Moment& now, std::vector<EventBody>& ended);

  // What sweep() told until now is recorded: those blocks are free. Returns how many.
  std::size_t give_back(const Rows& rows, std::uint32_t hold_down_ticks, const Moment& now);

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
    bool told = false;  // waits to be given back
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
  bool finish(const Turn& turn, const BlockName& name, const Closing& closing);
  static bool is_still(const Place& place, const BlockName& name, const Closing& closing);
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
