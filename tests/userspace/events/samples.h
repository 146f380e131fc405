// samples.h - one event of every kind, for tests that must see them all.
#pragma once

#include <vector>

#include "events/event.h"

namespace apnat::test {

inline Ip4 ip(const char* text) { return *Ip4::parse(text); }

inline const WallTime kTime{std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + std::chrono::hours(10) +
                            std::chrono::nanoseconds(123'456'789)};

inline std::vector<Event> every_event() {
  const Prefix who(ip("100.64.3.7"), 32);
  const Prefix home(ip("100.64.4.0"), 24);
  const Ip4 outside = ip("203.0.113.5");
  const Endpoint inner{ip("100.64.3.7"), 5000};
  const Endpoint outer{outside, 40001};
  const std::vector<EventBody> bodies = {
      PortBlockAssigned{"residential", who, outside, {{1024, 1535}}},
      PortBlockAssigned{"scattered", home, outside, {{1024, 1030}, {2000, 2003}, {65535, 65535}}},
      PortBlockReleased{"residential", who, outside, {{1024, 1535}}, kTime - std::chrono::hours(1), 77},
      MappingCreated{"residential", who, 6, inner, outer, {}},
      MappingCreated{"residential", who, 1, inner, outer, Endpoint{ip("198.51.100.53"), 53}},
      MappingDeleted{"residential", who, 17, inner, outer, kTime - std::chrono::minutes(5), "expired"},
      QuotaExceeded{"residential", who, "PORT_LIMIT", 4, 1000},
      PoolExhausted{"residential", who, 8064, 3},
      SourceSpoofed{ip("192.0.2.9"), "eth0", "NOT_A_SUBSCRIBER", 12},
      Ipv4IdRepeated{outside, 17, 5},
      FragmentIdsWrapped{ip("100.64.3.7"), 17, 20000, 13107, 2},
      TraceAsked{1000, "alice", "203.0.113.5:40001/tcp at 2026-03-01T10:00:00.000000Z, skew 0 s"},
      ConfigApplied{"0123456789abcdef", "pool \"residential\" 100.64.0.0/16"},
      AgentStarted{"0.1.0", true, 1'000'000},
      AgentStopped{"SIGTERM"},
      Gap{41, 43, "the ring was full"},
  };
  std::vector<Event> events;
  for (const EventBody& body : bodies)
    events.push_back({40 + events.size(), kTime, 1'000, body, std::chrono::microseconds(250)});
  return events;
}

}  // namespace apnat::test
