// fragment.h - one fragment as the reassembler wants it: whose it is, where it belongs, its bytes. Judges only what can
// be judged of a fragment by itself; never keeps bytes.
#pragma once

#include <expected>

#include "apnat/tables.h"
#include "slowpath/frame.h"

namespace apnat {

// What fragments of one datagram have in common (RFC 791 section 3.2), and the realm they came from (FRAG-4): those of
// different realms are never put together, whatever a sender writes into its headers.
struct FragmentKey {
  std::uint32_t source;  // host byte order
  std::uint32_t destination;
  std::uint16_t id;
  std::uint8_t protocol;
  std::uint8_t realm;  // enum realm
  friend bool operator==(const FragmentKey&, const FragmentKey&) = default;
};

// How a frame came to us; given back with the datagram it became part of.
struct Arrival {
  std::uint32_t ifindex = 0;
  std::uint32_t rx_queue = 0;
  enum realm realm = REALM_INTERNAL;
};

struct Fragment {
  FragmentKey key;
  std::uint32_t offset;  // of its payload in the datagram's, in bytes
  bool more;
  bool dont_fragment;
  std::uint8_t ecn;  // RFC 3168: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE
  std::uint8_t ttl;
  Frame frame;
  Arrival arrival;

  std::uint32_t end() const { return offset + static_cast<std::uint32_t>(frame.payload.size()); }
};

enum class FragmentFault {
  kTruncated,
  kNotIpv4,
  kBadHeader,
  kBadChecksum,
  kWhole,  // not a fragment: MF=0 and offset 0. It touches no other datagram of its ID (ID-2)
};

std::expected<Fragment, FragmentFault> parse_fragment(Bytes bytes, const Arrival& arrival);

}  // namespace apnat
