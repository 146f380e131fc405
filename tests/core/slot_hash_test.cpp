// slot_hash.h and mapping.h: how full a block gets before look-ups become long, and that nobody outside can tell the
// next port.
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "core_native.h"
#include "net/address.h"
#include "support/memory_world.h"
#include "support/story.h"

using namespace apnat::test;

namespace {

constexpr std::uint32_t kBlock = 512;

NatSpec one_block_each() {
  NatSpec spec;
  spec.pools[0].max_blocks = 1;
  spec.pools[0].external = "192.0.2.0/29";
  return spec;
}

std::string nth(int n) { return "100.64.0." + std::to_string(n); }

std::uint64_t hash_of(Translator& nat, const std::string& who, std::uint16_t port) {
  const std::uint64_t key = core_mapping_key(apnat::Ip4::parse(who)->network(), __builtin_bswap16(port), 17);
  return core_slot_hash(reinterpret_cast<const std::uint64_t*>(nat.world().options().secret), key);
}

// Internal ports as hosts choose them: one after another, or anyhow.
std::vector<std::uint16_t> internal_ports(std::mt19937& chance, bool in_order) {
  std::vector<std::uint16_t> ports(kBlock);
  const std::uint16_t first = static_cast<std::uint16_t>(1024 + chance() % 60000);
  for (std::uint32_t i = 0; i < kBlock; ++i) ports[i] = static_cast<std::uint16_t>(first + i);
  if (!in_order) {
    std::vector<std::uint16_t> all(64512);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(1024 + i);
    std::shuffle(all.begin(), all.end(), chance);
    std::copy_n(all.begin(), kBlock, ports.begin());
  }
  return ports;
}

// The offset in its block of each new mapping's port, in the order of opening.
std::vector<int> offsets(Translator& nat, const std::string& who, const std::vector<std::uint16_t>& ports,
                         std::size_t count) {
  std::vector<int> offsets;
  for (std::size_t i = 0; i < count; ++i) {
    const auto out = nat.outbound(udp(who, ports[i], kR1, 53));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    offsets.push_back(out.packet.source_port() % static_cast<int>(kBlock));
  }
  return offsets;
}

double correlation(const std::vector<std::pair<double, double>>& pairs) {
  double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
  const auto n = static_cast<double>(pairs.size());
  for (const auto& [a, b] : pairs) x += a, y += b, xx += a * a, yy += b * b, xy += a * b;
  return (n * xy - x * y) / std::sqrt((n * xx - x * x) * (n * yy - y * y));
}

}  // namespace

TEST_CASE("a block fills to nine tenths before any look-up must leave its two sets", "[SHARE-6]") {
  const bool in_order = GENERATE(true, false);
  auto nat = native(one_block_each());
  std::mt19937 chance(1);
  double filled = 0;
  constexpr int kSubscribers = 100;
  for (int n = 0; n < kSubscribers; ++n) {
    const auto ports = internal_ports(chance, in_order);
    auto& row = nat->world().subscriber(static_cast<std::uint32_t>(n));
    std::size_t opened = 0;
    while (opened < kBlock && row.overflowed == 0)
      REQUIRE(nat->outbound(udp(nth(n), ports[opened++], kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
    filled += static_cast<double>(opened) / kBlock;
  }
  CHECK(filled / kSubscribers > 0.88);
}

TEST_CASE("at half full nearly every mapping is found in the first set", "[SHARE-6]") {
  const bool in_order = GENERATE(true, false);
  auto nat = native(one_block_each());
  std::mt19937 chance(2);
  int first = 0, all = 0;
  for (int n = 0; n < 100; ++n) {
    const auto ports = internal_ports(chance, in_order);
    const auto slots = offsets(*nat, nth(n), ports, kBlock / 2);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const std::uint32_t set = core_first_set(hash_of(*nat, nth(n), ports[i]), 0, kBlock - 1);
      first += static_cast<std::uint32_t>(slots[i]) / SET_SLOTS == set;
      ++all;
    }
  }
  CHECK(first >= 0.97 * all);
}

TEST_CASE("ports are chosen evenly and none tells of the next", "[RAND-1][RAND-3]") {
  const bool in_order = GENERATE(true, false);
  auto nat = native(one_block_each());
  std::mt19937 chance(3);
  std::vector<int> bins(64);
  std::vector<std::pair<double, double>> successive;
  int count = 0, plus_one = 0;
  for (int n = 0; n < 40; ++n) {
    const auto chosen = offsets(*nat, nth(n), internal_ports(chance, in_order), 250);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      ++bins[static_cast<std::size_t>(chosen[i]) / 8];
      ++count;
      if (i == 0) continue;
      successive.emplace_back(chosen[i - 1], chosen[i]);
      plus_one += chosen[i] == chosen[i - 1] + 1;
    }
  }
  REQUIRE(count == 10'000);
  double chi_square = 0;
  for (const int bin : bins) chi_square += std::pow(bin - count / 64.0, 2) / (count / 64.0);
  CHECK(chi_square < 92.0);  // 63 degrees of freedom, 1 %
  CHECK(std::abs(correlation(successive)) < 0.03);
  CHECK(plus_one < 60);  // 20 expected
}

TEST_CASE("behind a busy run of a block no port is more likely than others", "[RAND-3]") {
  constexpr int kTrials = 200;
  NatSpec spec = one_block_each();
  spec.pools[0].external = "192.0.2.0/28";
  auto nat = native(spec);
  std::vector<int> chosen(kBlock / SET_SLOTS);
  for (int n = 0; n < kTrials; ++n) {
    const auto first = nat->outbound(udp(nth(n), 5000, kR1, 53));
    REQUIRE(first == VERDICT_TRANSLATED_OUTBOUND);
    const auto& row = nat->world().subscriber(static_cast<std::uint32_t>(n));
    for (std::uint32_t slot = row.block[0].first; slot < row.block[0].first + kBlock / 2; ++slot) {
      auto& mapping = nat->world().mapping_set(row.tables, SETS_PER_CLASS + slot / SET_SLOTS).slot[slot % SET_SLOTS];
      if (mapping.key == 0) mapping.key = core_mapping_key(0x0100000a, static_cast<std::uint16_t>(slot), 17);
      mapping.last_seen = nat->world().now_ticks();
    }
    for (int i = 1; i <= 20; ++i) {
      const auto out = nat->outbound(udp(nth(n), 5000 + i, kR1, 53));
      REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
      ++chosen[static_cast<std::size_t>(out.packet.source_port()) % kBlock / SET_SLOTS];
    }
  }
  constexpr int kEven = kTrials * 20 / (kBlock / SET_SLOTS / 2);  // of each free set
  for (std::size_t set = kBlock / SET_SLOTS / 2; set < chosen.size(); ++set) {
    INFO("set " << set);
    CHECK(chosen[set] < 3 * kEven);
  }
}

TEST_CASE("two secrets choose unrelated ports for the same endpoints", "[RAND-4]") {
  std::array<std::vector<int>, 2> ports;
  for (std::size_t gateway = 0; gateway < 2; ++gateway) {
    auto nat = native(one_block_each());
    for (auto& word : nat->world().options().secret) word ^= gateway * 0x5851f42d4c957f2dull;
    std::mt19937 chance(4);
    ports[gateway] = offsets(*nat, kS1.data(), internal_ports(chance, true), 200);
  }
  std::vector<std::pair<double, double>> pairs;
  int equal = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    pairs.emplace_back(ports[0][i], ports[1][i]);
    equal += ports[0][i] == ports[1][i];
  }
  CHECK(equal < 6);
  CHECK(std::abs(correlation(pairs)) < 0.25);
}

TEST_CASE("a mapping's port does not depend on whom it talks to", "[RAND-4][UDP-1]") {
  std::array<std::vector<int>, 2> ports;
  for (std::size_t remote = 0; remote < 2; ++remote) {
    auto nat = native(one_block_each());
    for (int port = 5000; port < 5100; ++port)
      ports[remote].push_back(
          nat->outbound(udp(kS1, port, remote ? kR1 : kR2, 53 + static_cast<int>(remote))).packet.source_port());
  }
  CHECK(ports[0] == ports[1]);
}
