// tombstones.cpp - a set-associative table of keys that expire.
#include "slowpath/tombstones.h"

#include <algorithm>
#include <bit>

namespace apnat {
namespace {

// 17 ms, so that 32 bits count for two years; comparisons survive the turn.
constexpr int kTickShift = 24;

std::uint32_t tick(std::uint64_t ns) { return static_cast<std::uint32_t>(ns >> kTickShift); }
// Rounded up, and never 0, which is an empty place.
std::uint32_t tick_after(std::uint64_t ns) { return std::max(1u, tick(ns) + 1); }
bool is_alive(std::uint32_t expires, std::uint32_t now) {
  return expires != 0 && static_cast<std::int32_t>(expires - now) > 0;
}

}  // namespace

Tombstones::Tombstones(std::uint64_t bytes)
    : mask_(std::bit_floor(std::max<std::uint64_t>(bytes / sizeof(Bucket), 1)) - 1) {
  buckets_ = std::make_unique<Bucket[]>(mask_ + 1);
}

void Tombstones::add(const FragmentKey& key, std::uint64_t hash, std::uint64_t now_ns, std::uint64_t expires_ns) {
  const std::uint32_t now = tick(now_ns);
  Stone* place = nullptr;
  for (Stone& stone : buckets_[hash & mask_].stones) {
    if (!is_alive(stone.expires, now)) {
      stone.expires = 0;
    } else if (stone.key == key) {
      place = &stone;
      break;
    }
    const bool sooner = place && place->expires != 0 &&
                        (stone.expires == 0 || static_cast<std::int32_t>(stone.expires - place->expires) < 0);
    if (!place || sooner) place = &stone;
  }
  if (place->expires != 0 && place->key != key) ++forgotten_;
  *place = {key, tick_after(expires_ns)};
  all_expired_ns_ = std::max(all_expired_ns_, expires_ns + (std::uint64_t{2} << kTickShift));
}

bool Tombstones::holds(const FragmentKey& key, std::uint64_t hash, std::uint64_t now_ns) const {
  if (now_ns >= all_expired_ns_) return false;
  const std::uint32_t now = tick(now_ns);
  for (const Stone& stone : buckets_[hash & mask_].stones) {
    if (stone.key == key && is_alive(stone.expires, now)) return true;
  }
  return false;
}

}  // namespace apnat
