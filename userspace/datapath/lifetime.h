// lifetime.h - a mapping as the agent sees it: alive or dead, and what its state is
// called. How long it lives is the translator's own arithmetic.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>

#include "core_native.h"
#include "datapath/rows.h"

namespace apnat {

// One protocol of the class, for arithmetic that wants a protocol: a free entry has none.
constexpr std::uint8_t protocol_of_class(unsigned protocol_class) {
  return protocol_class == CLASS_TCP ? IPPROTO_TCP : protocol_class == CLASS_UDP ? IPPROTO_UDP : IPPROTO_ICMP;
}
constexpr unsigned class_of_protocol(std::uint8_t protocol) {
  return protocol == IPPROTO_TCP ? CLASS_TCP : protocol == IPPROTO_UDP ? CLASS_UDP : CLASS_OTHER;
}

// A copy of an entry, read once.
struct MappingNow {
  mapping row{};
  bool in_use() const { return row.marks & MARK_IN_USE; }
  bool is_static() const { return row.marks & MARK_STATIC; }
};

inline MappingNow read_mapping(const mapping& entry) {
  MappingNow now;
  now.row.key = load(entry.key);
  now.row.last_seen = load(entry.last_seen);
  now.row.state = load(entry.state);
  return now;
}

// Ticks for which it has been dead; negative: it has that long to live.
inline std::int64_t dead_for(const struct options& options, unsigned protocol_class, const mapping& row,
                             std::uint32_t now) {
  return ticks_since(row.last_seen, now) - core_lifetime_ticks(&options, protocol_of_class(protocol_class), row.state);
}

inline bool is_live(const struct options& options, unsigned protocol_class, const MappingNow& entry,
                    std::uint32_t now) {
  return entry.in_use() && (entry.is_static() || dead_for(options, protocol_class, entry.row, now) <= 0);
}

inline std::string state_name(unsigned protocol_class, const MappingNow& entry) {
  if (entry.is_static()) return "forward";
  if (protocol_class != CLASS_TCP) return "active";
  switch (entry.row.state & STATE_TCP) {
    case TCP_INIT:
      return "init";
    case TCP_ESTABLISHED:
      return "established";
    case TCP_CLIENT_FIN:
      return "client_fin";
    case TCP_SERVER_FIN:
      return "server_fin";
    case TCP_BOTH_FIN:
      return "both_fin";
    case TCP_TRANS:
      return "trans";
    default:
      return "none";
  }
}

}  // namespace apnat
