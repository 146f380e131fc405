// last_alive.cpp - seconds since the epoch, in a file that is replaced whole.
#include "datapath/last_alive.h"

#include <fstream>

namespace apnat {
namespace {

std::int64_t seconds_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

bool LastAlive::within(std::chrono::seconds hold_down, WallTime now) const {
  std::ifstream file(file_);
  std::int64_t then = 0;
  if (!(file >> then)) return false;
  return seconds_of(now) - then < hold_down.count();
}

void LastAlive::mark(WallTime now) const {
  std::filesystem::path next = file_;
  next += ".next";
  std::error_code ignored;
  {
    std::ofstream file(next, std::ios::trunc);
    if (!(file << seconds_of(now) << '\n')) return;
  }
  std::filesystem::rename(next, file_, ignored);
}

}  // namespace apnat
