// Blocks of ports: who gets one, how many, on which address, and what is said when there is none.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "support/story.h"

using namespace apnat::test;

namespace {

// A pool of `blocks` blocks of 64 ports on each address.
NatSpec small_pool(std::uint16_t blocks, std::uint8_t max_blocks, std::string external = "192.0.2.1") {
  NatSpec spec;
  spec.pools[0].block_size = 64;
  spec.pools[0].last_port = static_cast<std::uint16_t>(1024 + 64 * blocks - 1);
  spec.pools[0].max_blocks = max_blocks;
  spec.pools[0].external = std::move(external);
  return spec;
}

void open_many(Translator& nat, std::string_view who, int count, int first = 5000) {
  for (int n = 0; n < count; ++n) REQUIRE(nat.outbound(udp(who, first + n, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
}

std::vector<event_record> events_of(Translator& nat, enum event_type type) {
  auto events = nat.take_events();
  std::erase_if(events, [&](const event_record& event) { return event.type != type; });
  return events;
}

std::uint32_t address_of(const Translator&, const char* text) {
  return Packet(udp(text, 1, text, 1)).bytes()[15];  // the last octet
}

constexpr std::uint32_t kTwoSeconds = 32;  // ticks

}  // namespace

TEST_CASE("a subscriber at its limit is refused and told of once", "[CGN-6][SHARE-5][SHARE-6][SEC-26]") {
  auto nat = translator(GENERATE(from_range(translators())), small_pool(100, 1));
  open_many(*nat, kS1, 64);
  for (int n = 0; n < 3; ++n) CHECK(nat->outbound(udp(kS1, 9000 + n, kR1, 53)) == VERDICT_PORT_LIMIT);
  auto told = events_of(*nat, EVENT_QUOTA_EXCEEDED);
  REQUIRE(told.size() == 1);
  CHECK(told[0].verdict == VERDICT_PORT_LIMIT);
  CHECK(told[0].limit == 1);
  CHECK(told[0].suppressed == 0);
  CHECK(told[0].pool == 0);
  CHECK((told[0].subscriber >> 24) == address_of(*nat, "100.64.0.10"));
  nat->world().subscriber(kS1Reference).refusal_reported -= kTwoSeconds;
  CHECK(nat->outbound(udp(kS1, 9100, kR1, 53)) == VERDICT_PORT_LIMIT);
  told = events_of(*nat, EVENT_QUOTA_EXCEEDED);
  REQUIRE(told.size() == 1);
  CHECK(told[0].suppressed == 2);
  CHECK(nat->outbound(tcp(kS1, 9000, kR1, 80, "S")) == VERDICT_TRANSLATED_OUTBOUND);  // each protocol has its 64
}

TEST_CASE("a pool without a free block refuses new subscribers, once told, and no one else", "[CGN-24][SHARE-6]") {
  auto nat = translator(GENERATE(from_range(translators())), small_pool(2, 4));
  open_many(*nat, kS1, 1);
  open_many(*nat, kS2, 1);
  CHECK(nat->outbound(udp("100.64.0.11", 5000, kR1, 53)) == VERDICT_ADDRESS_EXHAUSTED);
  CHECK(nat->outbound(udp("100.64.0.12", 5000, kR1, 53)) == VERDICT_ADDRESS_EXHAUSTED);
  const auto told = events_of(*nat, EVENT_POOL_EXHAUSTED);
  REQUIRE(told.size() == 1);
  CHECK(told[0].verdict == VERDICT_ADDRESS_EXHAUSTED);
  CHECK(told[0].limit == 2);
  open_many(*nat, kS1, 63, 6000);
  CHECK(nat->count_mappings() == 65);
}

TEST_CASE("a subscriber stays with its address, even when only another has ports", "[UPD-9][CGN-2]") {
  auto nat = translator(GENERATE(from_range(translators())), small_pool(2, 4, "192.0.2.0/31"));
  open_many(*nat, kS1, 64);
  World& world = nat->world();
  const auto row = world.subscriber(kS1Reference).external_row_plus_one - 1;
  for (std::uint32_t block = 16; block < 18; ++block) {  // somebody takes what is left of its address
    auto& holder = world.port_block(world.external_address(row).tables, block);
    if (holder.owner_plus_one == 0) holder.owner_plus_one = 4000;
  }
  world.external_address(row).blocks_owned = 2;
  CHECK(nat->outbound(udp(kS1, 9000, kR1, 53)) == VERDICT_PORT_EXHAUSTED);
  const auto told = events_of(*nat, EVENT_QUOTA_EXCEEDED);
  REQUIRE(told.size() == 1);
  CHECK(told[0].verdict == VERDICT_PORT_EXHAUSTED);
  CHECK(nat->outbound(udp(kS2, 9000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
}

TEST_CASE("TCP, UDP and echo of a subscriber share one external address", "[CGN-2][UDP-2]") {
  auto nat = translator(GENERATE(from_range(translators())), small_pool(100, 8, "192.0.2.0/30"));
  for (const std::string_view who : {kS1, kS2, std::string_view("100.64.0.11")}) {
    std::set<std::string> addresses;
    for (int n = 0; n < 100; ++n) {
      addresses.insert(nat->outbound(udp(who, 5000 + n, kR1, 53)).packet.source());
      addresses.insert(nat->outbound(tcp(who, 5000 + n, kR2, 80, "S")).packet.source());
      addresses.insert(nat->outbound(ping(who, 5000 + n, kR1)).packet.source());
    }
    CHECK(addresses.size() == 1);
  }
}

TEST_CASE("a block given back waits before the next subscriber gets it", "[CGN-14][CGN-18][DET-16]") {
  auto nat = translator(GENERATE(from_range(translators())), small_pool(2, 4));
  World& world = nat->world();
  world.port_block(0, 16).available_from = world.now_ticks() + 1000;
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(out.packet.source_port() >= 1088);
  CHECK(nat->outbound(udp(kS2, 5000, kR1, 53)) == VERDICT_ADDRESS_EXHAUSTED);
  world.port_block(0, 16).available_from = world.now_ticks() - 1;
  CHECK(nat->outbound(udp(kS2, 5000, kR1, 53)).packet.source_port() < 1088);
}

TEST_CASE("a block that is being taken back gets nothing new, and keeps what it has", "[DET-16]") {
  auto nat = translator(GENERATE(from_range(translators())), small_pool(2, 1));
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  nat->world().subscriber(kS1Reference).closing = 1;
  CHECK(nat->outbound(udp(kS1, 5000, kR2, 53)).packet.source_endpoint() == out.packet.source_endpoint());
  CHECK(nat->outbound(udp(kS1, 5001, kR2, 53)) == VERDICT_PORT_LIMIT);
}

TEST_CASE("heavy subscribers leave the reserve to those who have nothing", "[SHARE-6]") {
  NatSpec spec = small_pool(4, 8);
  spec.pools[0].first_block_reserve = 2;
  auto nat = translator(GENERATE(from_range(translators())), spec);
  open_many(*nat, kS1, 128);
  CHECK(nat->outbound(udp(kS1, 9000, kR1, 53)) == VERDICT_PORT_EXHAUSTED);
  open_many(*nat, kS2, 64);
  CHECK(nat->outbound(udp(kS2, 9000, kR1, 53)) == VERDICT_PORT_EXHAUSTED);
  open_many(*nat, "100.64.0.11", 1);
  CHECK(nat->outbound(udp("100.64.0.12", 5000, kR1, 53)) == VERDICT_ADDRESS_EXHAUSTED);
}

TEST_CASE("a thousand subscribers spread evenly over four addresses", "[SHARE-53]") {
  NatSpec spec = small_pool(1000, 1, "192.0.2.0/30");
  spec.pools[0].internal = "10.0.0.0/22";
  auto nat = translator(GENERATE(from_range(translators())), spec);
  std::map<std::string, int> subscribers;
  for (int n = 0; n < 1000; ++n) {
    const std::string who = "10.0." + std::to_string(n / 256) + "." + std::to_string(n % 256);
    const auto out = nat->outbound(udp(who, 5000, kR1, 53));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    ++subscribers[out.packet.source()];
  }
  REQUIRE(subscribers.size() == 4);
  const auto [least, most] = std::minmax_element(subscribers.begin(), subscribers.end(),
                                                 [](const auto& a, const auto& b) { return a.second < b.second; });
  CHECK(most->second <= 1.1 * least->second);
}

TEST_CASE("a prefix that is one subscriber has one quota", "[SEC-7][CGN-6]") {
  NatSpec spec = small_pool(100, 1);
  spec.pools[0].subscriber_prefix_length = 29;
  auto nat = translator(GENERATE(from_range(translators())), spec);
  for (int n = 0; n < 64; ++n) {
    const std::string who = "100.64.0." + std::to_string(8 + n % 8);
    const auto out = nat->outbound(udp(who, 5000 + n / 8, kR1, 53));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    CHECK(nat->inbound(udp(kR1, 53, kX, out.packet.source_port())).packet.destination() == who);
  }
  CHECK(nat->outbound(udp("100.64.0.15", 9000, kR1, 53)) == VERDICT_PORT_LIMIT);
  CHECK(nat->outbound(udp("100.64.0.16", 9000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  const auto events = nat->take_events();
  REQUIRE(events.size() == 3);
  CHECK(events[0].type == EVENT_PORT_BLOCK_ASSIGNED);
  CHECK((events[0].subscriber >> 24) == 8);
  CHECK((events[1].subscriber >> 24) == 8);
  CHECK((events[2].subscriber >> 24) == 16);
}

TEST_CASE("a subscriber opens no more mappings a second than it may; what is open goes on", "[CGN-9]") {
  NatSpec spec;
  spec.pools[0].max_new_mappings_per_second = 20;
  auto nat = translator(GENERATE(from_range(translators())), spec);
  int opened = 0;
  for (int n = 0; n < 200; ++n) {
    const auto out = nat->outbound(udp(kS1, 5000 + n, kR1, 53));
    if (out == VERDICT_TRANSLATED_OUTBOUND)
      ++opened;
    else
      REQUIRE(out == VERDICT_RATE_LIMIT);
  }
  CHECK(opened >= 20);
  CHECK(opened <= 40);  // in the kernel a second may end meanwhile
  const auto told = events_of(*nat, EVENT_QUOTA_EXCEEDED);
  REQUIRE(!told.empty());
  CHECK(told[0].verdict == VERDICT_RATE_LIMIT);
  CHECK(told[0].limit == 20);
  CHECK(nat->outbound(udp(kS1, 5000, kR2, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(nat->outbound(udp(kS2, 5000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  nat->world().subscriber(kS1Reference).rate_second -= 1;
  CHECK(nat->outbound(udp(kS1, 9000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
}
