// stdout.cpp - a descriptor we share with others, so its flags are not ours to change.
#include "events/sinks/stdout.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

namespace apnat {
namespace {

// A blocking descriptor, written without blocking: a pipe that polls writable has room for PIPE_BUF bytes.
ssize_t write_if_it_can(int fd, std::string_view bytes) {
  pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
  if (::poll(&writable, 1, 0) == 0) {
    errno = EAGAIN;
    return -1;
  }
  return ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
}

}  // namespace

bool StdoutSink::accept(const Event& event) {
  if (queue_.room() == 0) return false;
  encoded_.payload.clear();
  encoder_(event, node_, encoded_);
  return queue_.add(encoded_.payload, event.time);
}

Result<void> StdoutSink::flush() {
  auto drained = queue_.drain([this](std::string_view bytes) { return write_if_it_can(fd_, bytes); });
  attempts_.note(drained);
  return drained;
}

SinkFigures StdoutSink::figures() const {
  return {.name = "stdout",
          .written = queue_.written(),
          .waiting = queue_.lines(),
          .error = attempts_.error,
          .oldest_waiting = queue_.oldest(),
          .retries = attempts_.retries,
          .errors = attempts_.errors};
}

}  // namespace apnat
