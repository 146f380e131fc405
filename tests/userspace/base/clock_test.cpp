// Clocks, descriptors' owner, and the plumbing of refusals.
#include "base/clock.h"

#include <fcntl.h>

#include <catch2/catch.hpp>

#include "base/result.h"
#include "base/unique_fd.h"

using namespace apnat;
using namespace std::chrono_literals;

TEST_CASE("a hand-wound clock moves when it is turned, and TAI runs ahead of it") {
  HandWoundClock clock(WallTime(1000s));
  const std::uint64_t before = clock.monotonic_ns();
  clock.advance(5s);
  CHECK(clock.realtime() == WallTime(1005s));
  CHECK(clock.monotonic_ns() - before == 5'000'000'000u);
  CHECK(clock.to_tai(clock.realtime()) == 1'042'000'000'000u);
  CHECK(clock.from_tai(1'042'000'000'000u) == clock.realtime());

  clock.set_realtime(WallTime(10s));
  CHECK(clock.monotonic_ns() - before == 5'000'000'000u);
}

TEST_CASE("the system's clocks run, and CLOCK_TAI converts to wall-clock time") {
  SystemClock clock;
  const std::uint64_t before = clock.monotonic_ns();
  timespec tai{};
  REQUIRE(::clock_gettime(CLOCK_TAI, &tai) == 0);
  const auto tai_ns = static_cast<std::uint64_t>(tai.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(tai.tv_nsec);
  const auto apart = clock.realtime() - clock.from_tai(tai_ns);
  CHECK(apart >= -1s);
  CHECK(apart <= 1s);
  CHECK(clock.monotonic_ns() >= before);
}

TEST_CASE("a descriptor is closed with its owner, once") {
  int raw = -1;
  {
    UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    REQUIRE(fd);
    raw = fd.get();
    UniqueFd other = std::move(fd);
    CHECK_FALSE(fd);
    CHECK(other.get() == raw);
    CHECK(::fcntl(raw, F_GETFD) >= 0);
  }
  CHECK(::fcntl(raw, F_GETFD) == -1);
}

TEST_CASE("a refusal passes through TRY with what we were doing in front") {
  auto inner = []() -> Result<int> { return fail(ENOENT, "open the file"); };
  auto outer = [&]() -> Result<int> { return TRY(inner()) + 1; };
  auto result = outer();
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ENOENT);
  CHECK(within("reload", result.error()).error().text == "reload: open the file: No such file or directory");
}

TEST_CASE("the kernel says how far the clock may be off, if only that nobody disciplines it", "[SHARE-40]") {
  const auto error = SystemClock().clock_error();
  CHECK(error >= std::chrono::microseconds(0));
  CHECK(error <= std::chrono::minutes(10));
}
