// event_loop.h - the one thread of the control plane: descriptors, timers and
// signals, each with what to do when it is ready.
//
// A callback may watch, forget, cancel (itself too) and stop; it must not block.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"

namespace apnat {

class EventLoop {
 public:
  using Ready = std::function<void(std::uint32_t events)>;  // EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR
  using Action = std::function<void()>;
  using TimerId = std::uint64_t;

  static Result<EventLoop> open();
  EventLoop(EventLoop&&) = default;
  EventLoop& operator=(EventLoop&&) = delete;
  ~EventLoop();  // signals it took are given back

  // Calls `ready` whenever `fd` is (level-triggered). The descriptor stays its owner's, who must forget() it before
  // closing it.
  Result<void> watch(int fd, std::uint32_t events, Ready ready);
  // Other events for a descriptor that is watched: EPOLLOUT while something waits to be written.
  Result<void> change(int fd, std::uint32_t events);
  void forget(int fd);

  // Calls `tick` every `period`, first after one period. Turns that were missed are not made up for.
  Result<TimerId> every(std::chrono::nanoseconds period, Action tick);
  // Calls `tick` once.
  Result<TimerId> after(std::chrono::nanoseconds delay, Action tick);
  void cancel(TimerId timer);

  // From now on `signal` is blocked in this thread and arrives here. Do this before threads are made.
  Result<void> on_signal(int signal, Action action);

  // Until stop(). An error is epoll's own.
  Result<void> run();
  // Waits for at most `patience` and answers what became ready. False: nothing did.
  Result<bool> turn(std::chrono::milliseconds patience);
  void stop() { stopped_ = true; }

 private:
  struct Watch {
    int fd = -1;
    Ready ready;     // a descriptor's
    UniqueFd timer;  // timers: ours to close
    Action tick;
    bool once = false;
  };

  explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}
  Result<std::uint64_t> add(int fd, std::uint32_t events, std::shared_ptr<Watch> watch);
  Result<TimerId> start_timer(std::chrono::nanoseconds first, std::chrono::nanoseconds period, Action tick);
  void answer(std::uint64_t id, Watch& watch, std::uint32_t events);
  void take_signals();

  UniqueFd epoll_;
  UniqueFd signal_fd_;
  sigset_t taken_{};      // signals routed to signal_fd_
  sigset_t unblocked_{};  // those of them that were not blocked before
  std::map<int, Action> signal_actions_;
  // By a number that is never used again, so that an event already fetched for a forgotten descriptor finds nobody.
  std::map<std::uint64_t, std::shared_ptr<Watch>> watches_;
  std::map<int, std::uint64_t> by_fd_;
  std::uint64_t next_id_ = 1;
  bool stopped_ = false;
};

}  // namespace apnat
