// limit_reports.cpp - one place a hash of a source, one budget for all.
#include "slowpath/limit_reports.h"

#include <algorithm>
#include <limits>

namespace apnat {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::string name_of(QuotaHit::Limit limit) {
  switch (limit) {
    case QuotaHit::Limit::kFragments:
      return "FRAGMENTS_PER_DATAGRAM";
    case QuotaHit::Limit::kPerSource:
      return "FRAGMENTS_PER_SOURCE";
    case QuotaHit::Limit::kMemory:
      return "FRAGMENTS_MEMORY";
  }
  return "FRAGMENTS";
}

}  // namespace

std::optional<std::uint32_t> LimitReports::turn_of(Places& places, Ip4 source, std::uint64_t now_ns) {
  Place& place = places[(source.value() * 0x9e3779b1U) >> 22];
  if (now_ns / kSecond != second_) second_ = now_ns / kSecond, told_this_second_ = 0;
  const bool is_quiet = place.told_ns != 0 && now_ns - place.told_ns < kQuietNs;
  if (is_quiet || told_this_second_ >= kMostASecond) {
    ++place.suppressed;
    return std::nullopt;
  }
  ++told_this_second_;
  place.told_ns = now_ns;
  return std::exchange(place.suppressed, 0);
}

std::optional<QuotaExceeded> LimitReports::report(const QuotaHit& hit, std::uint64_t now_ns) {
  const auto suppressed = turn_of(limits_, hit.source, now_ns);
  if (!suppressed) return std::nullopt;
  const std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  return QuotaExceeded{.pool = {},
                       .subscriber = Prefix(hit.source, 32),
                       .verdict = name_of(hit.limit),
                       .limit = static_cast<std::uint32_t>(std::min(hit.value, most)),
                       .suppressed = *suppressed};
}

std::optional<FragmentIdsWrapped> LimitReports::report(const IdWrap& wrap, std::uint64_t now_ns) {
  const auto suppressed = turn_of(wraps_, wrap.source, now_ns);
  if (!suppressed) return std::nullopt;
  return FragmentIdsWrapped{.source = wrap.source,
                            .protocol = wrap.protocol,
                            .datagrams_per_second = wrap.datagrams,
                            .limit = wrap.limit,
                            .suppressed = *suppressed};
}

}  // namespace apnat
