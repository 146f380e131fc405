// Which external ports a subscriber gets, by the pool's port layout, and that they lead back.
#include <catch2/catch.hpp>
#include <set>

#include "core_native.h"
#include "support/story.h"

using namespace apnat::test;

namespace {

// The external ports of `count` mappings of `who`, each checked to lead back to its internal endpoint.
std::set<std::uint16_t> open_many(Translator& nat, std::string_view who, int count) {
  std::set<std::uint16_t> ports;
  for (int port = 5000; port < 5000 + count; ++port) {
    const auto out = nat.outbound(udp(who, port, kR1, 53));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    REQUIRE(out.packet.has_right_checksums());
    ports.insert(out.packet.source_port());
    const auto in = nat.inbound(udp(kR2, 99, kX, out.packet.source_port()));
    REQUIRE(in == VERDICT_TRANSLATED_INBOUND);
    REQUIRE(in.packet.destination() == who);
    REQUIRE(in.packet.destination_port() == port);
  }
  CHECK(ports.size() == static_cast<std::size_t>(count));
  return ports;
}

NatSpec with_layout(enum port_layout layout, std::uint32_t block_size) {
  NatSpec spec;
  spec.pools[0].layout = layout;
  spec.pools[0].block_size = block_size;
  spec.pools[0].max_blocks = 1;
  return spec;
}

}  // namespace

TEST_CASE("a subscriber's ports are one port set of RFC 7597, and nobody's are below it", "[MAP-1][MAP-3][MAP-4]") {
  auto nat = translator(GENERATE(from_range(translators())), with_layout(LAYOUT_PSID, 256));  // a = 6, k = 8, m = 2
  const auto ports = open_many(*nat, kS1, 252);
  CHECK(nat->outbound(udp(kS1, 9000, kR1, 53)) == VERDICT_PORT_LIMIT);
  const auto others = open_many(*nat, kS2, 252);
  const auto psid = [](std::uint16_t port) { return port >> 2 & 0xff; };
  for (const auto& set : {ports, others}) {
    std::set<int> ranges;
    for (const std::uint16_t port : set) {
      CHECK(psid(port) == psid(*set.begin()));
      CHECK(port >= 1024);
      ranges.insert(port >> 10);
    }
    CHECK(ranges.size() == 63);
  }
  CHECK(psid(*ports.begin()) != psid(*others.begin()));
}

TEST_CASE("without an offset a port set is one range", "[MAP-1][MAP-3]") {
  NatSpec spec = with_layout(LAYOUT_PSID, 1024);
  spec.pools[0].psid_offset = 0;
  spec.pools[0].first_port = 0;
  auto nat = translator(GENERATE(from_range(translators())), spec);
  const auto ports = open_many(*nat, kS1, 200);
  CHECK(*ports.begin() >> 10 == *ports.rbegin() >> 10);
}

TEST_CASE("scattered, a subscriber's ports show no range to guess", "[MAP-4][RAND-2]") {
  NatSpec spec = with_layout(LAYOUT_SCATTERED, 512);
  auto nat = translator(GENERATE(from_range(translators())), spec);
  const auto ports = open_many(*nat, kS1, 400);
  std::set<int> kilos;
  int neighbours = 0;
  for (const std::uint16_t port : ports) {
    CHECK(port >= 1024);
    kilos.insert(port >> 10);
    neighbours += ports.count(static_cast<std::uint16_t>(port + 1)) != 0;
  }
  CHECK(kilos.size() > 55);  // of 63
  CHECK(neighbours < 15);    // of 400 in 64,512: 2.5 expected
}

TEST_CASE("scattered, only ports of the pool's range are given", "[RAND-2][SHARE-6]") {
  NatSpec spec = with_layout(LAYOUT_SCATTERED, 64);
  spec.pools[0].first_port = 32768;
  auto nat = translator(GENERATE(from_range(translators())), spec);
  REQUIRE(nat->outbound(udp(kS1, 4999, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  const auto block = nat->world().subscriber(kS1Reference).block[0];
  int usable = 0;
  for (std::uint32_t slot = block.first; slot <= block.last; ++slot)
    usable += core_is_usable_slot(&nat->world().pool(0), static_cast<std::uint16_t>(slot));
  REQUIRE(usable > 1);
  REQUIRE(usable < 64);
  for (const std::uint16_t port : open_many(*nat, kS1, usable - 1)) CHECK(port >= 32768);
  CHECK(nat->outbound(udp(kS1, 9000, kR1, 53)) == VERDICT_PORT_LIMIT);
}

TEST_CASE("contiguous, a subscriber's ports are one run", "[DET-1]") {
  auto nat = translator(GENERATE(from_range(translators())), with_layout(LAYOUT_CONTIGUOUS, 512));
  const auto ports = open_many(*nat, kS1, 512);
  CHECK(*ports.rbegin() - *ports.begin() == 511);
  CHECK(*ports.begin() % 512 == 0);
}

TEST_CASE("hairpinning and ICMP errors know every layout", "[UDP-15][ICMP-12][ICMP-15]") {
  const auto layout = GENERATE(as<enum port_layout>(), LAYOUT_CONTIGUOUS, LAYOUT_PSID, LAYOUT_SCATTERED);
  auto nat = translator(GENERATE(from_range(translators())), with_layout(layout, 512));
  const auto listener = nat->outbound(udp(kS2, 6000, kR1, 53));
  const auto turned = nat->outbound(udp(kS1, 5000, kX, listener.packet.source_port()));
  REQUIRE(turned == VERDICT_HAIRPINNED);
  CHECK(turned.packet.destination_endpoint() == "100.64.0.20:6000");
  const auto answer = nat->outbound(udp(kS2, 6000, kX, turned.packet.source_port()));
  CHECK(answer.packet.destination_endpoint() == "100.64.0.10:5000");

  const auto in = nat->inbound(Ipv4{.source = kR2, .destination = kX} / IcmpError{} / listener.packet);
  REQUIRE(in == VERDICT_TRANSLATED_INBOUND);
  CHECK(in.packet.quoted().source_endpoint() == "100.64.0.20:6000");
  CHECK(in.packet.has_right_checksums());
  const auto out = nat->outbound(Ipv4{.source = kS2, .destination = kR1} / IcmpError{} / udp(kR1, 53, kS2, 6000));
  REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(out.packet.quoted().destination_endpoint() == listener.packet.source_endpoint());
  CHECK(out.packet.has_right_checksums());
}
