// Ports that the configuration gave: they need no log, and every one of them is the subscriber's alone.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "support/story.h"

using namespace apnat::test;

namespace {

// Two neighbours whose ranges meet inside a set of 16 slots, at 2010.
NatSpec neighbours(enum assignment assignment) {
  NatSpec spec;
  spec.pools[0].assignment = assignment;
  spec.pools[0].fixed = {{"100.64.0.10", 2000, 2009}, {"100.64.0.20", 2010, 2045}};
  return spec;
}

constexpr int kFirstHas = 10, kSecondHas = 36;

}  // namespace

TEST_CASE("neighbours in one set of slots never take each other's ports, and lack none of their own",
          "[DET-6][SHARE-5][SHARE-6]") {
  const auto assignment = GENERATE(as<enum assignment>(), ASSIGN_STATIC, ASSIGN_DETERMINISTIC);
  auto nat = translator(GENERATE(from_range(translators())), neighbours(assignment));
  const std::string_view early = GENERATE("100.64.0.10", "100.64.0.20", "by turns");
  std::map<std::string_view, std::set<std::uint16_t>> ports;
  const auto open = [&](std::string_view who, int n) {
    const auto out = nat->outbound(udp(who, 5000 + n, kR1, 53));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    ports[who].insert(out.packet.source_port());
  };
  if (early == kS1)
    for (int n = 0; n < kFirstHas; ++n) open(kS1, n);
  for (int n = 0; n < kSecondHas; ++n) {
    open(kS2, n);
    if (early == "by turns" && n < kFirstHas) open(kS1, n);
  }
  if (early == kS2)
    for (int n = 0; n < kFirstHas; ++n) open(kS1, n);

  CHECK(ports[kS1].size() == kFirstHas);
  CHECK(*ports[kS1].begin() == 2000);
  CHECK(*ports[kS1].rbegin() == 2009);
  CHECK(ports[kS2].size() == kSecondHas);
  CHECK(*ports[kS2].begin() == 2010);
  CHECK(*ports[kS2].rbegin() == 2045);
  CHECK(nat->outbound(udp(kS1, 9000, kR1, 53)) == VERDICT_PORT_LIMIT);
  CHECK(nat->outbound(udp(kS2, 9000, kR1, 53)) == VERDICT_PORT_LIMIT);
  for (int n = 0; n < kFirstHas; ++n) {
    const auto out = nat->outbound(udp(kS1, 5000 + n, kR2, 99));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    const auto in = nat->inbound(udp(kR1, 53, kX, out.packet.source_port()));
    CHECK(in.packet.destination_port() == 5000 + n);
  }
}

TEST_CASE("an assignment by configuration is told to nobody", "[LOG-8]") {
  auto nat = translator(GENERATE(from_range(translators())), neighbours(ASSIGN_DETERMINISTIC));
  REQUIRE(nat->outbound(udp(kS1, 5000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(nat->take_events().empty());
}

TEST_CASE("a subscriber's own ports need no hold-down", "[CGN-16]") {
  auto nat = translator(GENERATE(from_range(translators())), neighbours(ASSIGN_STATIC));
  for (int n = 0; n < kFirstHas; ++n)
    REQUIRE(nat->outbound(udp(kS1, 5000 + n, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  REQUIRE(nat->outbound(udp(kS1, 6000, kR1, 53)) == VERDICT_PORT_LIMIT);
  nat->age(303);  // the lifetime, and the second that a sweep under way may take
  for (int n = 0; n < kFirstHas; ++n) CHECK(nat->outbound(udp(kS1, 6000 + n, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(nat->outbound(udp(kS1, 5000, kR1, 53)) == VERDICT_PORT_LIMIT);
}

TEST_CASE("a port set can be given by name: PSID 1 has the ports of the table", "[MAP-3]") {
  NatSpec spec;
  spec.pools[0].assignment = ASSIGN_STATIC;
  spec.pools[0].layout = LAYOUT_PSID;
  spec.pools[0].block_size = 256;                     // a = 6, k = 8, m = 2
  spec.pools[0].fixed = {{"100.64.0.10", 256, 511}};  // slots of PSID 1
  auto nat = translator(GENERATE(from_range(translators())), spec);
  std::set<std::uint16_t> ports;
  for (int n = 0; n < 252; ++n) {
    const auto out = nat->outbound(udp(kS1, 5000 + n, kR1, 53));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    ports.insert(out.packet.source_port());
  }
  const std::vector<std::uint16_t> first(ports.begin(), std::next(ports.begin(), 8));
  CHECK(first == std::vector<std::uint16_t>{1028, 1029, 1030, 1031, 2052, 2053, 2054, 2055});
  CHECK(ports.size() == 252);
  CHECK(nat->outbound(udp(kS1, 9000, kR1, 53)) == VERDICT_PORT_LIMIT);
}

TEST_CASE("a range of a single port is a range", "[DET-6]") {
  NatSpec spec;
  spec.pools[0].assignment = ASSIGN_STATIC;
  spec.pools[0].fixed = {{"100.64.0.10", 2007, 2007}};
  auto nat = translator(GENERATE(from_range(translators())), spec);
  CHECK(nat->outbound(udp(kS1, 5000, kR1, 53)).packet.source_port() == 2007);
  CHECK(nat->outbound(tcp(kS1, 5001, kR1, 80, "S")).packet.source_port() == 2007);
  CHECK(nat->outbound(udp(kS1, 5001, kR1, 53)) == VERDICT_PORT_LIMIT);
  CHECK(nat->outbound(udp(kS2, 5001, kR1, 53)) == VERDICT_PORT_LIMIT);  // has nothing at all
}
