// page_test.cpp - leases come out of their bytes as they went in; damage is found.
#include "history/page.h"

#include <catch2/catch.hpp>
#include <random>

#include "history_world.h"

using namespace apnat;
using namespace apnat::test;

namespace {

Lease any_lease(std::mt19937_64& random) {
  Lease lease;
  lease.key = lease_key(Ip4(static_cast<std::uint32_t>(random())), random() % kSpaces, random() % 65'536);
  lease.from = 1'700'000'000'000'000 + static_cast<Micros>(random() % 400'000'000'000'000);
  if (random() % 4 != 0) lease.to = lease.from + static_cast<Micros>(random() % 9'000'000'000) - 1'000'000'000;
  lease.holder = Ip4(static_cast<std::uint32_t>(random()));
  lease.pool = static_cast<std::uint16_t>(random() % 3);
  lease.carried = random() % 5 == 0;
  lease.end_unrecorded = random() % 7 == 0;
  if (random() % 2) lease.internal = Endpoint{lease.holder, static_cast<std::uint16_t>(random())};
  if (random() % 3 == 0) lease.destination = Endpoint{Ip4(static_cast<std::uint32_t>(random())), 443};
  if (random() % 3 == 0) lease.clock_error_us = static_cast<std::uint32_t>(random());
  return lease;
}

std::vector<Lease> sorted_leases(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Lease> leases;
  for (std::size_t i = 0; i < count; ++i) leases.push_back(any_lease(random));
  std::ranges::sort(leases, comes_before);
  return leases;
}

std::vector<PageWriter::Page> pages_of(const std::vector<Lease>& leases) {
  PageWriter writer;
  std::vector<PageWriter::Page> pages;
  for (const Lease& lease : leases) {
    if (writer.is_full_for(lease.key)) pages.push_back(writer.take());
    writer.add(lease);
  }
  pages.push_back(writer.take());
  return pages;
}

}  // namespace

TEST_CASE("leases are read as they were written, whatever they are") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<Lease> leases = sorted_leases(1'000, seed);
    std::vector<Lease> read;
    for (const PageWriter::Page& page : pages_of(leases)) {
      CHECK(page.first_key == leases[read.size()].key);
      REQUIRE(read_page(page.bytes, read));
    }
    CHECK(read == leases);
  }
}

TEST_CASE("all leases of one key stand on one page") {
  std::vector<Lease> leases = sorted_leases(2'000, 7);
  for (Lease& lease : leases) lease.key = lease.key >> 40 << 40;
  std::ranges::sort(leases, comes_before);
  LeaseKey last = 0;
  for (const PageWriter::Page& page : pages_of(leases)) {
    std::vector<Lease> read;
    REQUIRE(read_page(page.bytes, read));
    CHECK(read.front().key != last);
    last = read.back().key;
  }
}

TEST_CASE("a byte of a page that is changed, and a page that is cut off, are found", "[LOG-12]") {
  const auto page = pages_of(sorted_leases(20, 3)).front();
  for (std::size_t i = 0; i < page.bytes.size(); ++i) {
    std::string damaged = page.bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    std::vector<Lease> read;
    CHECK_FALSE(read_page(damaged, read));
    CHECK_FALSE(read_page(page.bytes.substr(0, i), read));
  }
}
