// fan_out.cpp - the distribution, and the account of what could not be given.
#include "events/fan_out.h"

#include <algorithm>
#include <limits>

namespace apnat {

void FanOut::add(std::unique_ptr<Sink> sink) { outlets_.push_back(Outlet{std::move(sink), {}, 0, false, false}); }

void FanOut::add_first(std::unique_ptr<Sink> sink) {
  outlets_.insert(outlets_.begin(), Outlet{std::move(sink), {}, 0, false, true});
}

bool FanOut::has(const std::string& name) const {
  return std::ranges::any_of(outlets_, [&](const Outlet& outlet) { return outlet.sink->figures().name == name; });
}

std::uint64_t FanOut::keep_only(const std::vector<std::string>& names) {
  std::uint64_t abandoned = 0;
  std::erase_if(outlets_, [&](const Outlet& outlet) {
    const SinkFigures figures = outlet.sink->figures();
    if (outlet.is_first) return false;
    if (std::ranges::find(names, figures.name) != names.end()) return false;
    abandoned += figures.waiting;
    return true;
  });
  return abandoned;
}

void FanOut::rename(const std::string& node) {
  for (Outlet& outlet : outlets_) outlet.sink->rename(node);
}

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
