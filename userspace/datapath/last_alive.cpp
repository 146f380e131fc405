// last_alive.cpp - one line, in a file that is replaced whole: seconds since the epoch, the next number, whether it is
// final, and the number up to which all were told (which marks of older agents lack).
#include "datapath/last_alive.h"

#include <fstream>
#include <string>

namespace apnat {
namespace {

// More numbers than a data plane can give between two marks.
constexpr std::uint64_t kPossiblyGiven = 100'000'000;

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

LastAlive::Numbers LastAlive::numbers() const {
  std::ifstream file(file_);
  std::int64_t then = 0;
  std::uint64_t next = 0;
  std::uint64_t told = 0;
  std::string ended;
  if (!(file >> then >> next)) return {};
  if (!(file >> ended >> told) || told > next) told = next;
  return {.next = ended == "ended" ? next : next + kPossiblyGiven, .told = told};
}

void LastAlive::mark(WallTime now, Numbers numbers, bool ended) const {
  std::filesystem::path next = file_;
  next += ".next";
  std::error_code ignored;
  {
    std::ofstream file(next, std::ios::trunc);
    file << seconds_of(now) << ' ' << numbers.next << (ended ? " ended " : " running ") << numbers.told << '\n';
    // A full disk shows when the line leaves this process. Half a mark is worse than an old one.
    if (!file.flush()) return;
  }
  std::filesystem::rename(next, file_, ignored);
}

}  // namespace apnat
