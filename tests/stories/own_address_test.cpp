// The gateway's own address as the pool: what no mapping claims is the gateway's, untouched.
#include <catch2/catch.hpp>

#include "support/story.h"

using namespace apnat::test;

namespace {

std::unique_ptr<Translator> with_own_address(const std::string& host, std::uint8_t flags = POOL_HAIRPINNING) {
  NatSpec spec;
  spec.pools[0].local = true;
  spec.pools[0].flags = flags;
  return translator(host, spec);
}

void check_left_to_gateway(const Outcome& outcome, const Packet& sent) {
  CHECK(outcome == VERDICT_TO_GATEWAY);
  CHECK(outcome.packet == sent);
}

std::vector<Packet> packets_for_the_gateway(std::string_view from) {
  return {udp(from, 5000, kX, 53),
          tcp(from, 5000, kX, 22, "S"),
          tcp(from, 5000, kX, 22, "A"),
          ping(from, 7, kX),
          Ipv4{.source = from, .destination = kX} / IcmpQuery{.id = 7, .type = 0},
          Ipv4{.source = from, .destination = kX} / IcmpError{} / udp(kX, 9, from, 53),
          Ipv4{.source = from, .destination = kX, .protocol = std::uint8_t{89}} / Data(40),
          Ipv4{.source = from, .destination = kX, .ttl = 1, .protocol = std::uint8_t{89}} / Data(40)};
}

}  // namespace

TEST_CASE("from outside, the gateway's own traffic stays its own", "[SHARE-16][rfc1812]") {
  auto nat = with_own_address(GENERATE(from_range(translators())));
  nat->outbound(udp(kS2, 4000, kR1, 53));
  for (const Packet& packet : packets_for_the_gateway(kR1)) {
    INFO(packet.text());
    const auto verdict = nat->inbound(packet);
    if (packet.ttl() == 1)
      CHECK(verdict == VERDICT_TTL_EXPIRED);  // the kernel's as well, and it is the receiver
    else
      check_left_to_gateway(verdict, packet);
  }
}

TEST_CASE("from inside, the gateway is reached at its external address", "[rfc1812]") {
  auto nat = with_own_address(GENERATE(from_range(translators())),
                              GENERATE(as<std::uint8_t>(), POOL_HAIRPINNING, std::uint8_t{0}));
  for (const Packet& packet : packets_for_the_gateway(kS1)) {
    INFO(packet.text());
    const auto verdict = nat->outbound(packet);
    if (packet.ttl() == 1)
      CHECK(verdict == VERDICT_TTL_EXPIRED);
    else
      check_left_to_gateway(verdict, packet);
  }
  CHECK(nat->count_mappings() == 0);
}

TEST_CASE("whose a fragment for the gateway's address is, only the whole datagram tells", "[FRAG-1]") {
  auto nat = with_own_address(GENERATE(from_range(translators())));
  const Packet first =
      Ipv4{.source = kR1, .destination = kX, .more_fragments = true} / Udp{.source = 1, .destination = 2} / Data(8);
  CHECK(nat->inbound(first) == VERDICT_FRAGMENT);
}

TEST_CASE("a path-MTU message about the gateway's own packet is the gateway's, believable or not", "[SEC-18]") {
  auto nat = with_own_address(GENERATE(from_range(translators())));
  const Packet own = Ipv4{.source = kX, .destination = kR1} / Udp{.source = 22, .destination = 53} / Data(1000);
  const Packet error = Ipv4{.source = kR2, .destination = kX} / IcmpError{.code = 4, .mtu = 296} / own;
  check_left_to_gateway(nat->inbound(error), error);
}

TEST_CASE("mappings of the gateway's own address work as any", "[UDP-13][UDP-15]") {
  auto nat = with_own_address(GENERATE(from_range(translators())));
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(nat->inbound(udp(kR1, 53, kX, out.packet.source_port())).packet.destination_endpoint() == "100.64.0.10:5000");
  CHECK(nat->outbound(udp(kS2, 6000, kX, out.packet.source_port())) == VERDICT_HAIRPINNED);
  CHECK(nat->outbound(udp(kS1, 5000, "100.64.255.1", 53)) == VERDICT_TO_GATEWAY);
}
