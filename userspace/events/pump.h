// pump.h - moves records from the ring to the sinks: read, decode, put in order,
// hand on, write; only then is their room given back to the data plane.
//
// While a sink cannot write, what it took waits in its queue and in the ring too;
// once its queue is full the ring is not read any more, fills up, and the data
// plane does with new assignments what on_log_failure says. Nothing is lost on the way.
#pragma once

#include <functional>
#include <optional>

#include "apnat/events.h"
#include "base/clock.h"
#include "events/decode.h"
#include "events/fan_out.h"
#include "events/follow.h"
#include "events/sequencer.h"

namespace apnat {

// The ring and the numbers, as the data plane keeps them.
class RecordSource {
 public:
  virtual ~RecordSource() = default;
  virtual std::size_t read(const std::function<void(const event_record&)>& each, std::size_t at_most) = 0;
  virtual void release() = 0;           // of everything read
  virtual bool is_crowded() const = 0;  // more than half full
  virtual std::uint64_t take_seq() = 0;
  // Every number below it has its record in the ring, or will never have one. Asked once, at the start.
  virtual std::uint64_t settled_seq() = 0;
  virtual std::uint64_t consumed_seq() const = 0;  // every event below it has reached the sinks
  virtual void set_consumed_seq(std::uint64_t below) = 0;
};

class Pump {
 public:
  using Report = std::function<void(const std::string& sink, const std::string& what)>;

  // All must outlive it.
  Pump(RecordSource& source, const Facts& facts, const Clock& clock, FanOut& sinks, Followers& followers,
       Report report);

  // Bounded work. False: something is stuck (a sink, or a number that is missing); turn again in a while, the ring
  // has not been released.
  bool turn();
  // Did the last turn come to the ring's end, and write all of it?
  bool is_level() const { return is_level_; }

  // An event of the agent's own. It is on its way; the next turn() writes it.
  void tell(EventBody body);

  std::size_t room() const { return sinks_.room(); }
  // Is there room for more events of our own? False too while many wait for what is still in the ring: turn() first.
  bool may_tell() const { return sequencer_.waiting() < kMostTold && sinks_.room() >= kMostTold; }
  std::size_t held() const { return sequencer_.waiting(); }
  std::uint64_t lost() const { return sequencer_.lost(); }

 private:
  // One flush, and all that a turn does: the larger, the fewer syncs a second, and the fewer runs of the history to
  // merge; but the agent answers nobody meanwhile.
  static constexpr std::size_t kBatch = 65536;
  static constexpr std::size_t kMostTold = 4096;
  static constexpr std::uint64_t kClockErrorNs = 100'000'000;  // it costs a system call, and changes slowly

  std::size_t read_batch(std::size_t at_most);
  void stop_waiting();
  std::chrono::microseconds clock_error(std::uint64_t now_ns);
  bool settle();

  RecordSource& source_;
  const Facts& facts_;
  const Clock& clock_;
  FanOut& sinks_;
  Followers& followers_;
  Report report_;
  Sequencer sequencer_;
  std::uint64_t settled_;  // numbers that an agent before this one took, and did not live to tell
  bool is_level_ = false;
  std::optional<std::chrono::microseconds> clock_error_;
  std::uint64_t clock_error_read_ns_ = 0;
};

}  // namespace apnat
