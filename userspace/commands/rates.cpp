// rates.cpp - summed by what becomes of a packet.
#include "commands/rates.h"

#include <array>
#include <cmath>
#include <numeric>

namespace apnat {
namespace {

constexpr std::array<enum fate, VERDICT_COUNT> kFates = {
    FATE_PASS,  // VERDICT_CONTINUE: no packet ends so
#define VERDICT(name, fate, icmp, sentence) FATE_##fate,
#include "apnat/verdicts.def"
#undef VERDICT
};

}  // namespace

PacketRates packet_rates(const CounterSample& before, const CounterSample& now) {
  PacketRates rates;
  const double seconds = static_cast<double>(now.monotonic_ns - before.monotonic_ns) / 1e9;
  std::array<std::uint64_t, FATE_DROP + 1> grown{};
  for (std::size_t verdict = 1; verdict < now.verdicts.size() && verdict < kFates.size(); ++verdict) {
    const std::uint64_t then = verdict < before.verdicts.size() ? before.verdicts[verdict] : 0;
    rates.total += now.verdicts[verdict];
    if (now.verdicts[verdict] > then) grown[kFates[verdict]] += now.verdicts[verdict] - then;
  }
  if (!(seconds > 0)) return rates;
  const auto rate = [&](std::uint64_t count) {
    return static_cast<std::uint64_t>(std::llround(static_cast<double>(count) / seconds));
  };
  rates.forwarded_per_second = rate(grown[FATE_FORWARD]);
  rates.passed_per_second = rate(grown[FATE_PASS]);
  rates.answered_per_second = rate(grown[FATE_ANSWER]);
  rates.dropped_per_second = rate(grown[FATE_DROP] + grown[FATE_REFUSE]);
  rates.punted_per_second = rate(grown[FATE_PUNT]);
  rates.per_second = rate(std::accumulate(grown.begin(), grown.end(), std::uint64_t{0}));
  return rates;
}

}  // namespace apnat
