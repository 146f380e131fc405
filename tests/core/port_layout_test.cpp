// port_layout.h: port <-> slot is a bijection in every layout, and a port set is what RFC 7597 says.
#include <catch2/catch.hpp>
#include <set>

#include "core_native.h"

namespace {

struct pool psid_pool(int a, int k) {
  struct pool pool{};
  pool.port_layout = LAYOUT_PSID;
  pool.psid_offset = static_cast<__u8>(a);
  pool.psid_length = static_cast<__u8>(k);
  pool.last_port_host = 65535;
  return pool;
}

struct pool scattered_pool(std::uint32_t seed) {
  struct pool pool{};
  pool.port_layout = LAYOUT_SCATTERED;
  pool.last_port_host = 65535;
  for (std::uint32_t i = 0; i < 4; ++i) pool.layout_key[i] = seed * 0x9e3779b1u + i * 0x85ebca6bu;
  return pool;
}

void check_bijection(const struct pool& pool) {
  std::vector<bool> seen(65536);
  for (std::uint32_t slot = 0; slot < 65536; ++slot) {
    const std::uint16_t port = core_port_of_slot(&pool, static_cast<std::uint16_t>(slot));
    REQUIRE_FALSE(seen[port]);
    seen[port] = true;
    REQUIRE(core_slot_of_port(&pool, port) == slot);
  }
}

// The usable ports of port set `psid`: its block of slots.
std::set<std::uint16_t> port_set(const struct pool& pool, std::uint32_t psid) {
  const std::uint32_t size = 65536u >> pool.psid_length;
  std::set<std::uint16_t> ports;
  for (std::uint32_t slot = psid * size; slot < (psid + 1) * size; ++slot)
    if (core_is_usable_slot(&pool, static_cast<std::uint16_t>(slot)))
      ports.insert(core_port_of_slot(&pool, static_cast<std::uint16_t>(slot)));
  return ports;
}

std::vector<std::uint16_t> first_of(const std::set<std::uint16_t>& ports, std::size_t count) {
  return {ports.begin(), std::next(ports.begin(), static_cast<std::ptrdiff_t>(count))};
}

}  // namespace

TEST_CASE("contiguous: the slot is the port", "[DET-1]") {
  struct pool pool{};
  pool.port_layout = LAYOUT_CONTIGUOUS;
  check_bijection(pool);
  CHECK(core_port_of_slot(&pool, 4711) == 4711);
}

TEST_CASE("psid: every a and k is a bijection", "[MAP-3]") {
  const int a = GENERATE(range(0, 16));
  for (int k = 0; k <= 15 && a + k <= 16; ++k) check_bijection(psid_pool(a, k));
}

TEST_CASE("scattered: every key is a bijection", "[MAP-4]") {
  const auto seed = GENERATE(as<std::uint32_t>(), 0, 1, 2, 0xdeadbeef, 0xffffffff);
  check_bijection(scattered_pool(seed));
}

TEST_CASE("scattered: the slots of a block lie apart, and each key scatters in its own way", "[MAP-4][RAND-4]") {
  const struct pool one = scattered_pool(1), other = scattered_pool(2);
  int neighbours = 0, equal = 0;
  for (std::uint32_t slot = 0; slot < 65535; ++slot) {
    const int here = core_port_of_slot(&one, static_cast<std::uint16_t>(slot));
    neighbours += std::abs(here - core_port_of_slot(&one, static_cast<std::uint16_t>(slot + 1))) == 1;
    equal += here == core_port_of_slot(&other, static_cast<std::uint16_t>(slot));
  }
  CHECK(neighbours < 20);  // 2 expected by chance
  CHECK(equal < 10);       // 1
}

TEST_CASE("psid: the sets of the table", "[MAP-1][MAP-3]") {
  struct Row {
    int a, k;
    std::size_t ports;
    std::uint16_t first, last_of_first_range, first_of_second;
  };
  const Row row =
      GENERATE(Row{6, 8, 252, 1028, 1031, 2052}, Row{6, 6, 1008, 1040, 1055, 2064}, Row{4, 8, 240, 4112, 4127, 8208},
               Row{4, 6, 960, 4160, 4223, 8256}, Row{0, 6, 1024, 1024, 2047, 0}, Row{0, 8, 256, 256, 511, 0},
               Row{6, 10, 63, 1025, 1025, 2049});
  const struct pool pool = psid_pool(row.a, row.k);
  const auto ports = port_set(pool, 1);
  CHECK(ports.size() == row.ports);
  const std::size_t range = static_cast<std::size_t>(row.last_of_first_range - row.first + 1);
  const auto first = first_of(ports, range);
  CHECK(first.front() == row.first);
  CHECK(first.back() == row.last_of_first_range);
  if (row.first_of_second != 0) CHECK(first_of(ports, range + 1).back() == row.first_of_second);
}

TEST_CASE("psid: the worked examples", "[MAP-3]") {
  const auto set = port_set(psid_pool(6, 8), 0x34);
  CHECK(set.size() == 252);
  CHECK(first_of(set, 8) == std::vector<std::uint16_t>{1232, 1233, 1234, 1235, 2256, 2257, 2258, 2259});
  CHECK(*set.rbegin() == 64723);
  CHECK(set.count(64720) == 1);
  CHECK(set.count(63696) == 1);
  CHECK(first_of(port_set(psid_pool(6, 8), 0), 8) ==
        std::vector<std::uint16_t>{1024, 1025, 1026, 1027, 2048, 2049, 2050, 2051});
  CHECK(first_of(port_set(psid_pool(6, 6), 0x0c), 1).front() == 1216);
  CHECK(port_set(psid_pool(0, 6), 0).count(0) == 1);
}

TEST_CASE("psid: sets share no port, and with an offset none has a low one", "[MAP-1]") {
  const int a = GENERATE(4, 6), k = 8;
  const struct pool pool = psid_pool(a, k);
  std::set<std::uint16_t> all;
  std::size_t count = 0;
  for (std::uint32_t psid = 0; psid < 256; ++psid) {
    const auto ports = port_set(pool, psid);
    count += ports.size();
    all.insert(ports.begin(), ports.end());
  }
  CHECK(all.size() == count);
  CHECK(count == 65536 - (65536u >> a));
  CHECK(*all.begin() == 65536 >> a);
}
