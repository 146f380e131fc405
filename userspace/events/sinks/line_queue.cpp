// line_queue.cpp - one buffer of whole lines, and how far it has gone out.
#include "events/sinks/line_queue.h"

#include <algorithm>

namespace apnat {

bool LineQueue::add(std::string_view line, WallTime happened) {
  if (room() == 0) return false;
  bytes_ += line;
  bytes_ += '\n';
  happened_.push_back(happened);
  ++lines_;
  return true;
}

Result<void> LineQueue::drain(const Write& write) {
  while (sent_ < bytes_.size()) {
    const ssize_t taken = write(std::string_view(bytes_).substr(sent_));
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0) return fail(taken < 0 ? errno : EIO, "write events");
    const auto chunk = std::string_view(bytes_).substr(sent_, static_cast<std::size_t>(taken));
    const bool is_all = sent_ + chunk.size() == bytes_.size();  // the usual case: nobody need count
    const auto finished = is_all ? lines_ : static_cast<std::size_t>(std::ranges::count(chunk, '\n'));
    lines_ -= finished;
    written_ += finished;
    sent_ += chunk.size();
    const std::size_t last_end = chunk.rfind('\n');
    sent_of_line_ = last_end == chunk.npos ? sent_of_line_ + chunk.size() : chunk.size() - last_end - 1;
  }
  bytes_.clear();
  happened_.clear();
  sent_ = 0;
  return {};
}

}  // namespace apnat
