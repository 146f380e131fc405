// clock.h - what time it is, as something that is passed in: the system's clock
// in programs, a hand-wound one in tests.
#pragma once

#include <sys/timex.h>

#include <chrono>
#include <cstdint>
#include <ctime>

namespace apnat {

// CLOCK_REALTIME to the nanosecond.
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;

class Clock {
 public:
  virtual ~Clock() = default;

  virtual WallTime realtime() const = 0;
  virtual std::uint64_t monotonic_ns() const = 0;

  // TAI - UTC as the kernel knows it; 0 where nobody told it (no NTP), and then CLOCK_TAI runs as CLOCK_REALTIME.
  virtual std::chrono::seconds tai_offset() const = 0;

  // How far realtime() may be from true time, as whoever disciplines the clock says (NTP's maximum error).
  virtual std::chrono::microseconds clock_error() const = 0;
  // What the kernel says itself of a clock that nobody disciplines.
  static constexpr std::chrono::microseconds kUndisciplined{16'000'000};

  // A time stamp of the tables (CLOCK_TAI) as wall-clock time.
  WallTime from_tai(std::uint64_t tai_ns) const {
    return WallTime(std::chrono::nanoseconds(static_cast<std::int64_t>(tai_ns)) - tai_offset());
  }
  std::uint64_t to_tai(WallTime time) const {
    return static_cast<std::uint64_t>((time.time_since_epoch() + tai_offset()).count());
  }
};

class SystemClock final : public Clock {
 public:
  WallTime realtime() const override { return WallTime(read(CLOCK_REALTIME)); }
  std::uint64_t monotonic_ns() const override { return static_cast<std::uint64_t>(read(CLOCK_MONOTONIC).count()); }
  std::chrono::seconds tai_offset() const override {
    // Two readings a moment apart: the offset is whole seconds, so rounding removes the moment.
    return std::chrono::round<std::chrono::seconds>(read(CLOCK_TAI) - read(CLOCK_REALTIME));
  }
  std::chrono::microseconds clock_error() const override {
    timex state{};  // modes 0: only read
    const int answer = ::adjtimex(&state);
    // TIME_ERROR too: a leap second or a lost server; maxerror goes on growing until somebody disciplines again.
    return answer < 0 ? kUndisciplined : std::chrono::microseconds(state.maxerror);
  }

 private:
  static std::chrono::nanoseconds read(clockid_t id) {
    timespec now{};
    ::clock_gettime(id, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  }
};

// Stands still until somebody turns it.
class HandWoundClock final : public Clock {
 public:
  explicit HandWoundClock(WallTime start = WallTime(std::chrono::seconds(1'700'000'000))) : realtime_(start) {}

  WallTime realtime() const override { return realtime_; }
  std::uint64_t monotonic_ns() const override { return monotonic_ns_; }
  std::chrono::seconds tai_offset() const override { return tai_offset_; }
  std::chrono::microseconds clock_error() const override { return clock_error_; }

  void advance(std::chrono::nanoseconds by) {
    realtime_ += by;
    monotonic_ns_ += static_cast<std::uint64_t>(by.count());
  }
  // A step of the wall clock alone, as an operator or NTP makes it.
  void set_realtime(WallTime time) { realtime_ = time; }
  void set_tai_offset(std::chrono::seconds offset) { tai_offset_ = offset; }
  void set_clock_error(std::chrono::microseconds error) { clock_error_ = error; }

 private:
  WallTime realtime_;
  std::uint64_t monotonic_ns_ = 1'000'000'000;
  std::chrono::seconds tai_offset_{37};
  std::chrono::microseconds clock_error_{250};
};

}  // namespace apnat
