// change.h - what a reload would do, said before it is done.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/plan.h"

namespace apnat {

struct Change {
  // One line a change, for a person: "pool residential: max_blocks 4 -> 8", "pool old: removed; its mappings end".
  std::vector<std::string> lines;
  // Pools (by name) whose mappings cannot survive: gone, or of another shape (layout, block size, assignment).
  std::vector<std::string> ended_pools;
  bool options_changed = false;  // the program is loaded again
  bool interfaces_changed = false;
  bool empty() const { return lines.empty(); }
};

// Refuses what a running gateway cannot change: [paths], which only a restart can move.
Result<Change> change(const Plan& running, const Plan& wanted);

}  // namespace apnat
