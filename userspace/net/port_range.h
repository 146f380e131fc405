// port_range.h - runs of ports, and the arithmetic that says which ports are
// whose: blocks of a pool, port sets of RFC 7597, ranges of RFC 7422.
//
// A *slot* is a port's place in its address's mapping table; the port layout is
// the bijection between the two (bpf/core/port_layout.h, which this must match:
// a property test holds them together).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apnat/tables.h"
#include "base/result.h"

namespace apnat {

// Ports first..last, inclusive, host byte order.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  static Result<PortRange> parse(std::string_view text);  // "1024-65535", or one port
  std::uint32_t count() const { return std::uint32_t{last} - first + 1; }
  bool contains(std::uint16_t port) const { return port >= first && port <= last; }
  std::string text() const;
  friend auto operator<=>(const PortRange&, const PortRange&) = default;
};

// Slot <-> port under a pool's layout. `pool` gives port_layout, psid_offset, psid_length, layout_key.
std::uint16_t slot_of_port(const struct pool& pool, std::uint16_t port);
std::uint16_t port_of_slot(const struct pool& pool, std::uint16_t slot);

// May subscribers get it: under the pool's `ports`, and, for PSID with a > 0, RFC 7597's exclusion of A = 0?
bool is_usable(const struct pool& pool, std::uint16_t port);

// The usable ports behind slots first..last, as sorted maximal runs.
std::vector<PortRange> ports_of_slots(const struct pool& pool, struct slot_range slots);

// RFC 7422 section 2: `ratio` subscribers share the usable ports of an address in equal, consecutive
// ranges; the n-th (0-based) gets this one. `ratio` is any number that leaves a port each.
PortRange deterministic_range(PortRange usable, std::uint32_t ratio, std::uint32_t n);
std::uint32_t deterministic_ports_each(PortRange usable, std::uint32_t ratio);

// Which of the `ratio` subscribers has `port`; none for ports left over by the division.
std::optional<std::uint32_t> deterministic_owner(PortRange usable, std::uint32_t ratio, std::uint16_t port);

}  // namespace apnat
