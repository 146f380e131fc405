// lease.cpp - order, identity, and the ends that nobody recorded.
#include "history/lease.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace apnat {
namespace {

constexpr Micros kSecond = 1'000'000;
// Between two readings of the clocks.
constexpr Micros kSameMoment = kSecond;
// CLOCK_TAI's offset is whole seconds, and a machine that has just come up may learn of it while we run: a stamp from
// before reads so many seconds earlier then, to the microsecond.
constexpr Micros kLargestOffset = 60 * kSecond;

// The end of a lease, with its beginning as it reads by an offset that came later than the beginning did.
bool is_end_of(const Lease& end, const Lease& beginning) {
  if (end.is_open() || end.to < beginning.from) return false;
  if (!beginning.is_open() && std::abs(end.to - beginning.to) > kLargestOffset) return false;
  const Micros between = beginning.from - end.from;
  return between > kSameMoment && between <= kLargestOffset && between % kSecond == 0;
}

// True: `lease` begins later than it seemed to.
bool take_in(Lease& lease, const Lease& other) {
  const bool is_moved = is_end_of(lease, other) || is_end_of(other, lease);
  lease.from = is_moved ? std::max(lease.from, other.from) : std::min(lease.from, other.from);
  if (lease.is_open() || (lease.end_unrecorded && !other.is_open() && !other.end_unrecorded)) {
    lease.to = other.to;
    lease.end_unrecorded = other.end_unrecorded;
  } else if (!other.is_open() && lease.end_unrecorded == other.end_unrecorded) {
    lease.to = std::max(lease.to, other.to);
  }
  lease.carried |= other.carried;
  lease.clock_error_us = std::max(lease.clock_error_us, other.clock_error_us);
  if (!lease.destination) lease.destination = other.destination;
  return is_moved;
}

}  // namespace

bool comes_before(const Lease& one, const Lease& other) {
  return std::tie(one.key, one.from, one.holder) < std::tie(other.key, other.from, other.holder);
}

bool is_same_lease(const Lease& one, const Lease& other) {
  return one.key == other.key && one.holder == other.holder && one.pool == other.pool &&
         one.internal == other.internal &&
         (std::abs(one.from - other.from) <= kSameMoment || is_end_of(one, other) || is_end_of(other, one));
}

void fuse(std::vector<Lease>& leases) {
  if (!std::ranges::is_sorted(leases, comes_before)) std::ranges::stable_sort(leases, comes_before);
  std::size_t kept = 0;
  bool is_moved = false;
  for (std::size_t i = 0; i < leases.size(); ++i) {
    // Another holder's may stand between two records of a lease that are a moment apart.
    std::size_t at = kept;
    while (at > 0 && leases[at - 1].key == leases[i].key && leases[i].from - leases[at - 1].from <= kLargestOffset &&
           !is_same_lease(leases[at - 1], leases[i])) {
      --at;
    }
    if (at > 0 && is_same_lease(leases[at - 1], leases[i])) {
      is_moved |= take_in(leases[at - 1], leases[i]);
    } else {
      if (kept != i) leases[kept] = std::move(leases[i]);
      ++kept;
    }
  }
  leases.resize(kept);
  if (is_moved) std::ranges::stable_sort(leases, comes_before);
}

void end_forgotten(std::vector<Lease>& leases, std::span<const Reset> resets) {
  for (std::size_t i = 0; i < leases.size(); ++i) {
    Lease& lease = leases[i];
    if (!lease.is_open()) continue;
    std::size_t next = i + 1;
    // One that ended before it began, by a clock that was set back, and was over when this one began: it comes first.
    while (next < leases.size() && leases[next].key == lease.key && leases[next].to < leases[next].from &&
           leases[next].to <= lease.from) {
      ++next;
    }
    const bool is_followed = next < leases.size() && leases[next].key == lease.key;
    Micros end = is_followed ? leases[next].first() : Lease::kOpen;
    for (const Reset& reset : resets) {
      if (reset.at > lease.from) end = std::min(end, reset.at);
    }
    if (end == Lease::kOpen) continue;
    lease.to = std::max(end, lease.from);
    lease.end_unrecorded = true;
  }
}

}  // namespace apnat
