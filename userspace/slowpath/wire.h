// wire.h - fields of headers in network order. Knows no packet; bounds are its callers' care.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "net/checksum.h"

namespace apnat {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

inline constexpr std::size_t kEthernetBytes = 14;
inline constexpr std::size_t kTagBytes = 4;
inline constexpr std::size_t kMostLinkBytes = kEthernetBytes + 2 * kTagBytes;
inline constexpr std::size_t kLeastIpv4Header = 20;
inline constexpr std::size_t kMostIpv4Header = 60;
inline constexpr std::size_t kMostIpv4Total = 65535;

namespace ipv4 {  // where a header's fields are, and what is in them
inline constexpr std::size_t kTos = 1;
inline constexpr std::size_t kTotalLength = 2;
inline constexpr std::size_t kId = 4;
inline constexpr std::size_t kFragmentField = 6;
inline constexpr std::size_t kTtl = 8;
inline constexpr std::size_t kProtocol = 9;
inline constexpr std::size_t kChecksum = 10;
inline constexpr std::size_t kSource = 12;
inline constexpr std::size_t kDestination = 16;
inline constexpr std::uint16_t kDontFragment = 0x4000;
inline constexpr std::uint16_t kMoreFragments = 0x2000;
inline constexpr std::uint16_t kOffsetMask = 0x1fff;
inline constexpr std::uint8_t kEcnMask = 3;
}  // namespace ipv4

inline std::uint16_t load16(const std::uint8_t* at) {
  std::uint16_t value;
  std::memcpy(&value, at, sizeof(value));
  return __builtin_bswap16(value);
}
inline std::uint32_t load32(const std::uint8_t* at) {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof(value));
  return __builtin_bswap32(value);
}
inline void store16(std::uint8_t* at, std::uint16_t value) {
  value = __builtin_bswap16(value);
  std::memcpy(at, &value, sizeof(value));
}
inline void store32(std::uint8_t* at, std::uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof(value));
}

// Of an IPv4 header, options included.
inline void set_header_checksum(MutableBytes header) {
  store16(header.data() + ipv4::kChecksum, 0);
  store16(header.data() + ipv4::kChecksum, static_cast<std::uint16_t>(~internet_sum(header)));
}

// In the IPv4 header at the beginning of `ip`, and its checksum.
inline void set_dont_fragment(MutableBytes ip, bool wanted) {
  const std::uint16_t field = load16(ip.data() + ipv4::kFragmentField);
  store16(ip.data() + ipv4::kFragmentField,
          static_cast<std::uint16_t>(wanted ? field | ipv4::kDontFragment : field & ~ipv4::kDontFragment));
  set_header_checksum(ip.first((ip[0] & 0x0f) * std::size_t{4}));
}

}  // namespace apnat
