// last_alive.h - the mark in the state directory that says until when a data plane
// ran here. Tables do not survive a reboot; ports that were in use then may still
// be in use at the far ends (RFC 6888 REQ-8), and this is how we know.
#pragma once

#include <chrono>
#include <filesystem>

#include "base/clock.h"

namespace apnat {

class LastAlive {
 public:
  explicit LastAlive(std::filesystem::path state_directory) : file_(std::move(state_directory) / "last_alive") {}

  // Did one run here less than `hold_down` ago? A mark from the future (the clock was set back) counts as yes.
  bool within(std::chrono::seconds hold_down, WallTime now) const;

  // Best effort: without a state directory there is no mark, and the next cold start does not wait.
  void mark(WallTime now) const;

 private:
  std::filesystem::path file_;
};

}  // namespace apnat
