#include "perf_counters.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace apnat::bench {

namespace {

int open_counter(std::uint64_t config, int group) {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.config = config;
  return static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, group, PERF_FLAG_FD_CLOEXEC));
}

}  // namespace

PerfCounters::PerfCounters()
    : cycles_(open_counter(PERF_COUNT_HW_CPU_CYCLES, -1)),
      instructions_(cycles_ < 0 ? -1 : open_counter(PERF_COUNT_HW_INSTRUCTIONS, cycles_)) {}

PerfCounters::PerfCounters(PerfCounters&& other) noexcept
    : cycles_(std::exchange(other.cycles_, -1)), instructions_(std::exchange(other.instructions_, -1)) {}

PerfCounters::~PerfCounters() {
  if (instructions_ >= 0) close(instructions_);
  if (cycles_ >= 0) close(cycles_);
}

std::optional<PerfCounters::Reading> PerfCounters::read() const {
  Reading reading;
  if (instructions_ < 0) return std::nullopt;
  if (::read(cycles_, &reading.cycles, sizeof(reading.cycles)) != sizeof(reading.cycles)) return std::nullopt;
  if (::read(instructions_, &reading.instructions, sizeof(reading.instructions)) != sizeof(reading.instructions))
    return std::nullopt;
  return reading;
}

}  // namespace apnat::bench
