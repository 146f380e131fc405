// lease.h - the history's one record: external ports, whose they were, from when to
// when. An assignment and its release are two views of one lease, and are fused into
// one record whenever they meet. Pure.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "net/address.h"

namespace apnat {

// Microseconds since 1970, UTC.
using Micros = std::int64_t;
inline Micros to_micros(WallTime time) {
  return std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch()).count();
}
inline WallTime to_wall(Micros time) { return WallTime(std::chrono::microseconds(time)); }

// What a lease is of: the external address, then the space in which its ports are numbered, then the number. Below
// kFirstShape the space is a transport protocol and the number a port (a mapping); from there on it is a shape of
// blocks (shape.h) and the number a block. The address comes first, so that all of an address lies together.
using LeaseKey = std::uint64_t;
inline constexpr std::uint16_t kFirstShape = 256;
inline constexpr std::uint16_t kSpaces = 1 << 12;
constexpr LeaseKey lease_key(Ip4 address, std::uint16_t space, std::uint16_t number) {
  return LeaseKey{address.value()} << 28 | LeaseKey{space} << 16 | number;
}
constexpr Ip4 address_of(LeaseKey key) { return Ip4(static_cast<std::uint32_t>(key >> 28)); }
constexpr std::uint16_t space_of(LeaseKey key) { return static_cast<std::uint16_t>(key >> 16 & (kSpaces - 1)); }
constexpr std::uint16_t number_of(LeaseKey key) { return static_cast<std::uint16_t>(key); }

struct Lease {
  static constexpr Micros kOpen = std::numeric_limits<Micros>::max();

  LeaseKey key = 0;
  Micros from = 0;
  Micros to = kOpen;  // before `from`, where the clock was stepped back between the two
  Ip4 holder;         // the subscriber's address, or its prefix's first
  std::uint16_t pool = 0;
  bool carried = false;         // written at the head of a day's file, because it was open at the end of the one before
  bool end_unrecorded = false;  // `to` is when it had ended at the latest
  std::uint32_t clock_error_us = 0;  // estimated, when it began; 0: not known
  std::optional<Endpoint> internal;  // mappings
  std::optional<Endpoint> destination;

  bool is_open() const { return to == kOpen; }
  Micros first() const { return from < to ? from : to; }
  Micros last() const { return from < to ? to : from; }
  friend bool operator==(const Lease&, const Lease&) = default;
};

// The order of the files: by key, then by time.
bool comes_before(const Lease& one, const Lease& other);

// Two records of one lease: the same ports and holder, begun at the same moment, but for what a clock's offset may
// have moved between two readings of it.
bool is_same_lease(const Lease& one, const Lease& other);

// Sorts, and makes one record of those that are the same lease.
void fuse(std::vector<Lease>& leases);

// The data plane began anew: what was open before `at` had ended by then.
struct Reset {
  Micros last_seen = 0;  // of the data plane before it
  Micros at = 0;
};

// Ends the open leases of fused `leases` that must have ended: another has the ports, or the data plane began anew.
void end_forgotten(std::vector<Lease>& leases, std::span<const Reset> resets);

}  // namespace apnat
