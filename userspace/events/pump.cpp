// pump.cpp - the order of the steps is the promise: written first, released after.
#include "events/pump.h"

#include <algorithm>

namespace apnat {

Pump::Pump(RecordSource& source, const Facts& facts, const Clock& clock, FanOut& sinks, Followers& followers,
           Report report)
    : source_(source),
      facts_(facts),
      clock_(clock),
      sinks_(sinks),
      followers_(followers),
      report_(std::move(report)),
      sequencer_(source.consumed_seq(),
                 [this](const Event& event) {
                   sinks_.accept(event);
                   followers_.accept(event);
                 }),
      settled_(source.settled_seq()) {}

bool Pump::turn() {
  // A record may set free many that waited for it: no more are handed on than the sinks can take. The others wait
  // here, where there is room for a whole ring of them: what cannot be read cannot be known not to be missing.
  const std::size_t at_most = std::min(kBatch, sinks_.room() / 2);
  sequencer_.allow(sinks_.room() / 2);
  const bool is_read_to_end = read_batch(at_most) < at_most;
  if (is_read_to_end) stop_waiting();
  const bool is_written = settle();
  is_level_ = is_written && is_read_to_end && sequencer_.waiting() == 0;
  return is_written && (is_level_ || sequencer_.has_next() || (!is_read_to_end && at_most > 0));
}

std::size_t Pump::read_batch(std::size_t at_most) {
  if (at_most == 0) return 0;
  const std::uint64_t now = clock_.monotonic_ns();
  const std::chrono::seconds tai_offset = clock_.tai_offset();
  const std::chrono::microseconds error = clock_error(now);
  return source_.read(
      [&](const event_record& record) { sequencer_.put(decode(record, facts_, tai_offset, error), now); }, at_most);
}

// A number is missing only when the ring has nothing left to read: else its record may just wait there, behind a number
// that we took ourselves.
void Pump::stop_waiting() {
  const WallTime now = clock_.realtime();
  // What a dead agent took never comes. Whoever waited for it a second, and is killed sooner, would never go on.
  sequencer_.give_up_below(settled_, now);
  sequencer_.expire(clock_.monotonic_ns(), now);
  if (source_.is_crowded()) sequencer_.give_up(now);
}

bool Pump::settle() {
  if (!sinks_.flush(report_)) return false;
  source_.set_consumed_seq(sequencer_.next());
  if (sequencer_.waiting() == 0) source_.release();
  return true;
}

void Pump::tell(EventBody body) {
  const std::uint64_t seq = source_.take_seq();
  const std::uint64_t now = clock_.monotonic_ns();
  sequencer_.put(Event{.seq = seq,
                       .time = clock_.realtime(),
                       .monotonic_ns = now,
                       .body = std::move(body),
                       .clock_error = clock_error(now)},
                 now);
}

std::chrono::microseconds Pump::clock_error(std::uint64_t now_ns) {
  if (!clock_error_ || now_ns >= clock_error_read_ns_ + kClockErrorNs) {
    clock_error_ = clock_.clock_error();
    clock_error_read_ns_ = now_ns;
  }
  return *clock_error_;
}

}  // namespace apnat
