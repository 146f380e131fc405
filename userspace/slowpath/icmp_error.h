// icmp_error.h - the ICMP errors that the slow path originates, and how many. Builds bytes; sends nothing, and never
// says who a packet belongs to: the offending packet is given as its sender knows it, before any translation.
#pragma once

#include <array>
#include <expected>
#include <optional>
#include <vector>

#include "slowpath/frame.h"

namespace apnat {

enum class IcmpError {
  kFragmentationNeeded,  // type 3 code 4, with the next hop's MTU (RFC 1191)
  kNetworkUnreachable,   // type 3 code 0
  kHostUnreachable,      // type 3 code 1
  kProhibited,           // type 3 code 13
  kTimeExceeded,         // type 11 code 0
};

// Why no error is sent (RFC 1122 section 3.2.2, RFC 1812 section 4.3.2.7).
enum class IcmpSilence {
  kMalformed,
  kAboutAnError,   // about an ICMP error, or ICMP of a kind that may be one
  kLaterFragment,  // not the first
  kBroadcast,      // the packet was sent to many, by its link or its destination
  kNotOneHost,     // its source is nobody in particular
};

class IcmpErrorFrame {
 public:
  static constexpr std::size_t kMost = 576;  // of IPv4 (RFC 1812 section 4.3.2.3)
  Bytes bytes() const { return Bytes(bytes_.data(), size_); }

 private:
  friend std::expected<IcmpErrorFrame, IcmpSilence> icmp_error(IcmpError, Bytes, Ip4, std::uint16_t);
  std::array<std::uint8_t, kMostLinkBytes + kMost> bytes_;
  std::size_t size_ = 0;
};

// The answer to `offending`, a frame as it arrived, on the same link to whoever sent it: its MAC addresses turned
// round, its tags. `from` is the gateway's own address there; `next_hop_mtu` is for kFragmentationNeeded alone.
std::expected<IcmpErrorFrame, IcmpSilence> icmp_error(IcmpError error, Bytes offending, Ip4 from,
                                                      std::uint16_t next_hop_mtu = 0);

// How many errors may go out: a token bucket for each destination, one for all (RFC 1812 section 4.3.2.8).
// Destinations that hash alike share a bucket: a fixed table cannot be talked into more.
class IcmpLimiter {
 public:
  struct Rate {
    std::uint32_t per_second;
    std::uint32_t burst;
  };
  // `seed` is random and secret, or an attacker would know whose bucket to empty.
  IcmpLimiter(Rate each, Rate all, std::uint64_t seed);

  bool allow(Ip4 destination, std::uint64_t now_ns);
  std::uint64_t suppressed() const { return suppressed_; }

 private:
  struct Bucket {
    std::uint64_t full_at_ns = 0;  // when it will hold its whole burst again; before, it owes the time between
  };
  static bool has_token(const Bucket& bucket, Rate rate, std::uint64_t now_ns);
  static void take(Bucket& bucket, Rate rate, std::uint64_t now_ns);

  Rate each_;
  Rate all_;
  std::uint64_t seed_;
  Bucket total_;
  std::vector<Bucket> buckets_;
  std::uint64_t suppressed_ = 0;
};

}  // namespace apnat
