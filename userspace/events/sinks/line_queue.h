// line_queue.h - lines on their way to a descriptor that may refuse them for a
// while: bounded, in order, never half a line twice. Pure but for the write it is given.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace apnat {

class LineQueue {
 public:
  explicit LineQueue(std::size_t most_lines) : most_lines_(most_lines) {}

  // `happened`: when the event did that the line tells. False: full.
  bool add(std::string_view line, WallTime happened);

  // As write(2): bytes taken, or -1 and errno.
  using Write = std::function<ssize_t(std::string_view bytes)>;
  // Writes all; stops at the first refusal with what the kernel said.
  Result<void> drain(const Write& write);

  // The next write goes somewhere else: a line that was half written begins again.
  void restart_line() { sent_ -= sent_of_line_, sent_of_line_ = 0; }

  std::size_t lines() const { return lines_; }
  std::size_t room() const { return most_lines_ - lines_; }
  std::uint64_t written() const { return written_; }
  // When the event of the first line happened that is not wholly written; none: there is no such line.
  WallTime oldest() const { return lines_ > 0 ? happened_[happened_.size() - lines_] : WallTime{}; }

 private:
  std::size_t most_lines_;
  std::string bytes_;               // whole lines
  std::size_t sent_ = 0;            // of bytes_
  std::size_t sent_of_line_ = 0;    // of sent_, how much belongs to a line not finished
  std::size_t lines_ = 0;           // not wholly written
  std::vector<WallTime> happened_;  // for each line of bytes_
  std::uint64_t written_ = 0;
};

}  // namespace apnat
