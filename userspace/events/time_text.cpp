// time_text.cpp - the calendar, without the C library's time zones.
#include "events/time_text.h"

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

}  // namespace apnat
