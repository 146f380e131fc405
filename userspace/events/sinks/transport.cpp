// transport.cpp - waiting that can be ended from outside.
#include "events/sinks/transport.h"

#include <poll.h>
#include <sys/timerfd.h>

namespace apnat {

Interrupt::Interrupt() : timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {}

void Interrupt::after(std::chrono::milliseconds grace) {
  const auto ns = std::max<std::chrono::nanoseconds>(grace, std::chrono::nanoseconds(1)).count();
  const itimerspec when{.it_interval = {}, .it_value = {ns / 1'000'000'000, ns % 1'000'000'000}};
  ::timerfd_settime(timer_.get(), 0, &when, nullptr);
}

bool Interrupt::is_due() const {
  pollfd due{.fd = fd(), .events = POLLIN, .revents = 0};
  return ::poll(&due, 1, 0) > 0;
}

Result<void> wait_for(int fd, short events, std::chrono::milliseconds patience, const Interrupt& interrupt) {
  pollfd ready[2] = {{.fd = fd, .events = events, .revents = 0},
                     {.fd = interrupt.fd(), .events = POLLIN, .revents = 0}};
  int count = 0;
  do count = ::poll(ready, 2, static_cast<int>(patience.count()));
  while (count < 0 && errno == EINTR);
  if (count < 0) return fail(errno, "wait");
  if (ready[0].revents) return {};
  return fail(ready[1].revents ? ECANCELED : ETIMEDOUT, "wait for the receiver");
}

}  // namespace apnat
