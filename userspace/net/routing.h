// routing.h - what the kernel's routing says, asked over rtnetlink: the way to one
// destination, and whether rules look at more than the destination.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "net/address.h"

namespace apnat {

struct WayOut {
  enum class Kind { kFound, kNone, kProhibited, kLocal };
  Kind kind = Kind::kNone;
  std::uint32_t ifindex = 0;
  Ip4 next_hop;
  std::uint32_t mtu = 0;                           // of the interface, or the route's own where it has one
  std::optional<std::array<std::uint8_t, 6>> mac;  // of the next hop; none: not resolved
};

// The way to `destination`, as for a packet from anyone.
Result<WayOut> way_to(Ip4 destination);

// Are there rules (ip rule) beside the kernel's own three? Then a route may depend on the source or a mark.
Result<bool> has_policy_rules();

}  // namespace apnat
