// stream.h - what a sink's receiver holds, read back: are the numbers whole and in order,
// and does each lease of the history have its two events?
#pragma once

#include <cstdint>
#include <filesystem>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "history/lease.h"

namespace apnat::soak {

// A lease of the history, and what was found for it elsewhere.
struct Known {
  Lease lease;
  std::uint16_t first_port = 0;
  bool witnessed = false;
};

struct StreamFigures {
  std::uint64_t lines = 0;
  std::uint64_t repeats = 0;     // numbers that had been there: "at least once"
  std::uint64_t in_gaps = 0;     // numbers that a gap event stands for
  std::uint64_t late = 0;        // came after the gap that stands for it
  std::uint64_t missing = 0;     // neither an event nor in a gap
  std::uint64_t disordered = 0;  // a new number that is lower than one before it
  std::uint64_t half_lines = 0;  // an agent was killed while it wrote; the event is there again, whole
  std::uint64_t unknown = 0;     // block events of which the history knows nothing, or something else
  std::uint64_t not_begun = 0;   // leases without their port_block_assigned
  std::uint64_t not_ended = 0;   // leases without their port_block_released
  bool is_sound(std::uint64_t kills) const {
    return missing + disordered + unknown + not_begun + not_ended == 0 && half_lines <= kills;
  }
};

Result<StreamFigures> judge_stream(const std::filesystem::path& file, const std::vector<Known>& leases);

}  // namespace apnat::soak
