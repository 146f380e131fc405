// time_text.cpp - the calendar, without the C library's time zones.
#include "events/time_text.h"

#include <fmt/format.h>

namespace apnat {
namespace {

void put_digits(char* at, int digits, std::uint64_t value) {
  for (; digits > 0; value /= 10) at[--digits] = static_cast<char>('0' + value % 10);
}

}  // namespace

std::string rfc3339(WallTime time) {
  std::string out;
  append_rfc3339(out, time);
  return out;
}

void append_rfc3339(std::string& out, WallTime time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const auto in_day = static_cast<std::uint64_t>(floor<microseconds>(time - day).count());
  const std::uint64_t second = in_day / 1'000'000;
  char text[] = "0000-00-00T00:00:00.000000Z";
  put_digits(text, 4, static_cast<std::uint64_t>(static_cast<int>(date.year())));
  put_digits(text + 5, 2, static_cast<unsigned>(date.month()));
  put_digits(text + 8, 2, static_cast<unsigned>(date.day()));
  put_digits(text + 11, 2, second / 3600);
  put_digits(text + 14, 2, second / 60 % 60);
  put_digits(text + 17, 2, second % 60);
  put_digits(text + 20, 6, in_day % 1'000'000);
  out.append(text, sizeof(text) - 1);
}

namespace {

// Eats what it reads.
class TimeReader {
 public:
  explicit TimeReader(std::string_view text) : text_(text) {}

  int digits(std::size_t count, int most) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (text_.empty() || text_.front() < '0' || text_.front() > '9') good_ = false;
      if (!good_) return 0;
      value = 10 * value + (text_.front() - '0');
      text_.remove_prefix(1);
    }
    good_ &= value <= most;
    return value;
  }
  bool has(std::string_view any_of) {
    if (text_.empty() || any_of.find(text_.front()) == std::string_view::npos) return false;
    last_ = text_.front();
    text_.remove_prefix(1);
    return true;
  }
  void expect(std::string_view any_of) { good_ &= has(any_of); }
  std::chrono::nanoseconds fraction() {
    std::int64_t value = 0;
    std::int64_t unit = 1'000'000'000;
    good_ &= !text_.empty() && text_.front() >= '0' && text_.front() <= '9';
    for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; text_.remove_prefix(1)) {
      unit /= 10;
      value += unit * (text_.front() - '0');  // digits beyond nanoseconds count nothing
    }
    return std::chrono::nanoseconds(value);
  }
  char last() const { return last_; }
  bool is_good() const { return good_; }
  bool is_at_end() const { return text_.empty(); }

 private:
  std::string_view text_;
  char last_ = 0;
  bool good_ = true;
};

}  // namespace

Result<WallTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const auto wrong = [&](std::string_view why) {
    return fail(fmt::format("\"{}\" {}; write a time such as 2026-03-01T10:00:00Z or 2026-03-01T11:00:00.5+01:00",
                            text.substr(0, 40), why));
  };
  TimeReader read(text);
  const year_month_day date = [&] {
    const int y = read.digits(4, 9999);
    read.expect("-");
    const int m = read.digits(2, 12);
    read.expect("-");
    return year_month_day(year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(read.digits(2, 31))));
  }();
  read.expect("Tt ");
  nanoseconds of_day = hours(read.digits(2, 23));
  read.expect(":");
  of_day += minutes(read.digits(2, 59));
  if (read.has(":")) of_day += seconds(read.digits(2, 60));  // a leap second is the next minute's first
  if (read.has(".,")) of_day += read.fraction();
  if (!read.is_good()) return wrong("is not a time of RFC 3339");
  if (!date.ok() || date.year() < year(1970) || date.year() > year(2260)) return wrong("is no date");
  if (read.is_at_end()) return wrong("does not say where it is that late (Z is UTC)");
  seconds offset{};
  if (!read.has("Zz")) {
    read.expect("+-");
    const int sign = read.last() == '-' ? -1 : 1;
    offset = hours(read.digits(2, 23));
    read.expect(":");
    offset = sign * (offset + minutes(read.digits(2, 59)));
  }
  if (!read.is_good() || !read.is_at_end()) return wrong("is not a time of RFC 3339");
  return WallTime(sys_days(date).time_since_epoch() + of_day - offset);
}

}  // namespace apnat
