// lease.cpp - order, identity, and the ends that nobody recorded.
#include "history/lease.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace apnat {
namespace {

// CLOCK_TAI's offset is whole seconds and may be set while we run; all else of a lease's two times is exact.
constexpr Micros kSameMoment = 1'000'000;

void take_in(Lease& lease, const Lease& other) {
  lease.from = std::min(lease.from, other.from);
  if (lease.is_open() || (lease.end_unrecorded && !other.is_open() && !other.end_unrecorded)) {
    lease.to = other.to;
    lease.end_unrecorded = other.end_unrecorded;
  } else if (!other.is_open() && lease.end_unrecorded == other.end_unrecorded) {
    lease.to = std::max(lease.to, other.to);
  }
  lease.carried |= other.carried;
  lease.clock_error_us = std::max(lease.clock_error_us, other.clock_error_us);
  if (!lease.destination) lease.destination = other.destination;
}

}  // namespace

bool comes_before(const Lease& one, const Lease& other) {
  return std::tie(one.key, one.from, one.holder) < std::tie(other.key, other.from, other.holder);
}

bool is_same_lease(const Lease& one, const Lease& other) {
  return one.key == other.key && one.holder == other.holder && one.pool == other.pool &&
         one.internal == other.internal && std::abs(one.from - other.from) <= kSameMoment;
}

void fuse(std::vector<Lease>& leases) {
  if (!std::ranges::is_sorted(leases, comes_before)) std::ranges::stable_sort(leases, comes_before);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < leases.size(); ++i) {
    // Another holder's may stand between two records of a lease that are a moment apart.
    std::size_t at = kept;
    while (at > 0 && leases[at - 1].key == leases[i].key && leases[i].from - leases[at - 1].from <= kSameMoment &&
           !is_same_lease(leases[at - 1], leases[i])) {
      --at;
    }
    if (at > 0 && is_same_lease(leases[at - 1], leases[i])) {
      take_in(leases[at - 1], leases[i]);
    } else {
      if (kept != i) leases[kept] = std::move(leases[i]);
      ++kept;
    }
  }
  leases.resize(kept);
}

void end_forgotten(std::vector<Lease>& leases, std::span<const Reset> resets) {
  for (std::size_t i = 0; i < leases.size(); ++i) {
    Lease& lease = leases[i];
    if (!lease.is_open()) continue;
    const bool is_followed = i + 1 < leases.size() && leases[i + 1].key == lease.key;
    Micros end = is_followed ? leases[i + 1].first() : Lease::kOpen;
    for (const Reset& reset : resets) {
      if (reset.at > lease.from) end = std::min(end, reset.at);
    }
    if (end == Lease::kOpen) continue;
    lease.to = std::max(end, lease.from);
    lease.end_unrecorded = true;
  }
}

}  // namespace apnat
