// sequencer.h - puts the records of several processors in order. Pure: time is a
// parameter.
//
// A record takes its number first and its place in the ring second, so the ring
// may hold 7 before 6. A number that is still missing `patience` after a later
// one came (the ring had no place for it) becomes a Gap, so that the stream says
// itself what it lacks. Should it come after all, it is handed on late: a record
// out of order is better than none.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>

#include "events/event.h"

namespace apnat {

class Sequencer {
 public:
  using HandOn = std::function<void(const Event&)>;
  static constexpr std::uint64_t kPatienceNs = 1'000'000'000;

  // `next`: the first number that has not been handed on yet (Datapath::consumed_seq at start).
  Sequencer(std::uint64_t next, HandOn hand_on);

  void put(Event event, std::uint64_t now_ns);

  // So many are handed on from now, until it is said again, and those at once that wait for nothing else. Without a
  // word: as many as there are.
  void allow(std::size_t events);
  // Something waits that misses no number: allow() more.
  bool has_next() const { return !held_.empty() && held_.begin()->first == next_; }

  // Declares lost what has been missing too long. `gap_time` stamps the Gap.
  void expire(std::uint64_t now_ns, WallTime gap_time);
  // Waits for nothing any more: everything held goes on now.
  void give_up(WallTime gap_time);
  // Not for numbers below this one: they do not come any more.
  void give_up_below(std::uint64_t seq, WallTime gap_time);

  std::uint64_t next() const { return next_; }          // everything below it has been handed on
  std::size_t waiting() const { return held_.size(); }  // held back by a missing number, or by allow()
  std::uint64_t lost() const { return lost_; }
  std::uint64_t repeated() const { return repeated_; }  // seen before: read again after a restart

 private:
  static constexpr std::size_t kGapsRemembered = 4096;

  struct Held {
    Event event;
    std::uint64_t since_ns;
  };

  void hand_on(const Event& event);
  void hand_on_in_order();
  bool may_declare_gap() const { return !held_.empty() && !has_next() && allowed_ > 0; }
  void declare_gap(WallTime gap_time);
  bool take_from_gap(std::uint64_t seq);

  std::uint64_t next_;
  HandOn hand_on_;
  std::map<std::uint64_t, Held> held_;
  std::map<std::uint64_t, std::uint64_t> gaps_;  // first -> last, so that a late record is known from a repeated one
  std::size_t allowed_ = std::numeric_limits<std::size_t>::max();
  std::uint64_t lost_ = 0;
  std::uint64_t repeated_ = 0;
};

}  // namespace apnat
