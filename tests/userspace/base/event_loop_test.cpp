// The one thread of the control plane: descriptors, timers, signals.
#include "base/event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <vector>

using namespace apnat;
using namespace std::chrono_literals;

namespace {

EventLoop opened() {
  auto loop = EventLoop::open();
  REQUIRE(loop);
  return std::move(*loop);
}

UniqueFd signalled() {
  UniqueFd fd(::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  REQUIRE(fd);
  return fd;
}

}  // namespace

TEST_CASE("a descriptor that is ready calls its callback, in a loop that was moved too") {
  EventLoop first = opened();
  UniqueFd fd = signalled();
  int calls = 0;
  REQUIRE(first.watch(fd.get(), EPOLLIN, [&](std::uint32_t events) { calls += (events & EPOLLIN) ? 1 : 0; }));
  EventLoop loop = std::move(first);

  REQUIRE(loop.turn(0ms).value());
  CHECK(calls == 1);
  loop.forget(fd.get());
  CHECK_FALSE(loop.turn(0ms).value());
  CHECK(calls == 1);
}

TEST_CASE("watching the same descriptor twice, or none, is refused") {
  EventLoop loop = opened();
  UniqueFd fd = signalled();
  REQUIRE(loop.watch(fd.get(), EPOLLIN, [](std::uint32_t) {}));
  CHECK_FALSE(loop.watch(fd.get(), EPOLLIN, [](std::uint32_t) {}));
  CHECK_FALSE(loop.watch(-1, EPOLLIN, [](std::uint32_t) {}));
  CHECK_FALSE(loop.change(-1, EPOLLIN));
}

TEST_CASE("a callback may forget another whose event was fetched in the same turn") {
  EventLoop loop = opened();
  UniqueFd one = signalled();
  UniqueFd two = signalled();
  int calls = 0;
  auto forget_both = [&](std::uint32_t) {
    ++calls;
    loop.forget(one.get());
    loop.forget(two.get());
  };
  REQUIRE(loop.watch(one.get(), EPOLLIN, forget_both));
  REQUIRE(loop.watch(two.get(), EPOLLIN, forget_both));

  REQUIRE(loop.turn(0ms).value());
  CHECK(calls == 1);
}

TEST_CASE("a descriptor can be watched for something else") {
  EventLoop loop = opened();
  UniqueFd fd = signalled();
  std::uint32_t seen = 0;
  REQUIRE(loop.watch(fd.get(), EPOLLIN, [&](std::uint32_t events) { seen = events; }));
  REQUIRE(loop.change(fd.get(), EPOLLOUT));
  REQUIRE(loop.turn(0ms).value());
  CHECK(seen == EPOLLOUT);
}

TEST_CASE("a periodic timer goes on, a single one does not, a cancelled one never comes") {
  EventLoop loop = opened();
  int ticks = 0;
  int once = 0;
  int never = 0;
  REQUIRE(loop.after(1ms, [&] { ++once; }));
  auto cancelled = loop.after(1ms, [&] { ++never; });
  REQUIRE(cancelled);
  REQUIRE(loop.every(2ms, [&] {
    if (++ticks == 5) loop.stop();
  }));
  loop.cancel(*cancelled);

  REQUIRE(loop.run());
  CHECK(ticks == 5);
  CHECK(once == 1);
  CHECK(never == 0);
  CHECK_FALSE(loop.every(0ms, [] {}));
}

TEST_CASE("a timer may cancel itself from its own callback") {
  EventLoop loop = opened();
  int ticks = 0;
  EventLoop::TimerId id = 0;
  auto started = loop.every(1ms, [&] {
    ++ticks;
    loop.cancel(id);
  });
  REQUIRE(started);
  id = *started;
  REQUIRE(loop.turn(1000ms).value());
  CHECK_FALSE(loop.turn(10ms).value());
  CHECK(ticks == 1);
}

TEST_CASE("signals arrive as calls and are given back when the loop goes") {
  sigset_t mask;
  {
    EventLoop loop = opened();
    std::vector<int> seen;
    REQUIRE(loop.on_signal(SIGUSR1, [&] { seen.push_back(SIGUSR1); }));
    REQUIRE(loop.on_signal(SIGUSR2, [&] {
      seen.push_back(SIGUSR2);
      loop.stop();
    }));
    ::raise(SIGUSR1);
    REQUIRE(loop.turn(0ms).value());
    ::raise(SIGUSR2);
    REQUIRE(loop.run());
    CHECK(seen == std::vector<int>{SIGUSR1, SIGUSR2});
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    CHECK(sigismember(&mask, SIGUSR1) == 1);
  }
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  CHECK(sigismember(&mask, SIGUSR1) == 0);
  CHECK(sigismember(&mask, SIGUSR2) == 0);
}
