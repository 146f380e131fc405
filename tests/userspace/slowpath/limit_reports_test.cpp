// limit_reports_test.cpp - a flood hits a limit with every packet; the events about it are few.
#include "slowpath/limit_reports.h"

#include <catch2/catch.hpp>

using namespace apnat;

namespace {

constexpr std::uint64_t kStart = 1'000'000'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;

QuotaHit hit_of(std::uint32_t address, QuotaHit::Limit limit = QuotaHit::Limit::kPerSource) {
  return {.limit = limit, .value = 64, .source = Ip4(address), .realm = REALM_INTERNAL};
}

}  // namespace

TEST_CASE("a source that runs into a limit is told once, then with how often in between", "[FRAG-28]") {
  LimitReports reports;
  const auto first = reports.report(hit_of(0x64400102), kStart);
  REQUIRE(first);
  CHECK(first->subscriber.text() == "100.64.1.2");
  CHECK(first->verdict == "FRAGMENTS_PER_SOURCE");
  CHECK(first->limit == 64);
  CHECK(first->suppressed == 0);
  for (int n = 0; n < 100; ++n) CHECK_FALSE(reports.report(hit_of(0x64400102), kStart + kSecond));
  const auto later = reports.report(hit_of(0x64400102), kStart + 11 * kSecond);
  REQUIRE(later);
  CHECK(later->suppressed == 100);
}

TEST_CASE("ten events a second at most, however many sources there are", "[FRAG-28]") {
  LimitReports reports;
  int told = 0;
  for (std::uint32_t n = 0; n < 5000; ++n) told += reports.report(hit_of(0x0a000000 + n * 7919), kStart).has_value();
  CHECK(told == 10);
  CHECK(reports.report(hit_of(0xc0000201, QuotaHit::Limit::kMemory), kStart + kSecond)->verdict == "FRAGMENTS_MEMORY");
}

TEST_CASE("IDs that come round are told once in ten seconds, whatever limits their sender runs into", "[FRAG-14]") {
  LimitReports reports;
  const IdWrap wrap{.source = Ip4(0x64400102), .protocol = 17, .datagrams = 20000, .limit = 13107};
  REQUIRE(reports.report(hit_of(0x64400102), kStart));
  const auto first = reports.report(wrap, kStart);
  REQUIRE(first);
  CHECK(first->source.text() == "100.64.1.2");
  CHECK(first->protocol == 17);
  CHECK(first->datagrams_per_second == 20000);
  CHECK(first->limit == 13107);
  CHECK(first->suppressed == 0);
  for (std::uint64_t n = 1; n < 10; ++n) CHECK_FALSE(reports.report(wrap, kStart + n * kSecond));
  const auto later = reports.report(wrap, kStart + 10 * kSecond);
  REQUIRE(later);
  CHECK(later->suppressed == 9);
}
