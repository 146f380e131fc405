// rates.h - two readings of the counters become packets a second. Pure.
#pragma once

#include "commands/agent.h"

namespace apnat {

struct PacketRates {
  std::uint64_t total = 0;
  std::uint64_t per_second = 0;
  std::uint64_t forwarded_per_second = 0;
  std::uint64_t passed_per_second = 0;
  std::uint64_t answered_per_second = 0;
  std::uint64_t punted_per_second = 0;  // to the slow path
  std::uint64_t dropped_per_second = 0;
};

PacketRates packet_rates(const CounterSample& before, const CounterSample& now);

}  // namespace apnat
