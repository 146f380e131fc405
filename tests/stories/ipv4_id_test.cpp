// The ID of the packets that leave: their own for as long as 16 bits allow, and what happens then.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "support/story.h"

using namespace apnat::test;

namespace {

constexpr std::uint32_t kIds = 65536;

std::uint16_t id_of(const Packet& packet) {
  return static_cast<std::uint16_t>(packet.bytes()[4] << 8 | packet.bytes()[5]);
}
bool has_dont_fragment(const Packet& packet) { return packet.bytes()[6] & 0x40; }

// Not atomic: its ID is the gateway's to choose.
Packet datagram(std::string_view source, std::uint16_t from, std::string_view destination, std::uint16_t id = 7) {
  return Ipv4{.source = source, .destination = destination, .dont_fragment = false, .id = id} /
         Udp{.source = from, .destination = 53} / Data("hello");
}

// As if so many IDs had just been given towards each destination.
void give_away(Translator& nat, std::uint32_t count) {
  for (std::uint32_t row = 0; row < IPV4_ID_ROWS; ++row) {
    auto& ids = nat.world().ipv4_id_row(row);
    auto& laps = nat.world().ipv4_id_laps(row);
    // Whoever gave the last one was in the segment before.
    ids = {.given = count, .last_lap = ((count - 1) * IPV4_ID_SEGMENTS / kIds % IPV4_ID_SEGMENTS) << IPV4_ID_TICK_BITS};
    for (std::uint32_t segment = 0; segment < IPV4_ID_SEGMENTS && (segment + 1) * kIds / IPV4_ID_SEGMENTS <= count;
         ++segment)
      laps.used_up_at[segment] = nat.world().now_ticks() | 1;
  }
}

// As if what `row` knows of the last lap lay so much further back. A machine that has been up for less counts through
// zero, which is not the segment's business.
void make_older(struct ipv4_id_row& row, std::uint32_t seconds) {
  constexpr std::uint32_t kTicks = (1u << IPV4_ID_TICK_BITS) - 1;
  const auto ticks = static_cast<std::uint32_t>((seconds * 1'000'000'000ull >> TICK_SHIFT) + 4);
  row.last_lap = (row.last_lap & ~kTicks) | (((row.last_lap & kTicks) - ticks) & kTicks) | 1;
}

NatSpec on_repeat(enum ipv4_id_on_repeat policy) {
  NatSpec spec;
  spec.ipv4_id_on_repeat = policy;
  return spec;
}

}  // namespace

TEST_CASE("two subscribers with one ID towards one server leave with two", "[ID-5][ID-7][SHARE-35][UPD-20]") {
  auto nat = translator(GENERATE(from_range(translators())));
  std::set<std::uint16_t> ids;
  for (std::uint16_t port = 5000; port < 5200; ++port) {
    for (const auto subscriber : {kS1, kS2}) {
      const auto out = nat->outbound(datagram(subscriber, port, kR1));
      REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
      CHECK(out.packet.has_right_checksums());
      CHECK_FALSE(has_dont_fragment(out.packet));
      ids.insert(id_of(out.packet));
    }
  }
  CHECK(ids.size() == 400);
}

TEST_CASE("every ID is given once before one is given twice", "[ID-5][ID-12]") {
  auto nat = native({});
  std::vector<bool> seen(kIds);
  for (std::uint32_t n = 0; n < kIds; ++n) {
    const auto id = id_of(nat->outbound(datagram(kS1, 5000, kR1)).packet);
    REQUIRE_FALSE(seen[id]);
    seen[id] = true;
  }
  CHECK(nat->world().node().ids_repeated == 0);
  nat->outbound(datagram(kS1, 5000, kR1));
  CHECK(nat->world().node().ids_repeated == 1);
}

TEST_CASE("IDs come in no order that can be guessed, another for each destination", "[ID-12]") {
  auto nat = translator(GENERATE(from_range(translators())));
  std::set<int> steps;
  std::map<std::string, std::vector<std::uint16_t>> given;
  for (int n = 0; n < 100; ++n) {
    for (const auto remote : {kR1, kR2}) {
      given[std::string(remote)].push_back(id_of(nat->outbound(datagram(kS1, 5000, remote)).packet));
    }
  }
  for (const auto& [remote, ids] : given) {
    for (std::size_t n = 1; n < ids.size(); ++n) steps.insert((ids[n] - ids[n - 1]) & 0xffff);
  }
  CHECK(steps.size() > 50);
  CHECK(given[std::string(kR1)] != given[std::string(kR2)]);
}

TEST_CASE("the ID of an atomic packet is whatever the operator wants it to be", "[ID-2][ID-3][ID-4]") {
  NatSpec spec;
  spec.ipv4_id_atomic =
      GENERATE(as<enum ipv4_id_atomic>(), ATOMIC_ID_KEEP, ATOMIC_ID_ZERO, ATOMIC_ID_RANDOM, ATOMIC_ID_LOW4);
  auto nat = translator(GENERATE(from_range(translators())), spec);
  std::set<std::uint16_t> ids;
  for (int n = 0; n < 50; ++n) {
    const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
    REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
    CHECK(has_dont_fragment(out.packet));
    CHECK(out.packet.has_right_checksums());
    ids.insert(id_of(out.packet));
  }
  if (spec.ipv4_id_atomic == ATOMIC_ID_KEEP) CHECK(ids == std::set<std::uint16_t>{0x1234});
  if (spec.ipv4_id_atomic == ATOMIC_ID_ZERO) CHECK(ids == std::set<std::uint16_t>{0});
  if (spec.ipv4_id_atomic == ATOMIC_ID_LOW4) CHECK(ids == std::set<std::uint16_t>{0x0004});
  if (spec.ipv4_id_atomic == ATOMIC_ID_RANDOM) CHECK(ids.size() > 40);
}

TEST_CASE("atomic packets use up no ID", "[ID-2]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto first = id_of(nat->outbound(datagram(kS1, 5000, kR1)).packet);
  auto other = translator(nat->name());
  for (int n = 0; n < 10; ++n) other->outbound(udp(kS1, 5000, kR1, 53));
  CHECK(id_of(other->outbound(datagram(kS1, 5000, kR1)).packet) == first);
}

TEST_CASE("an ID that had to repeat is counted, and told once", "[ID-15][ID-8]") {
  auto nat = translator(GENERATE(from_range(translators())));
  nat->outbound(datagram(kS1, 5000, kR1));
  give_away(*nat, kIds);
  nat->take_events();
  for (int n = 0; n < 10; ++n) CHECK(nat->outbound(datagram(kS1, 5000, kR1)) == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(nat->world().node().ids_repeated == 10);
  const auto events = nat->take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].type == EVENT_IPV4_ID_REPEATED);
  CHECK(events[0].protocol == 17);
  CHECK(events[0].destination_address == 0);
}

TEST_CASE("where the operator wants it, a packet without a fresh ID becomes atomic", "[ID-8][K-3]") {
  auto nat = translator(GENERATE(from_range(translators())), on_repeat(ID_REPEAT_MAKE_ATOMIC));
  CHECK_FALSE(has_dont_fragment(nat->outbound(datagram(kS1, 5000, kR1)).packet));
  give_away(*nat, kIds);
  const auto out = nat->outbound(datagram(kS1, 5000, kR1));
  REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(has_dont_fragment(out.packet));
  CHECK(out.packet.has_right_checksums());
  CHECK(nat->world().node().ids_made_atomic == 1);
}

TEST_CASE("where the operator wants it, a packet without a fresh ID is dropped, until there is one", "[ID-8]") {
  auto nat = translator(GENERATE(from_range(translators())), on_repeat(ID_REPEAT_DROP));
  nat->outbound(datagram(kS1, 5000, kR1));
  give_away(*nat, kIds);
  CHECK(nat->outbound(datagram(kS1, 5000, kR1)) == VERDICT_IPV4_ID_EXHAUSTED);
  CHECK(nat->outbound(udp(kS1, 5000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  for (std::uint32_t row = 0; row < IPV4_ID_ROWS; ++row) make_older(nat->world().ipv4_id_row(row), 120);
  CHECK(nat->outbound(datagram(kS1, 5000, kR1)) == VERDICT_TRANSLATED_OUTBOUND);
}

TEST_CASE("the slow path's copy never repeats an ID: what it sends leaves in pieces", "[ID-8][K-3]") {
  NatSpec spec;
  spec.slow_path = true;
  auto nat = native(spec);
  CHECK(nat->outbound(datagram(kS1, 5000, kR1)) == VERDICT_TRANSLATED_OUTBOUND);
  give_away(*nat, kIds);
  CHECK(nat->outbound(datagram(kS1, 5000, kR1)) == VERDICT_IPV4_ID_EXHAUSTED);
}

TEST_CASE("inbound, the sender's own ID is kept: towards one subscriber it is unique already", "[ID-7]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  const Packet reply = Ipv4{.source = kR1, .destination = kX, .dont_fragment = false, .id = 4711} /
                       Udp{.source = 53, .destination = out.packet.source_port()} / Data("hello");
  const auto in = nat->inbound(reply);
  REQUIRE(in == VERDICT_TRANSLATED_INBOUND);
  CHECK(id_of(in.packet) == 4711);
  // With forwards on other addresses of the pool that is no longer so.
  nat->world().subscriber(10).flags |= SUBSCRIBER_HAS_FORWARDS;
  std::set<std::uint16_t> ids;
  for (int n = 0; n < 20; ++n) ids.insert(id_of(nat->inbound(reply).packet));
  CHECK(ids.size() == 20);
}

TEST_CASE("a packet turned round between subscribers gets an ID too", "[ID-7]") {
  auto nat = translator(GENERATE(from_range(translators())));
  const auto there = nat->outbound(udp(kS2, 6000, kR1, 53));
  std::set<std::uint16_t> ids;
  for (int n = 0; n < 20; ++n) {
    const auto turned = nat->outbound(Ipv4{.source = kS1, .destination = kX, .dont_fragment = false} /
                                      Udp{.source = 5000, .destination = there.packet.source_port()} / Data("hello"));
    REQUIRE(turned == VERDICT_HAIRPINNED);
    CHECK(turned.packet.has_right_checksums());
    ids.insert(id_of(turned.packet));
  }
  CHECK(ids.size() == 20);
}
