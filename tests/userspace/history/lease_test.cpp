// lease_test.cpp - two records of a lease become one; ends that nobody recorded.
#include "history/lease.h"

#include <catch2/catch.hpp>

#include "history_world.h"

using namespace apnat;
using namespace apnat::test;

namespace {

Lease lease(const char* holder, Micros from, Micros to = Lease::kOpen, std::uint16_t block = 2) {
  Lease lease;
  lease.key = lease_key(ip("203.0.113.5"), kFirstShape, block);
  lease.holder = ip(holder);
  lease.from = from * 1'000'000;
  lease.to = to == Lease::kOpen ? to : to * 1'000'000;
  return lease;
}

std::vector<Lease> fused(std::vector<Lease> leases) {
  fuse(leases);
  return leases;
}

}  // namespace

TEST_CASE("the key's parts come back, and an address's leases lie together") {
  const LeaseKey key = lease_key(ip("203.0.113.255"), 300, 65'535);
  CHECK(address_of(key) == ip("203.0.113.255"));
  CHECK(space_of(key) == 300);
  CHECK(number_of(key) == 65'535);
  CHECK(lease_key(ip("203.0.113.4"), kSpaces - 1, 65'535) < lease_key(ip("203.0.113.5"), 0, 0));
  CHECK(lease_key(ip("255.255.255.255"), kSpaces - 1, 65'535) < std::uint64_t{1} << 63);
}

TEST_CASE("an assignment and its release are one lease, in either order and however often they are told") {
  const Lease assigned = lease("100.64.0.1", 100);
  const Lease released = lease("100.64.0.1", 100, 200);
  CHECK(fused({assigned, released}) == std::vector{released});
  CHECK(fused({released, assigned}) == std::vector{released});
  CHECK(fused({released, assigned, released, assigned, assigned}) == std::vector{released});
}

TEST_CASE("a release that the next agent tells again ends the lease when it says", "[LOG-3]") {
  const Lease released = lease("100.64.0.1", 100, 200), again = lease("100.64.0.1", 100, 203);
  CHECK(fused({lease("100.64.0.1", 100), released, again}) == std::vector{again});
  CHECK(fused({again, released}) == std::vector{again});
}

TEST_CASE("a machine that learns of TAI while a block is held makes no second lease of it", "[LOG-3]") {
  const Lease assigned = lease("100.64.0.1", 100), released = lease("100.64.0.1", 100 - 37, 200);
  const std::vector one = {lease("100.64.0.1", 100, 200)};
  CHECK(fused({assigned, released}) == one);
  CHECK(fused({released, assigned, released}) == one);
  // Another held it in between; or the same subscriber had it twice.
  const Lease before = lease("100.64.0.2", 70, 80);
  CHECK(fused({assigned, released, before}) == std::vector{before, one[0]});
  const std::vector twice = {lease("100.64.0.1", 63, 70), lease("100.64.0.1", 100)};
  CHECK(fused(twice) == twice);
}

TEST_CASE("leases of others, of other ports and of other times stay apart") {
  const std::vector<Lease> leases = {lease("100.64.0.1", 100, 200), lease("100.64.0.2", 400, 500),
                                     lease("100.64.0.1", 700, 800), lease("100.64.0.1", 100, 200, 3)};
  CHECK(fused(leases) == leases);
}

TEST_CASE("an open lease has ended when another has its ports, or when the data plane began anew", "[LOG-3]") {
  std::vector<Lease> leases = {lease("100.64.0.1", 100), lease("100.64.0.2", 400), lease("100.64.0.3", 450, 460, 9)};
  end_forgotten(leases, {});
  CHECK(leases[0].to == 400'000'000);
  CHECK(leases[0].end_unrecorded);
  CHECK(leases[1].is_open());
  const Reset reset{420'000'000, 500'000'000};
  end_forgotten(leases, {&reset, 1});
  CHECK(leases[1].to == 500'000'000);
  CHECK(leases[1].end_unrecorded);
  CHECK_FALSE(leases[2].end_unrecorded);
}
