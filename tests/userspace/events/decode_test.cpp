// decode_test.cpp - ring records become events, whatever is in them.
#include "events/decode.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "apnat/verdict.h"
#include "events/json.h"
#include "samples.h"

using namespace apnat;
using namespace apnat::test;

namespace {

struct FixedFacts final : Facts {
  bool logs_destinations(std::uint16_t) const override { return false; }
  std::string pool_name(std::uint16_t pool) const override { return pool == 3 ? "residential" : "?"; }
  Prefix subscriber_of(std::uint16_t, Ip4 address) const override { return Prefix(address, 32); }
  std::vector<PortRange> ports_of(std::uint16_t, struct slot_range slots) const override {
    return {{slots.first, slots.last}};
  }
  std::string interface_name(std::uint16_t ifindex) const override { return "if" + std::to_string(ifindex); }
};

constexpr std::chrono::seconds kTai{37};

event_record record_of(enum event_type type) {
  event_record record{};
  record.type = type;
  record.version = EVENT_RECORD_VERSION;
  record.pool = 3;
  record.seq = 9;
  record.monotonic_ns = 5;
  record.tai_ns = static_cast<std::uint64_t>((kTime.time_since_epoch() + kTai).count());
  record.subscriber = ip("100.64.3.7").network();
  record.internal_address = ip("100.64.3.7").network();
  record.external_address = ip("203.0.113.5").network();
  record.internal_port = htons(5000);
  record.external_port = htons(40001);
  record.first_slot = 1024;
  record.last_slot = 1535;
  return record;
}

Event decoded(const event_record& record) { return decode(record, FixedFacts{}, kTai, std::chrono::microseconds(250)); }

}  // namespace

TEST_CASE("a block record becomes an assignment at its wall-clock time", "[LOG-2]") {
  const Event event = decoded(record_of(EVENT_PORT_BLOCK_ASSIGNED));
  CHECK(event.seq == 9);
  CHECK(event.time == kTime);
  CHECK(event.monotonic_ns == 5);
  CHECK(event.clock_error == std::chrono::microseconds(250));
  const auto& body = std::get<PortBlockAssigned>(event.body);
  CHECK(body.pool == "residential");
  CHECK(body.subscriber.text() == "100.64.3.7");
  CHECK(body.external_address == ip("203.0.113.5"));
  CHECK(body.ports == std::vector<PortRange>{{1024, 1535}});
}

TEST_CASE("a mapping record gives both endpoints, and the destination only if there is one") {
  event_record record = record_of(EVENT_MAPPING_CREATED);
  record.protocol = 17;
  auto body = std::get<MappingCreated>(decoded(record).body);
  CHECK(body.internal.text() == "100.64.3.7:5000");
  CHECK(body.external.text() == "203.0.113.5:40001");
  CHECK(body.protocol == 17);
  CHECK_FALSE(body.destination);

  record.destination_address = ip("198.51.100.53").network();
  record.destination_port = htons(53);
  body = std::get<MappingCreated>(decoded(record).body);
  CHECK(body.destination->text() == "198.51.100.53:53");
}

TEST_CASE("an expired mapping's record says when it was made") {
  event_record record = record_of(EVENT_MAPPING_DELETED);
  record.created_at_ns = record.tai_ns - 1'000'000'000;
  const auto body = std::get<MappingDeleted>(decoded(record).body);
  CHECK(body.created_at == kTime - std::chrono::seconds(1));
  CHECK(body.reason == "expired");
}

TEST_CASE("refusals name the verdict, the limit and how many were not told", "[LOG-13]") {
  event_record record = record_of(EVENT_QUOTA_EXCEEDED);
  record.verdict = VERDICT_PORT_LIMIT;
  record.limit = 4;
  record.suppressed = 17;
  const auto quota = std::get<QuotaExceeded>(decoded(record).body);
  CHECK(quota.verdict == "PORT_LIMIT");
  CHECK(quota.limit == 4);
  CHECK(quota.suppressed == 17);

  record = record_of(EVENT_SOURCE_SPOOFED);
  record.verdict = VERDICT_NOT_A_SUBSCRIBER;
  record.ifindex = 7;
  const auto spoofed = std::get<SourceSpoofed>(decoded(record).body);
  CHECK(spoofed.interface == "if7");
  CHECK(spoofed.verdict == "NOT_A_SUBSCRIBER");

  record = record_of(EVENT_IPV4_ID_REPEATED);
  record.protocol = 17;
  record.suppressed = 17;
  const auto repeated = std::get<Ipv4IdRepeated>(decoded(record).body);
  CHECK(repeated.external_address == Ip4::from_network(record.external_address));
  CHECK(repeated.protocol == 17);
  CHECK(repeated.suppressed == 17);
}

TEST_CASE("a record of another version or type is a gap of its own number, never nothing") {
  event_record record = record_of(EVENT_PORT_BLOCK_ASSIGNED);
  record.version = 99;
  auto gap = std::get<Gap>(decoded(record).body);
  CHECK(gap.first_seq == 9);
  CHECK(gap.last_seq == 9);
  record = record_of(static_cast<enum event_type>(200));
  CHECK(std::holds_alternative<Gap>(decoded(record).body));
}

TEST_CASE("no bytes in the ring can make a line that is not JSON") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    event_record record;
    auto* bytes = reinterpret_cast<unsigned char*>(&record);
    for (std::size_t at = 0; at < sizeof(record); ++at) bytes[at] = static_cast<unsigned char>(random());
    record.type = static_cast<__u16>(random() % 9);
    if (random() % 8) record.version = EVENT_RECORD_VERSION;
    const std::string line = to_json(decoded(record), "cgn1");
    REQUIRE(line.front() == '{');
    REQUIRE(line.back() == '}');
    REQUIRE(line.find('\n') == std::string::npos);
  }
}
