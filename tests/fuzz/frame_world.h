// frame_world.h - the gateway that fuzzed frames meet, natively and in the kernel:
// two pools, some mappings that are there, an address of the gateway's own.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "support/translator.h"

namespace apnat::test {

inline NatSpec fuzzed_gateway() {
  NatSpec spec;
  spec.pools[0].block_size = 64;
  spec.tcp_mss_clamp = 1400;
  spec.proxy_arp = true;
  spec.pools[0].flags = POOL_HAIRPINNING | POOL_PROXY_ARP;
  return spec;
}

// Mappings at known internal endpoints; the external ports depend on chance, so frames aim at the static one.
inline void open_some(Translator& nat) {
  nat.outbound(Ipv4{.source = "100.64.0.10", .destination = "198.51.100.1"} / Udp{.source = 5000, .destination = 53});
  nat.outbound(Ipv4{.source = "100.64.0.10", .destination = "198.51.100.1"} /
               Tcp{.source = 5000, .destination = 80, .flags = "S"});
  nat.outbound(Ipv4{.source = "100.64.0.10", .destination = "198.51.100.1"} / IcmpQuery{.id = 5000});
  for (std::uint8_t protocol : {6, 17, 1}) {  // the endpoint 192.0.2.1:40000 of each protocol is 100.64.0.20:4000
    const std::uint32_t protocol_class = protocol == 6 ? CLASS_TCP : protocol == 17 ? CLASS_UDP : CLASS_OTHER;
    auto& mapping =
        nat.world().mapping_set(0, protocol_class * SETS_PER_CLASS + 40000 / SET_SLOTS).slot[40000 % SET_SLOTS];
    mapping.internal_address = 0x14004064;
    mapping.internal_port = 0xa00f;
    mapping.protocol = protocol;
    mapping.last_seen = nat.world().now_ticks();
    mapping.state = TCP_ESTABLISHED;
    mapping.marks = MARK_IN_USE | MARK_STATIC;
  }
}

// The first byte chooses the side; the rest is the frame.
inline std::uint32_t side_of(World& world, std::uint8_t choice) {
  return choice & 1 ? world.outside_ifindex() : world.inside_ifindex();
}

}  // namespace apnat::test
