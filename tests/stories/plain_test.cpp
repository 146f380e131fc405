// What a plain NAT44 promises, packet by packet, on every host of the translator.
#include <catch2/catch.hpp>
#include <set>

#include "support/translator.h"

using namespace apnat::test;

namespace {

Packet udp(std::string_view source, std::uint16_t from, std::string_view destination, std::uint16_t to) {
  return Ipv4{.source = source, .destination = destination} / Udp{.source = from, .destination = to} / Data("hello");
}

Packet tcp(std::string_view source, std::uint16_t from, std::string_view destination, std::uint16_t to,
           std::string_view flags) {
  return Ipv4{.source = source, .destination = destination} / Tcp{.source = from, .destination = to, .flags = flags};
}

constexpr std::string_view kS1 = "100.64.0.10", kS2 = "100.64.0.20", kR1 = "198.51.100.1", kR2 = "198.51.100.2",
                           kX = "192.0.2.1";

}  // namespace

TEST_CASE("a subscriber keeps its external endpoint towards every destination", "[UDP-1][TCP-1][rfc4787]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto dns = nat->outbound(udp(kS1, 5000, kR1, 53));
  const auto web = nat->outbound(udp(kS1, 5000, kR2, 9999));
  REQUIRE(dns == VERDICT_TRANSLATED_OUTBOUND);
  REQUIRE(web == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(dns.packet.source() == kX);
  CHECK(dns.packet.source_endpoint() == web.packet.source_endpoint());
  CHECK(dns.packet.destination_endpoint() == "198.51.100.1:53");
  CHECK(dns.packet.source_port() >= 1024);
  CHECK(dns.packet.ttl() == 63);
  CHECK(dns.packet.has_right_checksums());
  CHECK(nat->count_mappings() == 1);
}

TEST_CASE("a reply comes back to the one who asked, from any remote", "[UDP-13][UDP-16][SHARE-18]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  const auto reply = nat->inbound(udp(kR1, 53, kX, out.packet.source_port()));
  REQUIRE(reply == VERDICT_TRANSLATED_INBOUND);
  CHECK(reply.packet.destination_endpoint() == "100.64.0.10:5000");
  CHECK(reply.packet.source_endpoint() == "198.51.100.1:53");
  CHECK(reply.packet.has_right_checksums());
  CHECK(nat->inbound(udp(kR2, 77, kX, out.packet.source_port())) == VERDICT_TRANSLATED_INBOUND);
  CHECK(nat->inbound(udp(kR1, 53, kX, static_cast<std::uint16_t>(out.packet.source_port() ^ 1))) == VERDICT_NO_MAPPING);
}

TEST_CASE("two subscribers with one port never share an external endpoint", "[UDP-3][TCP-13]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto one = nat->outbound(udp(kS1, 5000, kR1, 53));
  const auto other = nat->outbound(udp(kS2, 5000, kR1, 53));
  CHECK(one.packet.source_endpoint() != other.packet.source_endpoint());
  CHECK(nat->inbound(udp(kR1, 53, kX, other.packet.source_port())).packet.destination_endpoint() == "100.64.0.20:5000");
}

TEST_CASE("mappings are per protocol", "[UPD-12][UPD-13][UPD-14]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto over_tcp = nat->outbound(tcp(kS1, 5000, kR1, 80, "S"));
  REQUIRE(over_tcp == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(nat->inbound(udp(kR1, 80, kX, over_tcp.packet.source_port())) == VERDICT_NO_MAPPING);
}

TEST_CASE("a whole block of ports can be used, and not one more", "[SHARE-5][CGN-6][SHARE-6][CGN-25]") {
  NatSpec spec;
  spec.pools[0].block_size = 64;
  spec.pools[0].max_blocks = 2;
  auto nat = translator(GENERATE(from_range(translators())), spec);
  std::set<std::uint16_t> ports;
  for (std::uint16_t i = 0; i < 128; ++i) {
    const auto out = nat->outbound(udp(kS1, static_cast<std::uint16_t>(5000 + i), kR1, 53));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    ports.insert(out.packet.source_port());
  }
  CHECK(ports.size() == 128);
  CHECK(nat->outbound(udp(kS1, 9000, kR1, 53)) == VERDICT_PORT_LIMIT);
  for (std::uint16_t i = 0; i < 128; ++i) {  // nobody was evicted, and every one is found again
    const auto out = nat->outbound(udp(kS1, static_cast<std::uint16_t>(5000 + i), kR2, 53));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    CHECK(ports.count(out.packet.source_port()) == 1);
  }
  CHECK(nat->outbound(udp(kS2, 5000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(nat->count_mappings() == 129);
}

TEST_CASE("load and conflicts change nothing: each port has one endpoint for all, heard from all", "[UDP-20][UDP-13]") {
  NatSpec spec;
  spec.pools[0].block_size = 64;
  spec.pools[0].max_blocks = 1;
  auto nat = translator(GENERATE(from_range(translators())), spec);
  // The same internal ports of three subscribers towards three destinations, until 61 of 64 external ports are taken.
  std::set<std::string> endpoints;
  for (std::uint16_t port = 5000; port < 5061; ++port) {
    for (const std::string_view who : {kS1, kS2, std::string_view("100.64.0.30")}) {
      const auto out = nat->outbound(udp(who, port, kR1, 53));
      REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
      endpoints.insert(out.packet.source_endpoint());
      for (const std::string_view remote : {kR2, std::string_view("203.0.113.9")}) {
        CHECK(nat->outbound(udp(who, port, remote, 9999)).packet.source_endpoint() == out.packet.source_endpoint());
      }
      const auto in = nat->inbound(udp("203.0.113.200", 77, kX, out.packet.source_port()));
      CHECK(in.packet.destination_endpoint() == std::string(who) + ":" + std::to_string(port));
    }
  }
  CHECK(endpoints.size() == 3 * 61);
}

TEST_CASE("a block is announced with its number before its first packet leaves", "[LOG-1][LOG-7][DET-13][SHARE-39]") {
  auto nat = translator(GENERATE(from_range(translators())));
  nat->outbound(udp(kS1, 5000, kR1, 53));
  nat->outbound(udp(kS1, 5001, kR1, 53));
  const auto events = nat->take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].type == EVENT_PORT_BLOCK_ASSIGNED);
  CHECK(events[0].seq == 1);
  CHECK(events[0].last_slot - events[0].first_slot == 511);
  CHECK(nat->world().node().next_seq == 2);
}

TEST_CASE("from inside, a stranger's packet is dropped and told", "[SEC-1][SHARE-48][SEC-26]") {
  auto nat = translator(GENERATE(from_range(translators())));
  CHECK(nat->outbound(udp("203.0.113.9", 5000, kR1, 53)) == VERDICT_NOT_A_SUBSCRIBER);
  CHECK(nat->outbound(udp("203.0.113.9", 5001, kR1, 53)) == VERDICT_NOT_A_SUBSCRIBER);
  const auto events = nat->take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].type == EVENT_SOURCE_SPOOFED);
  CHECK(nat->count_mappings() == 0);
}

TEST_CASE("from outside, nobody has an address of ours, and none goes straight inside", "[SEC-3]") {
  auto nat = translator(GENERATE(from_range(translators())));
  nat->outbound(udp(kS1, 5000, kR1, 53));
  CHECK(nat->inbound(udp(kX, 5000, kX, 4000)) == VERDICT_LAND);
  NatSpec wide;
  wide.pools[0].external = "192.0.2.0/30";
  auto other = translator(nat->name(), wide);
  CHECK(other->inbound(udp("192.0.2.2", 5000, kX, 4000)) == VERDICT_SOURCE_SPOOFED);
  CHECK(nat->inbound(udp("127.0.0.1", 5000, kX, 4000)) == VERDICT_MARTIAN);
  CHECK(nat->inbound(udp(kR1, 5000, kS1, 5000)) == VERDICT_INTERNAL_FROM_OUTSIDE);
  CHECK(nat->inbound(udp(kR1, 5000, "203.0.113.9", 5000)) == VERDICT_NOT_OURS);
}

TEST_CASE("the gateway's own addresses, other protocols and link-local groups are the kernel's", "[rfc1812]") {
  auto nat = translator(GENERATE(from_range(translators())));
  CHECK(nat->outbound(udp(kS1, 5000, "100.64.255.1", 53)) == VERDICT_TO_GATEWAY);
  CHECK(nat->inbound(udp(kR1, 5000, "198.51.100.254", 53)) == VERDICT_TO_GATEWAY);
  CHECK(nat->inbound(udp(kR1, 5000, "224.0.0.5", 53)) == VERDICT_LINK_LOCAL);
  CHECK(nat->outbound(udp("0.0.0.0", 68, "255.255.255.255", 67)) == VERDICT_LINK_LOCAL);
  CHECK(nat->outbound(udp(kS1, 5000, "239.1.1.1", 53)) == VERDICT_MULTICAST);
  Bytes ipv6 = link_frame(Packet(Bytes(60)), 0x86dd);
  CHECK(nat->frame(nat->world().inside_ifindex(), ipv6) == VERDICT_NOT_IPV4);
}

TEST_CASE("a subscriber reaches another's external endpoint, and itself", "[UDP-15][UDP-16][UDP-17][TCP-14][SEC-22]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto listener = nat->outbound(udp(kS2, 6000, kR1, 53));
  const auto turned = nat->outbound(udp(kS1, 5000, kX, listener.packet.source_port()));
  REQUIRE(turned == VERDICT_HAIRPINNED);
  CHECK(turned.packet.destination_endpoint() == "100.64.0.20:6000");
  CHECK(turned.packet.source() == kX);
  CHECK(turned.packet.ttl() == 63);
  CHECK(turned.packet.has_right_checksums());
  const auto answer = nat->outbound(udp(kS2, 6000, kX, turned.packet.source_port()));
  REQUIRE(answer == VERDICT_HAIRPINNED);
  CHECK(answer.packet.destination_endpoint() == "100.64.0.10:5000");
  CHECK(answer.packet.source_endpoint() == listener.packet.source_endpoint());
  const auto itself = nat->outbound(udp(kS1, 5000, kX, turned.packet.source_port()));
  CHECK(itself == VERDICT_HAIRPINNED);
  CHECK(itself.packet.destination_endpoint() == "100.64.0.10:5000");
  CHECK(nat->outbound(udp(kS1, 5000, kX, 1)) == VERDICT_NO_MAPPING);
}

TEST_CASE("an echo goes out with an identifier of its own and its reply comes back", "[ICMP-1][ICMP-2][SHARE-28]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const Packet ping = Ipv4{.source = kS1, .destination = kR1} / IcmpQuery{.id = 0x1234} / Data(56);
  const auto out = nat->outbound(ping);
  REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(out.packet.source() == kX);
  CHECK(out.packet.has_right_checksums());
  const auto other = nat->outbound(Ipv4{.source = kS2, .destination = kR1} / IcmpQuery{.id = 0x1234} / Data(56));
  CHECK(other.packet.source_port() != out.packet.source_port());
  const auto reply = nat->inbound(Ipv4{.source = kR1, .destination = kX} /
                                  IcmpQuery{.id = out.packet.source_port(), .type = 0} / Data(56));
  REQUIRE(reply == VERDICT_TRANSLATED_INBOUND);
  CHECK(reply.packet.destination_endpoint() == "100.64.0.10:4660");
  CHECK(reply.packet.has_right_checksums());
  CHECK(nat->inbound(Ipv4{.source = kR1, .destination = kX} / IcmpQuery{.id = 7}) == VERDICT_UNSOLICITED_QUERY);
  CHECK(nat->inbound(Ipv4{.source = kR1, .destination = kX} / IcmpQuery{.id = 7, .type = 4}) ==
        VERDICT_UNSUPPORTED_ICMP);
}

TEST_CASE("an error from outside reaches the one whose packet it quotes",
          "[ICMP-10][ICMP-11][ICMP-12][ICMP-13][ICMP-34][UDP-22]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  const auto quoted_bytes = GENERATE(as<std::size_t>(), 8, 9, 13);
  const Packet error = Ipv4{.source = "203.0.113.254", .destination = kX} /
                       IcmpError{.type = 3, .code = 3, .quoted_bytes = quoted_bytes} / one_hop_on(out.packet);
  const auto in = nat->inbound(error);
  REQUIRE(in == VERDICT_TRANSLATED_INBOUND);
  CHECK(in.packet.source() == "203.0.113.254");
  CHECK(in.packet.destination() == kS1);
  CHECK(in.packet.has_right_checksums());
  const Packet quoted = in.packet.quoted();
  CHECK(quoted.source_endpoint() == "100.64.0.10:5000");
  CHECK(quoted.destination_endpoint() == "198.51.100.1:53");
  CHECK(sum_of(quoted.bytes(), 0, 20) == 0xffff);
  const Packet stranger = Ipv4{.source = "203.0.113.254", .destination = kX} / IcmpError{} / udp(kX, 9, kR1, 53);
  CHECK(nat->inbound(stranger) == VERDICT_ICMP_ERROR_NO_MAPPING);
}

TEST_CASE("an error about TCP and about an echo is restored too", "[ICMP-36][TCP-15][ICMP-7]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto syn = nat->outbound(tcp(kS1, 5000, kR1, 80, "S"));
  const Packet wide = Packet(Ipv4{.source = kX, .destination = kR1, .options = Bytes(4, 1)} /
                             Tcp{.source = syn.packet.source_port(), .destination = 80, .flags = "S"});
  const auto in = nat->inbound(Ipv4{.source = kR2, .destination = kX} / IcmpError{.type = 11, .code = 0} / wide);
  REQUIRE(in == VERDICT_TRANSLATED_INBOUND);
  CHECK(in.packet.quoted().source_endpoint() == "100.64.0.10:5000");
  CHECK(in.packet.quoted().has_right_checksums());
  CHECK(in.packet.has_right_checksums());
  const auto ping = nat->outbound(Ipv4{.source = kS1, .destination = kR1} / IcmpQuery{.id = 0x1234} / Data(8));
  const auto expired =
      nat->inbound(Ipv4{.source = kR2, .destination = kX} / IcmpError{.type = 11, .code = 0} / ping.packet);
  REQUIRE(expired == VERDICT_TRANSLATED_INBOUND);
  CHECK(expired.packet.quoted().source_endpoint() == "100.64.0.10:4660");
  CHECK(expired.packet.quoted().has_right_checksums());
  CHECK(expired.packet.has_right_checksums());
}

TEST_CASE("an error from inside leaves as the mapping's external endpoint", "[ICMP-14][ICMP-15][ICMP-16]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  const auto in = nat->inbound(udp(kR1, 53, kX, out.packet.source_port()));
  const std::string_view reporter = GENERATE("100.64.0.10", "100.64.255.9", "10.9.9.9");
  const auto error = nat->outbound(Ipv4{.source = reporter, .destination = kR1} / IcmpError{} / in.packet);
  REQUIRE(error == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(error.packet.source() == kX);
  CHECK(error.packet.quoted().destination_endpoint() == out.packet.source_endpoint());
  CHECK(error.packet.quoted().source_endpoint() == "198.51.100.1:53");
  CHECK(error.packet.has_right_checksums());
  CHECK(nat->outbound(Ipv4{.source = kS1, .destination = kR1} / IcmpError{} / udp(kR1, 53, kS1, 777)) ==
        VERDICT_ICMP_ERROR_NO_MAPPING);
}

TEST_CASE("an error whose quote names nobody's packet is dropped by name", "[ICMP-31][ICMP-35]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  const auto error_about = [&](const Packet& quoted, std::size_t bytes) {
    return nat->inbound(Ipv4{.source = kR2, .destination = kX} / IcmpError{.quoted_bytes = bytes} / quoted);
  };
  CHECK(error_about(out.packet, 8) == VERDICT_TRANSLATED_INBOUND);
  CHECK(error_about(out.packet, 7) == VERDICT_ICMP_ERROR_BAD_QUOTE);
  const Packet later =
      Ipv4{.source = kX, .destination = kR1, .fragment_offset = 1480, .protocol = std::uint8_t{17}} / Data(64);
  CHECK(error_about(later, 64) == VERDICT_ICMP_ERROR_BAD_QUOTE);
  const Packet nested = Ipv4{.source = kX, .destination = kR1} / IcmpError{} / udp(kR1, 53, kX, 9);
  CHECK(error_about(nested, 36) == VERDICT_ICMP_ERROR_BAD_QUOTE);
}

TEST_CASE("an error about a hairpinned packet is turned round as well", "[ICMP-18][ICMP-19]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto listener = nat->outbound(udp(kS2, 6000, kR1, 53));
  const auto turned = nat->outbound(udp(kS1, 5000, kX, listener.packet.source_port()));
  const auto error = nat->outbound(Ipv4{.source = kS2, .destination = kX} / IcmpError{} / turned.packet);
  REQUIRE(error == VERDICT_HAIRPINNED);
  CHECK(error.packet.source() == kX);
  CHECK(error.packet.destination() == kS1);
  CHECK(error.packet.quoted().source_endpoint() == "100.64.0.10:5000");
  CHECK(error.packet.quoted().destination_endpoint() == listener.packet.source_endpoint());
  CHECK(error.packet.has_right_checksums());
}

TEST_CASE("nobody narrows another's path by forged errors", "[SHARE-33][SEC-18]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const Packet large = Ipv4{.source = kS1, .destination = kR1} / Udp{.source = 5000, .destination = 53} / Data(1400);
  const auto out = nat->outbound(large);
  REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
  const auto too_big = [&](std::uint16_t mtu) {
    return nat->inbound(Ipv4{.source = kR2, .destination = kX} / IcmpError{.code = 4, .mtu = mtu, .quoted_bytes = 8} /
                        out.packet);
  };
  CHECK(too_big(68) == VERDICT_ICMP_MTU_NOT_BELIEVED);
  CHECK(too_big(1500) == VERDICT_ICMP_MTU_NOT_BELIEVED);
  CHECK(too_big(1280) == VERDICT_TRANSLATED_INBOUND);
  const Packet reply = Ipv4{.source = kR1, .destination = kS1} / Udp{.source = 53, .destination = 5000} / Data(1400);
  const auto forged = [&](std::string_view who, std::uint16_t mtu) {
    return nat->outbound(Ipv4{.source = who, .destination = kR1} / IcmpError{.code = 4, .mtu = mtu, .quoted_bytes = 8} /
                         reply);
  };
  CHECK(forged(kS2, 1280) == VERDICT_ICMP_ERROR_FORGED);
  CHECK(forged(kS1, 68) == VERDICT_ICMP_MTU_NOT_BELIEVED);
  CHECK(forged(kS1, 1280) == VERDICT_TRANSLATED_OUTBOUND);
}

TEST_CASE("a mapping outlives its last outbound packet by the configured time, not longer",
          "[UDP-7][UDP-9][UDP-10][UDP-11]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  nat->age(298);
  CHECK(nat->inbound(udp(kR1, 53, kX, out.packet.source_port())) == VERDICT_TRANSLATED_INBOUND);
  nat->age(3);  // the inbound packet has not refreshed it
  CHECK(nat->inbound(udp(kR1, 53, kX, out.packet.source_port())) == VERDICT_NO_MAPPING);
  const auto again = nat->outbound(udp(kS1, 5000, kR1, 53));
  CHECK(again.packet.source_endpoint() == out.packet.source_endpoint());
  CHECK(nat->inbound(udp(kR1, 53, kX, out.packet.source_port())) == VERDICT_TRANSLATED_INBOUND);
  CHECK(nat->count_mappings() == 1);
}

TEST_CASE("an established connection idles for two hours, a half-open one for four minutes", "[TCP-9][TCP-10][UPD-5]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto syn = nat->outbound(tcp(kS1, 5000, kR1, 80, "S"));
  REQUIRE(syn == VERDICT_TRANSLATED_OUTBOUND);
  const std::uint16_t port = syn.packet.source_port();
  SECTION("half open") {
    nat->age(238);
    CHECK(nat->inbound(tcp(kR1, 80, kX, port, "SA")) == VERDICT_TRANSLATED_INBOUND);
  }
  SECTION("half open too long") {
    nat->age(242);
    CHECK(nat->inbound(tcp(kR1, 80, kX, port, "SA")) == VERDICT_NO_MAPPING);
  }
  SECTION("established") {
    nat->inbound(tcp(kR1, 80, kX, port, "SA"));
    nat->outbound(tcp(kS1, 5000, kR1, 80, "A"));
    nat->age(7438);
    CHECK(nat->inbound(tcp(kR1, 80, kX, port, "A")) == VERDICT_TRANSLATED_INBOUND);
    nat->age(4);
    CHECK(nat->inbound(tcp(kR1, 80, kX, port, "A")) == VERDICT_NO_MAPPING);
  }
  SECTION("closed by both") {
    nat->inbound(tcp(kR1, 80, kX, port, "SA"));
    nat->outbound(tcp(kS1, 5000, kR1, 80, "FA"));
    nat->inbound(tcp(kR1, 80, kX, port, "FA"));
    nat->age(238);
    CHECK(nat->outbound(tcp(kS1, 5000, kR1, 80, "A")) == VERDICT_TRANSLATED_OUTBOUND);
    nat->age(242);
    CHECK(nat->inbound(tcp(kR1, 80, kX, port, "A")) == VERDICT_NO_MAPPING);
  }
  SECTION("reset, then data: established again") {
    nat->inbound(tcp(kR1, 80, kX, port, "SA"));
    CHECK(nat->inbound(tcp(kR1, 80, kX, port, "R")) == VERDICT_TRANSLATED_INBOUND);
    nat->age(100);
    nat->outbound(tcp(kS1, 5000, kR1, 80, "PA"));
    nat->age(1000);
    CHECK(nat->inbound(tcp(kR1, 80, kX, port, "A")) == VERDICT_TRANSLATED_INBOUND);
  }
  SECTION("a scan of the port, and the host's answer to it, end nothing") {
    nat->inbound(tcp(kR1, 80, kX, port, "SA"));
    CHECK(nat->inbound(tcp(kR2, 4444, kX, port, "S")) == VERDICT_TRANSLATED_INBOUND);
    CHECK(nat->outbound(tcp(kS1, 5000, kR2, 4444, "RA")) == VERDICT_TRANSLATED_OUTBOUND);
    nat->inbound(tcp(kR2, 4444, kX, port, "R"));
    nat->inbound(tcp(kR2, 4444, kX, port, "FA"));
    nat->age(1000);
    CHECK(nat->inbound(tcp(kR1, 80, kX, port, "A")) == VERDICT_TRANSLATED_INBOUND);
  }
  SECTION("nor does a scan establish what nobody has answered") {
    nat->inbound(tcp(kR2, 4444, kX, port, "S"));
    nat->age(242);
    CHECK(nat->inbound(tcp(kR1, 80, kX, port, "A")) == VERDICT_NO_MAPPING);
  }
  SECTION("the end of one of several connections does not end the others' mapping") {
    nat->inbound(tcp(kR1, 80, kX, port, "SA"));
    nat->outbound(tcp(kS1, 5000, kR2, 80, "S"));
    nat->outbound(tcp(kS1, 5000, kR2, 80, "R"));
    nat->age(1000);
    CHECK(nat->inbound(tcp(kR1, 80, kX, port, "A")) == VERDICT_TRANSLATED_INBOUND);
  }
}

TEST_CASE("a connection opens with a SYN, and is reopened by one", "[TCP-17][TCP-3][TCP-21][SEC-15]") {
  auto nat = translator(GENERATE(from_range(translators())));
  CHECK(nat->outbound(tcp(kS1, 5000, kR1, 80, "A")) == VERDICT_NOT_SYN);
  CHECK(nat->outbound(tcp(kS1, 5000, kR1, 80, "SA")) == VERDICT_NOT_SYN);
  const auto syn = nat->outbound(tcp(kS1, 5000, kR1, 80, "S"));
  CHECK(nat->inbound(tcp(kR1, 80, kX, syn.packet.source_port(), "S")) == VERDICT_TRANSLATED_INBOUND);
  CHECK(nat->outbound(tcp(kS1, 5000, kR1, 80, "SA")) == VERDICT_TRANSLATED_OUTBOUND);
  nat->outbound(tcp(kS1, 5000, kR1, 80, "FA"));
  nat->inbound(tcp(kR1, 80, kX, syn.packet.source_port(), "FA"));
  const auto again = nat->outbound(tcp(kS1, 5000, kR1, 80, "S"));
  CHECK(again.packet.source_endpoint() == syn.packet.source_endpoint());
}

TEST_CASE("a fragment is not translated, first or later", "[FRAG-1][ID-7][UDP-25]") {
  auto nat = translator(GENERATE(from_range(translators())));
  CHECK(nat->outbound(Ipv4{.source = kS1, .destination = kR1, .dont_fragment = false, .more_fragments = true} /
                      Udp{.source = 5000, .destination = 53} / Data(64)) == VERDICT_FRAGMENT);
  CHECK(nat->inbound(Ipv4{.source = kR1,
                          .destination = kX,
                          .dont_fragment = false,
                          .fragment_offset = 64,
                          .protocol = std::uint8_t{17}} /
                     Data(64)) == VERDICT_FRAGMENT);
  CHECK(nat->count_mappings() == 0);
}

TEST_CASE("time to live that ends here is the kernel's to answer, untouched", "[UDP-28][ICMP-24]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const Packet last = Ipv4{.source = kS1, .destination = kR1, .ttl = 1} / Udp{.source = 5000, .destination = 33434};
  const auto out = nat->outbound(last);
  CHECK(out == VERDICT_TTL_EXPIRED);
  CHECK(out.packet == last);
  CHECK(nat->count_mappings() == 0);
}

TEST_CASE("what cannot be read ends by name", "[SEC-25][UDP-5][ICMP-29][ICMP-31]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const Packet good = udp(kS1, 5000, kR1, 53);
  const auto broken = [&](std::size_t at, std::uint8_t value) {
    Packet packet = good;
    packet.bytes()[at] = value;
    return nat->outbound(packet).verdict;
  };
  CHECK(broken(0, 0x44) == VERDICT_BAD_IPV4_HEADER);
  CHECK(broken(0, 0x65) == VERDICT_BAD_IPV4_HEADER);
  CHECK(broken(2, 0xff) == VERDICT_BAD_IPV4_HEADER);
  CHECK(broken(3, 19) == VERDICT_BAD_IPV4_HEADER);
  CHECK(broken(10, static_cast<std::uint8_t>(good.bytes()[10] ^ 1)) == VERDICT_BAD_IPV4_CHECKSUM);
  CHECK(broken(25, 200) == VERDICT_BAD_TRANSPORT_HEADER);
  CHECK(nat->outbound(udp(kS1, 0, kR1, 53)) == VERDICT_PORT_ZERO);
  CHECK(nat->outbound(udp(kS1, 5000, kR1, 0)) == VERDICT_PORT_ZERO);
  CHECK(nat->outbound(udp(kS1, 5000, kS1, 5000)) == VERDICT_LAND);
  CHECK(nat->outbound(udp(kS1, 5000, "127.0.0.1", 53)) == VERDICT_MARTIAN);
  CHECK(nat->outbound(Ipv4{.source = kS1, .destination = kR1, .protocol = std::uint8_t{47}} / Data(40)) ==
        VERDICT_UNSUPPORTED_PROTOCOL);
  CHECK(nat->outbound(Ipv4{.source = kS1, .destination = kR1, .options = {131, 3, 4, 0}} /
                      Udp{.source = 5, .destination = 6}) == VERDICT_SOURCE_ROUTE);
  CHECK(nat->outbound(Ipv4{.source = kS1, .destination = kR1, .options = {7, 9, 4, 0}} /
                      Udp{.source = 5, .destination = 6}) == VERDICT_BAD_IPV4_HEADER);
  const auto with_options = nat->outbound(Ipv4{.source = kS1, .destination = kR1, .options = Bytes(8, 1)} /
                                          Udp{.source = 5, .destination = 6});
  CHECK(with_options == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(with_options.packet.has_right_checksums());
  for (std::size_t length = 14; length < 42; ++length) {  // a frame that ends inside a header
    Bytes frame = link_frame(good);
    frame.resize(length);
    const auto verdict = nat->frame(nat->world().inside_ifindex(), frame).verdict;
    INFO("length " << length);
    CHECK((verdict == VERDICT_TRUNCATED || verdict == VERDICT_BAD_IPV4_HEADER));
  }
}

TEST_CASE("a UDP checksum of zero stays zero, and none becomes zero", "[UDP-27]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto none = nat->outbound(Ipv4{.source = kS1, .destination = kR1} /
                                  Udp{.source = 5000, .destination = 53, .checksum = false} / Data("x"));
  REQUIRE(none == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(none.packet.bytes()[26] == 0);
  CHECK(none.packet.bytes()[27] == 0);
  for (std::uint16_t port = 1; port < 2000; ++port)
    REQUIRE(nat->outbound(Ipv4{.source = kS1, .destination = kR1} / Udp{.source = 5000, .destination = port})
                .packet.has_right_checksums());
}
