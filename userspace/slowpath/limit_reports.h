// limit_reports.h - which of the limits that fragments run into are told as events, and how often. A flood hits a limit
// with every packet; the one who reads events wants to know who and how much, not each. Pure: the time is a parameter.
#pragma once

#include <array>
#include <optional>

#include "config/config.h"
#include "events/event.h"
#include "slowpath/reassembler.h"

namespace apnat {

class LimitReports {
 public:
  static constexpr std::uint64_t kQuietNs = 10'000'000'000;  // between two events about one source
  static constexpr std::uint32_t kMostASecond = 10;          // of all

  // The event that is due now; none: it is counted for the next. Sources that share a place share its quiet.
  std::optional<QuotaExceeded> report(const QuotaHit& hit, std::uint64_t now_ns);
  std::optional<FragmentIdsWrapped> report(const IdWrap& wrap, std::uint64_t now_ns);

 private:
  struct Place {
    std::uint64_t told_ns = 0;
    std::uint32_t suppressed = 0;
  };
  using Places = std::array<Place, 1024>;

  // How many were left out since the last; none: this one is, too.
  std::optional<std::uint32_t> turn_of(Places& places, Ip4 source, std::uint64_t now_ns);

  Places limits_{};
  Places wraps_{};  // the same source runs into both, and neither may hide the other
  std::uint64_t second_ = 0;
  std::uint32_t told_this_second_ = 0;
};

}  // namespace apnat
