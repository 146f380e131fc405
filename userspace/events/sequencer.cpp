// sequencer.cpp - order restored, and what is missing named.
#include "events/sequencer.h"

namespace apnat {

Sequencer::Sequencer(std::uint64_t next, HandOn hand_on) : next_(next), hand_on_(std::move(hand_on)) {}

void Sequencer::put(Event event, std::uint64_t now_ns) {
  if (event.seq < next_) {
    if (take_from_gap(event.seq)) {
      --lost_;
      hand_on(event);
    } else {
      ++repeated_;
    }
    return;
  }
  if (event.seq == next_ && allowed_ > 0) {  // the usual case: nothing is copied
    ++next_;
    hand_on(event);
    hand_on_in_order();
    return;
  }
  const std::uint64_t seq = event.seq;
  held_.try_emplace(seq, Held{std::move(event), now_ns});
}

void Sequencer::allow(std::size_t events) {
  allowed_ = events;
  hand_on_in_order();
}

void Sequencer::hand_on(const Event& event) {
  if (allowed_ > 0) --allowed_;
  hand_on_(event);
}

void Sequencer::hand_on_in_order() {
  while (has_next() && allowed_ > 0) {
    ++next_;
    hand_on(held_.begin()->second.event);
    held_.erase(held_.begin());
  }
}

// Each held record counts its own patience, so that many gaps in one burst end together, not one a second.
void Sequencer::expire(std::uint64_t now_ns, WallTime gap_time) {
  while (may_declare_gap() && now_ns >= held_.begin()->second.since_ns + kPatienceNs) declare_gap(gap_time);
}

void Sequencer::give_up(WallTime gap_time) {
  while (may_declare_gap()) declare_gap(gap_time);
}

void Sequencer::give_up_below(std::uint64_t seq, WallTime gap_time) {
  while (may_declare_gap() && held_.begin()->first <= seq) declare_gap(gap_time);
}

// The Gap stands in the stream where the missing numbers would: its own number is the first of them.
void Sequencer::declare_gap(WallTime gap_time) {
  const std::uint64_t last = held_.begin()->first - 1;
  hand_on(Event{.seq = next_,
                .time = gap_time,
                .monotonic_ns = held_.begin()->second.event.monotonic_ns,
                .body = Gap{next_, last,
                            "no record came: the event ring was full (on_log_failure says what was done instead), or "
                            "an agent was killed while it held them"},
                .clock_error = held_.begin()->second.event.clock_error});
  lost_ += last - next_ + 1;
  gaps_[next_] = last;
  if (gaps_.size() > kGapsRemembered) gaps_.erase(gaps_.begin());
  next_ = last + 1;
  hand_on_in_order();
}

bool Sequencer::take_from_gap(std::uint64_t seq) {
  auto gap = gaps_.upper_bound(seq);
  if (gap == gaps_.begin()) return false;
  --gap;
  const auto [first, last] = *gap;
  if (seq > last) return false;
  gaps_.erase(gap);
  if (first < seq) gaps_[first] = seq - 1;
  if (seq < last) gaps_[seq + 1] = last;
  return true;
}

}  // namespace apnat
