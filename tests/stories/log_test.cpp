// The record of who had which endpoint: made before the first packet leaves, or the packet does not leave.
#include <arpa/inet.h>

#include <catch2/catch.hpp>

#include "net/address.h"
#include "support/story.h"

using namespace apnat::test;

namespace {

NatSpec logging(enum log_level log, std::uint8_t flags = POOL_HAIRPINNING) {
  NatSpec spec;
  spec.pools[0].log = log;
  spec.pools[0].flags = flags;
  return spec;
}

// One port, so that the next mapping must take the place of the last.
NatSpec one_port(std::uint8_t flags = 0) {
  NatSpec spec = logging(LOG_MAPPINGS, flags);
  spec.pools[0].assignment = ASSIGN_STATIC;
  spec.pools[0].fixed = {{"100.64.0.10", 2007, 2007}};
  return spec;
}

std::string text(__be32 address) { return apnat::Ip4::from_network(address).text(); }

const struct creation_set& creation_of(Translator& nat, std::uint16_t port) {
  return nat.world().creation_set(0, SETS_PER_CLASS + port / SET_SLOTS);  // of UDP
}

}  // namespace

TEST_CASE("one record a mapping, none for its second destination", "[LOG-1][LOG-5]") {
  auto nat = translator(GENERATE(from_range(translators())), logging(LOG_MAPPINGS));
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  nat->outbound(udp(kS1, 5000, kR2, 99));
  nat->inbound(udp(kR2, 99, kX, out.packet.source_port()));
  const auto events = nat->take_events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].type == EVENT_PORT_BLOCK_ASSIGNED);
  const auto& mapping = events[1];
  CHECK(mapping.type == EVENT_MAPPING_CREATED);
  CHECK(mapping.version == EVENT_RECORD_VERSION);
  CHECK(mapping.seq == events[0].seq + 1);
  CHECK(mapping.protocol == IPPROTO_UDP);
  CHECK(text(mapping.subscriber) == kS1);
  CHECK(text(mapping.internal_address) == kS1);
  CHECK(ntohs(mapping.internal_port) == 5000);
  CHECK(text(mapping.external_address) == kX);
  CHECK(ntohs(mapping.external_port) == out.packet.source_port());
  CHECK(mapping.destination_address == 0);
  CHECK(mapping.destination_port == 0);
  CHECK(mapping.tai_ns != 0);
  CHECK(creation_of(*nat, out.packet.source_port()).created_at_ns[out.packet.source_port() % SET_SLOTS] ==
        mapping.tai_ns);
}

TEST_CASE("a record names the destination only where asked to", "[LOG-5]") {
  auto nat = translator(GENERATE(from_range(translators())), logging(LOG_MAPPINGS_WITH_DESTINATION));
  nat->outbound(tcp(kS1, 5000, kR1, 443, "S"));
  const auto events = nat->take_events();
  REQUIRE(events.size() == 2);
  CHECK(text(events[1].destination_address) == kR1);
  CHECK(ntohs(events[1].destination_port) == 443);
}

TEST_CASE("the external port of a record is the port, not the slot", "[LOG-1][MAP-3]") {
  NatSpec spec = logging(LOG_MAPPINGS);
  spec.pools[0].layout = GENERATE(as<enum port_layout>(), LAYOUT_PSID, LAYOUT_SCATTERED);
  auto nat = translator(GENERATE(from_range(translators())), spec);
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  const auto events = nat->take_events();
  REQUIRE(events.size() == 2);
  CHECK(ntohs(events[1].external_port) == out.packet.source_port());
}

TEST_CASE("no place for the record: no block, no mapping, no packet", "[LOG-6][LOG-7]") {
  auto nat = translator(GENERATE(from_range(translators())));
  World& world = nat->world();
  nat->refuse_events(true);
  const Packet first = udp(kS1, 5000, kR1, 53);
  const auto out = nat->outbound(first);
  CHECK(out == VERDICT_EVENT_RING_FULL);
  CHECK(out.packet == first);
  CHECK(nat->count_mappings() == 0);
  CHECK(world.subscriber(kS1Reference).external_row_plus_one == 0);
  CHECK(world.subscriber(kS1Reference).lock == 0);
  for (std::uint32_t block = 0; block < BLOCKS_PER_ADDRESS; ++block)
    CHECK(world.port_block(0, block).owner_plus_one == 0);
  CHECK(world.external_address(1).blocks_owned == 0);
  nat->refuse_events(false);
  CHECK(nat->take_events().empty());
  CHECK(nat->outbound(first) == VERDICT_TRANSLATED_OUTBOUND);
  const auto events = nat->take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].seq == 2);  // 1 is missing, and shows
}

TEST_CASE("no place for a mapping's record: the mapping is taken back, what is open goes on", "[LOG-6]") {
  auto nat = translator(GENERATE(from_range(translators())), logging(LOG_MAPPINGS));
  REQUIRE(nat->outbound(udp(kS1, 5000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  nat->refuse_events(true);
  CHECK(nat->outbound(udp(kS1, 5001, kR1, 53)) == VERDICT_EVENT_RING_FULL);
  CHECK(nat->count_mappings() == 1);
  CHECK(nat->outbound(udp(kS1, 5000, kR2, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  nat->refuse_events(false);
  CHECK(nat->take_events().size() == 2);
}

TEST_CASE("an operator may prefer service to the record; the missing numbers show", "[LOG-6]") {
  auto nat = translator(GENERATE(from_range(translators())), logging(LOG_MAPPINGS, POOL_CONTINUE_UNLOGGED));
  nat->refuse_events(true);
  CHECK(nat->outbound(udp(kS1, 5000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(nat->outbound(udp(kS1, 5001, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  nat->refuse_events(false);
  CHECK(nat->outbound(udp(kS1, 5002, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  const auto events = nat->take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].seq == 4);  // a block and two mappings went unrecorded
}

TEST_CASE("before a port changes hands, the end of its last mapping is recorded", "[LOG-3]") {
  auto nat = translator(GENERATE(from_range(translators())), one_port());
  REQUIRE(nat->outbound(udp(kS1, 5000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  nat->age(303);
  REQUIRE(nat->outbound(udp(kS1, 5001, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  const auto events = nat->take_events();
  REQUIRE(events.size() == 3);
  CHECK(events[1].type == EVENT_MAPPING_DELETED);
  CHECK(ntohs(events[1].internal_port) == 5000);
  CHECK(ntohs(events[1].external_port) == 2007);
  CHECK(events[1].created_at_ns == events[0].tai_ns);
  CHECK(text(events[1].subscriber) == kS1);
  CHECK(events[2].type == EVENT_MAPPING_CREATED);
  CHECK(ntohs(events[2].internal_port) == 5001);
  CHECK(events[2].seq == events[1].seq + 1);
}

TEST_CASE("an end that cannot be recorded keeps the port from the next, and says why", "[LOG-3][LOG-6]") {
  auto nat = translator(GENERATE(from_range(translators())), one_port());
  REQUIRE(nat->outbound(udp(kS1, 5000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  nat->age(303);
  nat->refuse_events(true);
  const auto seq = nat->world().node().next_seq;
  CHECK(nat->outbound(udp(kS1, 5001, kR1, 53)) == VERDICT_EVENT_RING_FULL);
  CHECK(nat->world().node().next_seq == seq + 1);  // one record lost, one number missing
  nat->refuse_events(false);
  nat->take_events();
  CHECK(nat->outbound(udp(kS1, 5001, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(nat->take_events().size() == 2);
}
