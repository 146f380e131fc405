// What those behind a shared address must not notice of each other, and the far end not of the sharing (RFC 6269).
#include <catch2/catch.hpp>

#include "support/story.h"

using namespace apnat::test;

TEST_CASE("two subscribers speak IKE with one gateway, and a keepalive of one octet keeps their ways open",
          "[SHARE-47]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const int port = GENERATE(500, 4500);
  const auto keepalive = [&](std::string_view source) -> Packet {
    return Ipv4{.source = source, .destination = kR1} /
           Udp{.source = static_cast<std::uint16_t>(port), .destination = static_cast<std::uint16_t>(port)} /
           Data("\xff");
  };
  const auto one = nat->outbound(udp(kS1, port, kR1, port));
  const auto other = nat->outbound(udp(kS2, port, kR1, port));
  REQUIRE(one == VERDICT_TRANSLATED_OUTBOUND);
  REQUIRE(other == VERDICT_TRANSLATED_OUTBOUND);
  REQUIRE(one.packet.source() == kX);
  REQUIRE(other.packet.source() == kX);
  CHECK(one.packet.source_port() != other.packet.source_port());
  CHECK(one.packet.destination_port() == port);

  for (int i = 0; i < 20; ++i) {  // for longer than a mapping lives
    nat->age(20);
    CHECK(nat->outbound(keepalive(kS1)).packet.source_endpoint() == one.packet.source_endpoint());
    CHECK(nat->outbound(keepalive(kS2)).packet.source_endpoint() == other.packet.source_endpoint());
  }
  const auto answer = [&](const auto& to) { return nat->inbound(udp(kR1, port, kX, to.packet.source_port())); };
  CHECK(answer(one).packet.destination_endpoint() == std::string(kS1) + ":" + std::to_string(port));
  CHECK(answer(other).packet.destination_endpoint() == std::string(kS2) + ":" + std::to_string(port));
  nat->age(301);
  CHECK(answer(one) == VERDICT_NO_MAPPING);
}

TEST_CASE("nothing in what leaves says who sent it: no option, no ID, nothing but the endpoint is another",
          "[SHARE-42]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const Bytes options = {2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
  const auto syn = [&](std::string_view source, std::uint16_t port, std::uint8_t ttl) -> Packet {
    return Ipv4{.source = source, .destination = kR1, .ttl = ttl, .tos = 8} /
           Tcp{.source = port, .destination = 80, .flags = "S", .options = options};
  };
  for (const std::string_view subscriber : {kS1, kS2}) {
    const auto out = nat->outbound(syn(subscriber, 5000, 64));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    CHECK(out.packet == syn(kX, out.packet.source_port(), 63));
  }
}
