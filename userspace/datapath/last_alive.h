// last_alive.h - the mark in the state directory that says until when a data plane
// ran here, and how far its events were numbered. Tables do not survive a reboot;
// ports that were in use then may still be in use at the far ends (RFC 6888 REQ-8),
// and a number that was given must not be given again.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>

#include "base/clock.h"

namespace apnat {

class LastAlive {
 public:
  explicit LastAlive(std::filesystem::path state_directory) : file_(std::move(state_directory) / "last_alive") {}

  // Did one run here less than `hold_down` ago? A mark from the future (the clock was set back) counts as yes.
  bool within(std::chrono::seconds hold_down, WallTime now) const;

  // The number at which the events of new tables begin, and the one up to which all were told: between the two lie
  // those that no record is left of, and those that may have been given after the last mark, unless that was the end.
  struct Numbers {
    std::uint64_t next = 0;
    std::uint64_t told = 0;
  };
  Numbers numbers() const;

  // Best effort: without a state directory there is no mark, and the next cold start does not wait. `ended`: nothing
  // runs any more, the numbers are final.
  void mark(WallTime now, Numbers numbers, bool ended) const;

 private:
  std::filesystem::path file_;
};

}  // namespace apnat
