// Port arithmetic: the RFCs' worked examples, and properties over every port.
#include "net/port_range.h"

#include <bit>
#include <catch2/catch.hpp>
#include <set>

using namespace apnat;

namespace {

struct pool contiguous(std::uint16_t first = 1024, std::uint16_t last = 65535) {
  struct pool pool{};
  pool.port_layout = LAYOUT_CONTIGUOUS;
  pool.first_port_host = first;
  pool.last_port_host = last;
  return pool;
}

struct pool psid(unsigned a, unsigned k, std::uint16_t first = 1) {
  struct pool pool = contiguous(first);
  pool.port_layout = LAYOUT_PSID;
  pool.psid_offset = static_cast<std::uint8_t>(a);
  pool.psid_length = static_cast<std::uint8_t>(k);
  pool.block_size_log2 = static_cast<std::uint8_t>(16 - k);
  return pool;
}

struct pool scattered(std::uint32_t seed) {
  struct pool pool = contiguous();
  pool.port_layout = LAYOUT_SCATTERED;
  for (std::uint32_t& key : pool.layout_key) key = seed = seed * 1664525u + 1013904223u;
  return pool;
}

// The ports of one PSID: the slots of its block.
std::vector<PortRange> port_set(const struct pool& pool, std::uint32_t number) {
  const std::uint32_t size = 1u << (16 - pool.psid_length);
  return ports_of_slots(
      pool, {static_cast<std::uint16_t>(number * size), static_cast<std::uint16_t>((number + 1) * size - 1)});
}

std::uint32_t total(const std::vector<PortRange>& ranges) {
  std::uint32_t sum = 0;
  for (const PortRange& range : ranges) sum += range.count();
  return sum;
}

}  // namespace

TEST_CASE("a range of ports reads as it prints") {
  CHECK(PortRange::parse("1024-65535").value() == PortRange{1024, 65535});
  CHECK(PortRange::parse("80").value() == PortRange{80, 80});
  CHECK(PortRange::parse("80-80")->text() == "80");
  CHECK(PortRange::parse("0-65535")->count() == 65536);
  CHECK(PortRange::parse("8192-12287")->text() == "8192-12287");
  for (const char* text : {"", "-", "1024-", "-65535", "1024-65536", "1024 - 2047", "01-2", "a-b", "1-2-3"}) {
    INFO(text);
    CHECK_FALSE(PortRange::parse(text));
  }
  CHECK(PortRange::parse("2000-1000").error().text == "\"2000-1000\" ends before it begins; write \"1000-2000\"");
}

TEST_CASE("port sets of RFC 7597 section 5.1", "[rfc7597][MAP-1][MAP-3][MAP-4]") {
  struct Row {
    unsigned a, k, m;
    std::uint32_t ports;
    PortRange first, second;  // of PSID 1
  };
  const auto row = GENERATE(values<Row>({{6, 8, 2, 252, {1028, 1031}, {2052, 2055}},
                                         {6, 6, 4, 1008, {1040, 1055}, {2064, 2079}},
                                         {4, 8, 4, 240, {4112, 4127}, {8208, 8223}},
                                         {4, 6, 6, 960, {4160, 4223}, {8256, 8319}},
                                         {6, 10, 0, 63, {1025, 1025}, {2049, 2049}}}));
  INFO("a " << row.a << " k " << row.k);
  const auto set = port_set(psid(row.a, row.k), 1);
  CHECK(row.a + row.k + row.m == 16);
  CHECK(total(set) == row.ports);
  REQUIRE(set.size() == (1u << row.a) - 1);
  CHECK(set[0] == row.first);
  CHECK(set[1] == row.second);
}

TEST_CASE("a port set without offset is one run", "[rfc7597][MAP-3]") {
  CHECK(port_set(psid(0, 6), 1) == std::vector<PortRange>{{1024, 2047}});
  CHECK(port_set(psid(0, 8), 1) == std::vector<PortRange>{{256, 511}});
  // PSID 0 owns the system ports; `ports` keeps what subscribers may not get.
  CHECK(port_set(psid(0, 6, 1), 0) == std::vector<PortRange>{{1, 1023}});
  CHECK(port_set(psid(0, 6, 1024), 0).empty());
}

TEST_CASE("worked examples of RFC 7597: appendix A 1, appendix B.2", "[rfc7597][MAP-3]") {
  const auto appendix_a = port_set(psid(6, 8), 0x34);
  REQUIRE(appendix_a.size() == 63);
  CHECK(total(appendix_a) == 252);
  CHECK(appendix_a[0] == PortRange{1232, 1235});
  CHECK(appendix_a[1] == PortRange{2256, 2259});
  CHECK(appendix_a[61] == PortRange{63696, 63699});
  CHECK(appendix_a[62] == PortRange{64720, 64723});

  const auto appendix_b = port_set(psid(6, 8), 0);
  CHECK(appendix_b[0] == PortRange{1024, 1027});
  CHECK(appendix_b[1] == PortRange{2048, 2051});
  CHECK(appendix_b[61] == PortRange{63488, 63491});
  CHECK(appendix_b[62] == PortRange{64512, 64515});
}

TEST_CASE("worked example: PSID 0x0c of 64 at offset 6", "[rfc7597][MAP-3]") {
  const auto set = port_set(psid(6, 6), 0x0c);
  CHECK(set[0] == PortRange{1216, 1231});
  CHECK(set[1] == PortRange{2240, 2255});
}

TEST_CASE("every layout is a bijection of all ports") {
  std::vector<struct pool> pools{contiguous()};
  for (unsigned a = 0; a <= 15; ++a) {
    for (unsigned k = 1; k + a <= 16 && k <= 10; ++k) pools.push_back(psid(a, k));
  }
  for (std::uint32_t seed : {0u, 1u, 7u, 0xdeadbeefu}) pools.push_back(scattered(seed));
  struct pool zero_key = scattered(0);
  for (std::uint32_t& key : zero_key.layout_key) key = 0;
  pools.push_back(zero_key);

  for (const struct pool& pool : pools) {
    INFO("layout " << int{pool.port_layout} << " a " << int{pool.psid_offset} << " k " << int{pool.psid_length});
    std::uint32_t wrong = 0;
    for (std::uint32_t port = 0; port < 65536; ++port) {
      const auto there = slot_of_port(pool, static_cast<std::uint16_t>(port));
      wrong += port_of_slot(pool, there) != port;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("all port sets of an address are disjoint and leave out what belongs to nobody", "[rfc7597][MAP-1]") {
  for (unsigned a : {0u, 4u, 6u}) {
    const struct pool pool = psid(a, 8, 1);
    std::set<std::uint16_t> seen;
    std::uint32_t doubles = 0;
    for (std::uint32_t number = 0; number < 256; ++number) {
      for (const PortRange& range : port_set(pool, number)) {
        for (std::uint32_t port = range.first; port <= range.last; ++port) {
          doubles += !seen.insert(static_cast<std::uint16_t>(port)).second;
          const std::uint32_t psid_of_port = port >> (16 - a - 8) & 255;
          if (psid_of_port != number) FAIL("port " << port << " is not of PSID " << number);
        }
      }
    }
    INFO("a " << a);
    CHECK(doubles == 0);
    CHECK(*seen.begin() == (a ? 1u << (16 - a) : 1u));
    CHECK(seen.size() == 65536 - (a ? 1u << (16 - a) : 1u));
  }
}

TEST_CASE("a scattered block spreads over the port space and hides its neighbour's") {
  const struct pool pool = scattered(42);
  const auto block = ports_of_slots(pool, {512, 1023});
  CHECK(block.size() > 400);  // 512 ports in almost as many runs
  CHECK(total(block) <= 512);
  CHECK(total(block) > 480);  // about 1 in 64 falls below 1024
  CHECK(block.front().first >= 1024);
  CHECK(block.back().last > 60000);

  std::set<std::uint16_t> ports;
  for (std::uint32_t slot = 0; slot < 65536; slot += 512) {
    for (const PortRange& range :
         ports_of_slots(pool, {static_cast<std::uint16_t>(slot), static_cast<std::uint16_t>(slot + 511)})) {
      for (std::uint32_t port = range.first; port <= range.last; ++port) ports.insert(static_cast<std::uint16_t>(port));
    }
  }
  CHECK(ports.size() == 65536 - 1024);
}

TEST_CASE("a contiguous block is cut to what subscribers may get") {
  CHECK(ports_of_slots(contiguous(), {1024, 1535}) == std::vector<PortRange>{{1024, 1535}});
  CHECK(ports_of_slots(contiguous(1100, 1200), {1024, 1535}) == std::vector<PortRange>{{1100, 1200}});
  CHECK(ports_of_slots(contiguous(), {0, 1023}).empty());
  CHECK(ports_of_slots(contiguous(), {0, 0}).empty());  // no block
  CHECK(ports_of_slots(contiguous(), {65024, 65535}) == std::vector<PortRange>{{65024, 65535}});
}

TEST_CASE("the table of RFC 7422 section 2.3", "[rfc7422][DET-4][DET-5]") {
  const PortRange usable{1024, 65535};
  const PortRange rows[] = {{1024, 5055},   {5056, 9087},   {9088, 13119},  {13120, 17151}, {17152, 21183},
                            {21184, 25215}, {25216, 29247}, {29248, 33279}, {33280, 37311}, {37312, 41343},
                            {41344, 45375}, {45376, 49407}, {49408, 53439}, {53440, 57471}};
  CHECK(deterministic_ports_each(usable, 16) == 4032);
  for (std::uint32_t host = 0; host < 14; ++host) {
    INFO("host ." << host + 1);
    CHECK(deterministic_range(usable, 16, host) == rows[host]);
    CHECK(deterministic_owner(usable, 16, rows[host].first) == host);
    CHECK(deterministic_owner(usable, 16, rows[host].last) == host);
  }
  CHECK(deterministic_owner(usable, 16, 2001) == 0u);
  CHECK_FALSE(deterministic_owner(usable, 16, 1023));
}

TEST_CASE("forward and reverse agree for every ratio, odd ones too", "[rfc7422][DET-1]") {
  for (const PortRange usable : {PortRange{1024, 65535}, PortRange{1, 65535}, PortRange{5000, 60001}}) {
    for (std::uint32_t ratio : {1u, 2u, 3u, 7u, 13u, 16u, 100u, 255u, 257u, 333u, 1000u}) {
      INFO(usable.text() << " by " << ratio);
      std::uint32_t wrong = 0;
      for (std::uint32_t n = 0; n < ratio; ++n) {
        const PortRange range = deterministic_range(usable, ratio, n);
        wrong += range.count() != deterministic_ports_each(usable, ratio);
        for (std::uint32_t port = range.first; port <= range.last; ++port) {
          wrong += deterministic_owner(usable, ratio, static_cast<std::uint16_t>(port)) != n;
        }
      }
      CHECK(wrong == 0);
      const std::uint32_t left_over = usable.count() % ratio;
      for (std::uint32_t i = 0; i < left_over; ++i) {
        wrong += deterministic_owner(usable, ratio, static_cast<std::uint16_t>(usable.last - i)).has_value();
      }
      CHECK(wrong == 0);
    }
  }
}
