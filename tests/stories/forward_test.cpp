// Port forwards: an external endpoint that always leads to one internal endpoint, and back.
#include <catch2/catch.hpp>

#include "core_native.h"
#include "net/address.h"
#include "support/story.h"

using namespace apnat::test;

namespace {

struct Endpoint {
  const char* address;
  std::uint16_t port;
};

constexpr std::uint8_t kTcp = 6, kUdp = 17;

// Both places of a forward, as the agent writes them. `row` of external_addresses is where `external` stands.
void put_forward(World& world, std::uint8_t protocol, std::uint32_t row, std::uint16_t external_port,
                 Endpoint internal) {
  const auto address = *apnat::Ip4::parse(internal.address);
  const std::uint64_t key = core_mapping_key(address.network(), __builtin_bswap16(internal.port), protocol);
  const std::uint64_t hash = core_slot_hash(reinterpret_cast<const std::uint64_t*>(world.options().secret), key);
  const std::uint16_t slot = core_slot_of_port(&world.pool(0), external_port);
  auto& forwards = world.forward_set(core_first_set(hash, 0, SLOTS_PER_CLASS - 1) % FORWARD_SETS);
  for (auto& forward : forwards.slot) {
    if (forward.key != 0) continue;
    forward = {.key = key, .external_row = row, .slot = slot, .reserved = 0};
    break;
  }
  world.subscriber(address.value() & 255).flags |= SUBSCRIBER_HAS_FORWARDS;
  const std::uint32_t protocol_class = protocol == kTcp ? 0 : 1;
  auto& mapping =
      world.mapping_set(world.external_address(row).tables, protocol_class * SETS_PER_CLASS + slot / SET_SLOTS)
          .slot[slot % SET_SLOTS];
  mapping.last_seen = world.now_ticks();
  mapping.state = 0;
  mapping.key = key | std::uint64_t{MARK_STATIC} << 56;
}

constexpr std::uint32_t kRowOfX = 1;  // 192.0.2.1 in the chunk of its /24

}  // namespace

TEST_CASE("a server is reached at its forward without having said a word", "[SHARE-16]") {
  NatSpec spec;
  spec.pools[0].layout = GENERATE(as<enum port_layout>(), LAYOUT_CONTIGUOUS, LAYOUT_PSID, LAYOUT_SCATTERED);
  auto nat = translator(GENERATE(from_range(translators())), spec);
  put_forward(nat->world(), kTcp, kRowOfX, 8443, {"100.64.0.10", 443});
  const auto syn = nat->inbound(tcp(kR1, 40000, kX, 8443, "S"));
  REQUIRE(syn == VERDICT_TRANSLATED_INBOUND);
  CHECK(syn.packet.destination_endpoint() == "100.64.0.10:443");
  const auto answer = nat->outbound(tcp(kS1, 443, kR1, 40000, "SA"));
  REQUIRE(answer == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(answer.packet.source_endpoint() == "192.0.2.1:8443");
  CHECK(answer.packet.has_right_checksums());
  CHECK(nat->take_events().empty());
}

TEST_CASE("a forward is of one protocol", "[SHARE-16][UPD-12]") {
  auto nat = translator(GENERATE(from_range(translators())));
  put_forward(nat->world(), kTcp, kRowOfX, 8443, {"100.64.0.10", 443});
  CHECK(nat->inbound(udp(kR1, 40000, kX, 8443)) == VERDICT_NO_MAPPING);
  CHECK(nat->outbound(udp(kS1, 443, kR1, 40000)).packet.source_port() != 8443);
}

TEST_CASE("a forward may stand at a port that no subscriber gets", "[SHARE-16]") {
  auto nat = translator(GENERATE(from_range(translators())));
  put_forward(nat->world(), kUdp, kRowOfX, 53, {"100.64.0.10", 5353});
  CHECK(nat->inbound(udp(kR1, 40000, kX, 53)).packet.destination_endpoint() == "100.64.0.10:5353");
  CHECK(nat->outbound(udp(kS1, 5353, kR1, 40000)).packet.source_endpoint() == "192.0.2.1:53");
  const auto other = nat->outbound(udp(kS1, 5354, kR1, 40000));  // its other ports are as everyone's
  CHECK(other == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(other.packet.source_port() >= 1024);
}

TEST_CASE("a forward does not expire, whatever its connections do", "[SHARE-16]") {
  auto nat = translator(GENERATE(from_range(translators())));
  put_forward(nat->world(), kTcp, kRowOfX, 8443, {"100.64.0.10", 443});
  nat->inbound(tcp(kR1, 40000, kX, 8443, "S"));
  nat->outbound(tcp(kS1, 443, kR1, 40000, "R"));
  nat->age(1'000'000);
  CHECK(nat->inbound(tcp(kR2, 40001, kX, 8443, "S")) == VERDICT_TRANSLATED_INBOUND);
  CHECK(nat->outbound(tcp(kS1, 443, kR2, 40001, "SA")).packet.source_endpoint() == "192.0.2.1:8443");
}

TEST_CASE("the port of a forward is given to no one else, though it lies in a block", "[SHARE-16][SHARE-6]") {
  NatSpec spec;
  spec.pools[0].assignment = ASSIGN_STATIC;
  spec.pools[0].fixed = {{"100.64.0.20", 2000, 2063}};
  auto nat = translator(GENERATE(from_range(translators())), spec);
  put_forward(nat->world(), kUdp, kRowOfX, 2005, {"100.64.0.10", 5353});
  for (int n = 0; n < 63; ++n) {
    const auto out = nat->outbound(udp(kS2, 5000 + n, kR1, 53));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    CHECK(out.packet.source_port() != 2005);
  }
  nat->age(303);
  CHECK(nat->outbound(udp(kS2, 9000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(nat->inbound(udp(kR1, 40000, kX, 2005)).packet.destination_endpoint() == "100.64.0.10:5353");
}

TEST_CASE("a forward on another address of the pool is answered from there", "[SHARE-16]") {
  NatSpec spec;
  spec.pools[0].external = "192.0.2.0/30";
  auto nat = translator(GENERATE(from_range(translators())), spec);
  const std::string paired = nat->outbound(udp(kS1, 5000, kR1, 53)).packet.source();
  const std::uint32_t row = paired == "192.0.2.2" ? 3 : 2;
  put_forward(nat->world(), kUdp, row, 8080, {"100.64.0.10", 80});
  const std::string external = "192.0.2." + std::to_string(row);
  CHECK(nat->inbound(udp(kR1, 40000, external, 8080)).packet.destination_endpoint() == "100.64.0.10:80");
  CHECK(nat->outbound(udp(kS1, 80, kR1, 40000)).packet.source_endpoint() == external + ":8080");
  CHECK(nat->outbound(udp(kS1, 5000, kR1, 40000)).packet.source() == paired);
}

TEST_CASE("a forward is reached from inside, and errors about it are restored", "[SHARE-16][UDP-15][ICMP-15]") {
  auto nat = translator(GENERATE(from_range(translators())));
  put_forward(nat->world(), kUdp, kRowOfX, 8080, {"100.64.0.10", 80});
  const auto turned = nat->outbound(udp(kS2, 5000, kX, 8080));
  REQUIRE(turned == VERDICT_HAIRPINNED);
  CHECK(turned.packet.destination_endpoint() == "100.64.0.10:80");
  CHECK(nat->outbound(udp(kS1, 80, kX, turned.packet.source_port())).packet.source_endpoint() == "192.0.2.1:8080");
  const auto error = nat->outbound(Ipv4{.source = kS1, .destination = kR1} / IcmpError{} / udp(kR1, 53, kS1, 80));
  REQUIRE(error == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(error.packet.quoted().destination_endpoint() == "192.0.2.1:8080");
}
