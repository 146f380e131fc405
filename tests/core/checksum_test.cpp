// checksum.h and rewrite.h: whatever is translated has the checksums a full recomputation gives, and a wrong one
// stays wrong.
#include <catch2/catch.hpp>
#include <random>

#include "support/story.h"

using namespace apnat::test;

namespace {

class Chance {
 public:
  std::uint16_t port() { return static_cast<std::uint16_t>(std::uniform_int_distribution<int>(1, 65535)(engine_)); }
  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_); }
  Bytes bytes(std::size_t count) {
    Bytes bytes(count);
    // Now and then all ones or zeros: where sums wrap.
    const std::size_t kind = below(4);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(kind == 0 ? 0 : kind == 1 ? 255 : below(256));
    return bytes;
  }
  std::string remote() {
    return std::to_string(11 + below(80)) + "." + std::to_string(below(256)) + "." + std::to_string(below(256)) + "." +
           std::to_string(below(256));
  }
  std::string subscriber() { return "100.64.0." + std::to_string(below(256)); }

 private:
  std::mt19937 engine_{20260301};
};

Data data(Bytes bytes) {
  Data data(std::size_t{0});
  data.bytes = std::move(bytes);
  return data;
}

Packet random_packet(Chance& chance, const std::string& from, const std::string& to) {
  const Ipv4 ip{.source = from,
                .destination = to,
                .ttl = static_cast<std::uint8_t>(2 + chance.below(254)),
                .id = chance.port(),
                .tos = static_cast<std::uint8_t>(chance.below(256)),
                .options = Bytes(chance.below(4) == 0 ? 4 * chance.below(11) : 0, 1)};
  const Data payload = data(chance.bytes(chance.below(64)));
  switch (chance.below(3)) {
    case 0:
      return ip / Udp{.source = chance.port(), .destination = chance.port(), .checksum = chance.below(8) != 0} /
             payload;
    case 1:
      return ip / Tcp{.source = chance.port(), .destination = chance.port(), .flags = "S"} / payload;
    default:
      return ip / IcmpQuery{.id = chance.port()} / payload;
  }
}

// What the remote answers, with the endpoints as it sees them.
Packet answer_to(Chance& chance, const Packet& out) {
  const std::string from = out.destination(), to = out.source();
  const Ipv4 ip{.source = from, .destination = to, .id = chance.port()};
  const Data payload = data(chance.bytes(chance.below(64)));
  if (out.protocol() == 1) return ip / IcmpQuery{.id = out.source_port(), .type = 0} / payload;
  if (out.protocol() == 17)
    return ip / Udp{.source = out.destination_port(), .destination = out.source_port()} / payload;
  return ip / Tcp{.source = out.destination_port(), .destination = out.source_port(), .flags = "SA"} / payload;
}

}  // namespace

TEST_CASE("ten thousand packets and their answers keep right checksums, and what they quote too",
          "[UDP-27][ICMP-12][ICMP-36]") {
  NatSpec spec;
  spec.pools[0].external = "192.0.2.0/30";
  spec.pools[0].block_size = 256;
  auto nat = native(spec);
  Chance chance;
  for (int i = 0; i < 10'000; ++i) {
    const std::string subscriber = chance.subscriber(), remote = chance.remote();
    const Packet sent = random_packet(chance, subscriber, remote);
    const auto out = nat->outbound(sent);
    INFO(sent.text());
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    REQUIRE(out.packet.has_right_checksums());
    const auto in = nat->inbound(answer_to(chance, out.packet));
    REQUIRE(in == VERDICT_TRANSLATED_INBOUND);
    REQUIRE(in.packet.destination() == subscriber);
    REQUIRE(in.packet.has_right_checksums());
    const auto error = nat->inbound(Ipv4{.source = "203.0.113.254", .destination = out.packet.source()} /
                                    IcmpError{.type = 11, .code = 0} / out.packet);
    REQUIRE(error == VERDICT_TRANSLATED_INBOUND);
    REQUIRE(error.packet.has_right_checksums());
    REQUIRE(error.packet.quoted().has_right_checksums());
    REQUIRE(error.packet.quoted().source() == subscriber);
  }
}

TEST_CASE("a damaged packet arrives damaged", "[ID-11]") {
  auto nat = native({});
  Chance chance;
  for (int i = 0; i < 2'000; ++i) {
    Packet sent = random_packet(chance, "100.64.0.10", chance.remote());
    if (sent.protocol() == 17 && sent.bytes()[sent.transport_offset() + 6] == 0) continue;
    if (sent.bytes().size() <= sent.transport_offset() + 20) continue;
    sent.bytes().back() ^= static_cast<std::uint8_t>(1 + chance.below(254));
    const auto out = nat->outbound(sent);
    if (out == VERDICT_PORT_LIMIT) break;
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    REQUIRE_FALSE(out.packet.has_right_checksums());
  }
}
