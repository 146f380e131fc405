// event.h - everything that can be told to the outside, as values.
// The sinks must handle each alternative: adding one stops them compiling until they do.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "net/address.h"
#include "net/port_range.h"

namespace apnat {

// CLOCK_REALTIME to the nanosecond.
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;

struct PortBlockAssigned {
  std::string pool;
  Prefix subscriber;
  Ip4 external_address;
  std::vector<PortRange> ports;  // one range, unless the layout is scattered or psid
};

struct PortBlockReleased {
  std::string pool;
  Prefix subscriber;
  Ip4 external_address;
  std::vector<PortRange> ports;
  WallTime assigned_at;
  std::uint32_t mappings_created = 0;
};

struct MappingCreated {
  std::string pool;
  Prefix subscriber;
  std::uint8_t protocol = 0;
  Endpoint internal;
  Endpoint external;
  std::optional<Endpoint> destination;  // only with log = "mappings_with_destination"
};

struct MappingDeleted {
  std::string pool;
  Prefix subscriber;
  std::uint8_t protocol = 0;
  Endpoint internal;
  Endpoint external;
  WallTime created_at;
  std::string reason;             // expired, pool_removed, forward_removed, no_longer_logged
  bool with_destination = false;  // its beginning was told with a destination
};

struct QuotaExceeded {
  std::string pool;
  Prefix subscriber;
  std::string verdict;  // which limit: PORT_LIMIT, PORT_EXHAUSTED, RATE_LIMIT
  std::uint32_t limit = 0;
  std::uint32_t suppressed = 0;
};

struct PoolExhausted {
  std::string pool;
  Prefix subscriber;
  std::uint32_t limit = 0;  // blocks the pool has
  std::uint32_t suppressed = 0;
};

struct SourceSpoofed {
  Ip4 source;
  std::string interface;
  std::string verdict;  // NOT_A_SUBSCRIBER, SOURCE_SPOOFED, ...
  std::uint32_t suppressed = 0;
};

// IPv4 IDs from one external address had to be given again within their lifetime. Says nothing of where to:
// destinations are not recorded unless asked for.
struct Ipv4IdRepeated {
  Ip4 external_address;
  std::uint8_t protocol = 0;
  std::uint32_t suppressed = 0;
};

// A sender's fragmented datagrams come so fast that their IDs come round within the reassembly timeout (RFC 4963).
struct FragmentIdsWrapped {
  Ip4 source;
  std::uint8_t protocol = 0;
  std::uint32_t datagrams_per_second = 0;  // towards one destination
  std::uint32_t limit = 0;                 // above which, with the timeout there is, IDs come round
  std::uint32_t suppressed = 0;
};

// Somebody asked the history who had which ports.
struct TraceAsked {
  std::uint32_t uid = 0;
  std::string user;  // its name; empty: it has none
  std::string query;
};

struct ConfigApplied {
  std::string hash;
  std::string parameters;
};

struct AgentStarted {
  std::string version;
  bool adopted = false;  // a running data plane was found and taken over
  std::uint64_t mappings_adopted = 0;
};

struct AgentStopped {
  std::string reason;
};

struct Gap {
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::string reason;
};

using EventBody = std::variant<PortBlockAssigned, PortBlockReleased, MappingCreated, MappingDeleted, QuotaExceeded,
                               PoolExhausted, SourceSpoofed, Ipv4IdRepeated, FragmentIdsWrapped, TraceAsked,
                               ConfigApplied, AgentStarted, AgentStopped, Gap>;

struct Event {
  std::uint64_t seq = 0;
  WallTime time;
  std::uint64_t monotonic_ns = 0;
  EventBody body;
  // How far `time` may be from true time (Clock::clock_error when the event was read).
  std::chrono::microseconds clock_error{0};
};

}  // namespace apnat
