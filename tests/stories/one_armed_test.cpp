// One interface for both realms: the addresses, not the interface, say which way a packet goes.
#include <catch2/catch.hpp>

#include "support/story.h"

using namespace apnat::test;

namespace {

std::unique_ptr<Translator> one_armed(const std::string& host) {
  NatSpec spec;
  spec.one_armed = true;
  return translator(host, spec);
}

}  // namespace

TEST_CASE("with one arm, out and back by the same interface", "[rfc4787]") {
  auto nat = one_armed(GENERATE(from_range(translators())));
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(out.packet.source() == kX);
  const auto back = nat->outbound(udp(kR1, 53, kX, out.packet.source_port()));  // by the subscribers' interface too
  REQUIRE(back == VERDICT_TRANSLATED_INBOUND);
  CHECK(back.packet.destination_endpoint() == "100.64.0.10:5000");
  CHECK(back.packet.has_right_checksums());
}

TEST_CASE("with one arm, who is no subscriber is outside", "[SEC-3]") {
  auto nat = one_armed(GENERATE(from_range(translators())));
  CHECK(nat->outbound(udp(kR1, 5000, kS1, 5000)) == VERDICT_INTERNAL_FROM_OUTSIDE);
  CHECK(nat->outbound(udp(kR1, 5000, kR2, 5000)) == VERDICT_NOT_OURS);
  CHECK(nat->outbound(udp(kR1, 5000, kX, 5000)) == VERDICT_NO_MAPPING);
  CHECK(nat->outbound(udp("127.0.0.1", 5000, kX, 5000)) == VERDICT_MARTIAN);
  CHECK(nat->outbound(udp(kR1, 5000, "198.51.100.254", 53)) == VERDICT_TO_GATEWAY);
  CHECK(nat->outbound(udp(kS1, 5000, "198.51.100.254", 53)) == VERDICT_TO_GATEWAY);
}

TEST_CASE("with one arm, subscribers reach each other's external endpoints", "[UDP-15]") {
  auto nat = one_armed(GENERATE(from_range(translators())));
  const auto listener = nat->outbound(udp(kS2, 6000, kR1, 53));
  const auto turned = nat->outbound(udp(kS1, 5000, kX, listener.packet.source_port()));
  REQUIRE(turned == VERDICT_HAIRPINNED);
  CHECK(turned.packet.destination_endpoint() == "100.64.0.20:6000");
}

TEST_CASE("with one arm, errors go both ways", "[ICMP-12][ICMP-15]") {
  auto nat = one_armed(GENERATE(from_range(translators())));
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  const auto in = nat->outbound(Ipv4{.source = kR2, .destination = kX} / IcmpError{} / out.packet);
  REQUIRE(in == VERDICT_TRANSLATED_INBOUND);
  CHECK(in.packet.quoted().source_endpoint() == "100.64.0.10:5000");
  const auto reply = udp(kR1, 53, kS1, 5000);
  const auto back = nat->outbound(Ipv4{.source = kS1, .destination = kR1} / IcmpError{} / reply);
  REQUIRE(back == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(back.packet.quoted().destination_endpoint() == out.packet.source_endpoint());
}
