// frame.h - an Ethernet frame that carries IPv4, measured and cut into its parts. Whoever sent it chose every length in
// it: none is believed before it is compared with what arrived.
#pragma once

#include <expected>

#include "net/address.h"
#include "slowpath/wire.h"

namespace apnat {

// Views into the bytes they were parsed from.
struct Frame {
  Bytes link;     // Ethernet, and up to two VLAN tags
  Bytes header;   // IPv4, options included
  Bytes payload;  // by the header's length: what Ethernet padded is cut off

  Ip4 source() const { return Ip4(load32(header.data() + ipv4::kSource)); }
  Ip4 destination() const { return Ip4(load32(header.data() + ipv4::kDestination)); }
  std::uint8_t protocol() const { return header[ipv4::kProtocol]; }
  std::uint16_t fragment_field() const { return load16(header.data() + ipv4::kFragmentField); }
  std::size_t offset() const { return std::size_t{8} * (fragment_field() & ipv4::kOffsetMask); }
  bool more_fragments() const { return fragment_field() & ipv4::kMoreFragments; }
  bool dont_fragment() const { return fragment_field() & ipv4::kDontFragment; }
  bool is_fragment() const { return fragment_field() & (ipv4::kOffsetMask | ipv4::kMoreFragments); }
  std::size_t total_length() const { return header.size() + payload.size(); }
};

enum class FrameFault {
  kTruncated,    // less arrived than a header promises
  kNotIpv4,      // another protocol, or a third tag
  kBadHeader,    // version, header length or total length contradict each other
  kBadChecksum,  // of the IPv4 header (RFC 1812 section 5.2.2)
};

std::expected<Frame, FrameFault> parse_frame(Bytes bytes);

// How much of its IPv4 packet is missing at the frame's end; 0: nothing, or it is none.
std::size_t bytes_cut_off(Bytes bytes);

}  // namespace apnat
