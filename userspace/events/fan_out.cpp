// fan_out.cpp - the distribution, and the account of what could not be given.
#include "events/fan_out.h"

#include <algorithm>
#include <limits>

namespace apnat {

void FanOut::add(std::unique_ptr<Sink> sink) { outlets_.push_back(Outlet{std::move(sink), {}, 0, false}); }

void FanOut::accept(const Event& event) {
  for (Outlet& outlet : outlets_) {
    if ((!outlet.missing || tell_missing(outlet)) && outlet.sink->accept(event)) continue;
    ++outlet.lost;
    if (!outlet.missing) outlet.missing = Lost{event, event.seq};
    outlet.missing->last_seq = std::max(outlet.missing->last_seq, event.seq);
  }
}

bool FanOut::tell_missing(Outlet& outlet) {
  Event gap = outlet.missing->first;
  gap.body = Gap{gap.seq, outlet.missing->last_seq, "this sink could not write, and its queue was full"};
  if (!outlet.sink->accept(gap)) return false;
  outlet.missing.reset();
  return true;
}

std::size_t FanOut::room() const {
  std::size_t least = std::numeric_limits<std::size_t>::max();
  for (const Outlet& outlet : outlets_) least = std::min(least, outlet.sink->room());
  return least;
}

std::vector<FanOut::Figures> FanOut::figures() const {
  std::vector<Figures> all;
  for (const Outlet& outlet : outlets_) all.push_back({outlet.sink->figures(), outlet.lost});
  return all;
}

}  // namespace apnat
