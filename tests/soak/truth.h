// truth.h - what soak_wire and soak_judge agree on: who was seen behind which external
// block, taken from packets and from nothing that the agent said.
//
// A lease is asked for by number: the number names the subscriber and stands in the
// payload of each of its packets, which no translation touches.
#pragma once

#include <cstdint>

namespace apnat::soak {

inline constexpr std::uint32_t kMagic = 0x61702b70;
inline constexpr std::uint16_t kRemotePort = 9;
inline constexpr std::uint16_t kInternalPort = 40000;
inline constexpr unsigned kPortsABlock = 64;

// The payload, in this machine's byte order: it comes back to where it was made.
struct Payload {
  std::uint32_t magic;
  std::uint32_t lease;
  std::uint32_t subscriber;  // its address, host order
};
static_assert(sizeof(Payload) == 12);

// Packets of one lease that were seen behind one block: from the first to the last of them, CLOCK_REALTIME.
struct Sighting {
  std::uint32_t address = 0;  // external, host order
  std::uint32_t first_port = 0;
  std::uint32_t subscriber = 0;
  std::uint32_t lease = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  std::uint64_t packets = 0;
};
static_assert(sizeof(Sighting) == 40);

}  // namespace apnat::soak
