// event_loop.cpp - epoll, timerfd and signalfd behind one door.
#include "base/event_loop.h"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <array>
#include <limits>

namespace apnat {
namespace {

timespec to_timespec(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {.tv_sec = seconds.count(), .tv_nsec = (time - seconds).count()};
}

}  // namespace

Result<EventLoop> EventLoop::open() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail(errno, "make an epoll instance");
  EventLoop loop(std::move(epoll));
  sigemptyset(&loop.taken_);
  sigemptyset(&loop.unblocked_);
  return loop;
}

EventLoop::~EventLoop() {
  if (signal_fd_) ::pthread_sigmask(SIG_UNBLOCK, &unblocked_, nullptr);
}

Result<std::uint64_t> EventLoop::add(int fd, std::uint32_t events, std::shared_ptr<Watch> watch) {
  const std::uint64_t id = next_id_++;
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail(errno, "watch a descriptor");
  watch->fd = fd;
  watches_[id] = std::move(watch);
  by_fd_[fd] = id;
  return id;
}

Result<void> EventLoop::watch(int fd, std::uint32_t events, Ready ready) {
  auto watch = std::make_shared<Watch>();
  watch->ready = std::move(ready);
  TRY(add(fd, events, std::move(watch)));
  return {};
}

Result<void> EventLoop::change(int fd, std::uint32_t events) {
  const auto id = by_fd_.find(fd);
  if (id == by_fd_.end()) return fail(EBADF, "change what a descriptor is watched for");
  epoll_event event{};
  event.events = events;
  event.data.u64 = id->second;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
    return fail(errno, "change what a descriptor is watched for");
  }
  return {};
}

void EventLoop::forget(int fd) {
  const auto id = by_fd_.find(fd);
  if (id == by_fd_.end()) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  watches_.erase(id->second);
  by_fd_.erase(id);
}

Result<EventLoop::TimerId> EventLoop::start_timer(std::chrono::nanoseconds first, std::chrono::nanoseconds period,
                                                  Action tick) {
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!timer) return fail(errno, "make a timer");
  // A timer set to 0 would be off.
  const itimerspec spec{.it_interval = to_timespec(period),
                        .it_value = to_timespec(std::max(first, std::chrono::nanoseconds(1)))};
  if (::timerfd_settime(timer.get(), 0, &spec, nullptr) != 0) return fail(errno, "set a timer");

  auto watch = std::make_shared<Watch>();
  const int fd = timer.get();
  watch->timer = std::move(timer);
  watch->tick = std::move(tick);
  watch->once = period == std::chrono::nanoseconds::zero();
  return add(fd, EPOLLIN, std::move(watch));
}

Result<EventLoop::TimerId> EventLoop::every(std::chrono::nanoseconds period, Action tick) {
  if (period <= std::chrono::nanoseconds::zero()) return fail(EINVAL, "set a timer");
  return start_timer(period, period, std::move(tick));
}

Result<EventLoop::TimerId> EventLoop::after(std::chrono::nanoseconds delay, Action tick) {
  return start_timer(delay, std::chrono::nanoseconds::zero(), std::move(tick));
}

void EventLoop::cancel(TimerId timer) {
  const auto found = watches_.find(timer);
  if (found == watches_.end() || !found->second->timer) return;
  const int fd = found->second->fd;
  forget(fd);
}

Result<void> EventLoop::on_signal(int signal, Action action) {
  sigset_t before;
  sigset_t one;
  sigemptyset(&one);
  if (sigaddset(&one, signal) != 0) return fail(errno, "take a signal");
  if (int error = ::pthread_sigmask(SIG_BLOCK, &one, &before)) return fail(error, "block a signal");
  if (!sigismember(&before, signal)) sigaddset(&unblocked_, signal);

  sigaddset(&taken_, signal);
  const int fd = ::signalfd(signal_fd_ ? signal_fd_.get() : -1, &taken_, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) return fail(errno, "make a signal descriptor");
  signal_actions_[signal] = std::move(action);
  if (signal_fd_) return {};
  signal_fd_.reset(fd);
  TRY(add(fd, EPOLLIN, std::make_shared<Watch>()));
  return {};
}

void EventLoop::answer(std::uint64_t id, Watch& watch, std::uint32_t events) {
  if (watch.timer) {
    std::uint64_t expirations = 0;
    if (::read(watch.fd, &expirations, sizeof(expirations)) != sizeof(expirations)) return;
    if (watch.once) cancel(id);
    watch.tick();
  } else if (watch.fd == signal_fd_.get()) {
    take_signals();
  } else {
    watch.ready(events);
  }
}

void EventLoop::take_signals() {
  signalfd_siginfo info{};
  while (::read(signal_fd_.get(), &info, sizeof(info)) == sizeof(info)) {
    const auto found = signal_actions_.find(static_cast<int>(info.ssi_signo));
    if (found == signal_actions_.end()) continue;
    const Action action = found->second;
    action();
  }
}

Result<bool> EventLoop::turn(std::chrono::milliseconds patience) {
  std::array<epoll_event, 64> events{};
  const int limit = std::numeric_limits<int>::max();
  const int timeout = patience.count() > limit ? limit : static_cast<int>(patience.count());
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
  if (count < 0 && errno == EINTR) return false;
  if (count < 0) return fail(errno, "wait for events");
  for (int i = 0; i < count && !stopped_; ++i) {
    const auto found = watches_.find(events[static_cast<std::size_t>(i)].data.u64);
    if (found == watches_.end()) continue;  // forgotten by an earlier callback of this turn
    const std::shared_ptr<Watch> kept = found->second;
    answer(found->first, *kept, events[static_cast<std::size_t>(i)].events);
  }
  return count > 0;
}

Result<void> EventLoop::run() {
  stopped_ = false;
  while (!stopped_) TRY(turn(std::chrono::hours(24)));
  return {};
}

}  // namespace apnat
