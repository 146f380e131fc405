// decode.cpp - one function a record type.
#include "events/decode.h"

#include <fmt/format.h>

#include <array>

#include "apnat/verdict.h"

namespace apnat {
namespace {

constexpr std::array kVerdictNames = {
    "CONTINUE",
#define VERDICT(name, fate, icmp, sentence) #name,
#include "apnat/verdicts.def"
#undef VERDICT
};
static_assert(kVerdictNames.size() == VERDICT_COUNT);

Endpoint endpoint(__be32 address, __be16 port) { return {Ip4::from_network(address), ntohs(port)}; }

WallTime from_tai(std::uint64_t tai_ns, std::chrono::seconds tai_offset) {
  return WallTime(std::chrono::nanoseconds(static_cast<std::int64_t>(tai_ns)) - tai_offset);
}

struct Reader {
  const event_record& record;
  const Facts& facts;
  std::chrono::seconds tai_offset;

  std::string pool() const { return facts.pool_name(record.pool); }
  Prefix subscriber() const { return facts.subscriber_of(record.pool, Ip4::from_network(record.subscriber)); }

  PortBlockAssigned port_block_assigned() const {
    return {pool(), subscriber(), Ip4::from_network(record.external_address),
            facts.ports_of(record.pool, {record.first_slot, record.last_slot})};
  }

  MappingCreated mapping_created() const {
    MappingCreated created{.pool = pool(),
                           .subscriber = subscriber(),
                           .protocol = record.protocol,
                           .internal = endpoint(record.internal_address, record.internal_port),
                           .external = endpoint(record.external_address, record.external_port),
                           .destination = {}};
    if (record.destination_address) created.destination = endpoint(record.destination_address, record.destination_port);
    return created;
  }

  MappingDeleted mapping_deleted() const {
    return {.pool = pool(),
            .subscriber = subscriber(),
            .protocol = record.protocol,
            .internal = endpoint(record.internal_address, record.internal_port),
            .external = endpoint(record.external_address, record.external_port),
            .created_at = from_tai(record.created_at_ns, tai_offset),
            .reason = "expired",
            .with_destination = facts.logs_destinations(record.pool)};
  }

  QuotaExceeded quota_exceeded() const {
    return {pool(), subscriber(), verdict_name(record.verdict), record.limit, record.suppressed};
  }

  PoolExhausted pool_exhausted() const { return {pool(), subscriber(), record.limit, record.suppressed}; }

  SourceSpoofed source_spoofed() const {
    return {Ip4::from_network(record.internal_address), facts.interface_name(record.ifindex),
            verdict_name(record.verdict), record.suppressed};
  }

  Ipv4IdRepeated ipv4_id_repeated() const {
    return {Ip4::from_network(record.external_address), record.protocol, record.suppressed};
  }

  Gap unknown() const {
    return {record.seq, record.seq,
            fmt::format("record of type {}, version {} is not known to this agent", record.type, record.version)};
  }

  EventBody body() const {
    if (record.version != EVENT_RECORD_VERSION) return unknown();
    switch (record.type) {
      case EVENT_PORT_BLOCK_ASSIGNED:
        return port_block_assigned();
      case EVENT_MAPPING_CREATED:
        return mapping_created();
      case EVENT_MAPPING_DELETED:
        return mapping_deleted();
      case EVENT_QUOTA_EXCEEDED:
        return quota_exceeded();
      case EVENT_POOL_EXHAUSTED:
        return pool_exhausted();
      case EVENT_SOURCE_SPOOFED:
        return source_spoofed();
      case EVENT_IPV4_ID_REPEATED:
        return ipv4_id_repeated();
      default:
        return unknown();
    }
  }
};

}  // namespace

Event decode(const event_record& record, const Facts& facts, std::chrono::seconds tai_offset,
             std::chrono::microseconds clock_error) {
  return {.seq = record.seq,
          .time = from_tai(record.tai_ns, tai_offset),
          .monotonic_ns = record.monotonic_ns,
          .body = Reader{record, facts, tai_offset}.body(),
          .clock_error = clock_error};
}

std::string verdict_name(unsigned verdict) {
  return verdict < kVerdictNames.size() ? kVerdictNames[verdict] : fmt::format("VERDICT_{}", verdict);
}

}  // namespace apnat
