// perf_counters.h - cycles and instructions this thread spends in the kernel and
// out of it, where the machine lets us count them.
#pragma once

#include <cstdint>
#include <optional>

namespace apnat::bench {

class PerfCounters {
 public:
  PerfCounters();
  PerfCounters(PerfCounters&& other) noexcept;
  PerfCounters& operator=(PerfCounters&&) = delete;
  ~PerfCounters();

  struct Reading {
    std::uint64_t cycles = 0;
    std::uint64_t instructions = 0;
  };
  // None: the machine has no counters for us (most virtual machines).
  std::optional<Reading> read() const;

 private:
  int cycles_ = -1;
  int instructions_ = -1;
};

}  // namespace apnat::bench
