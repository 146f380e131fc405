// fragmenter.h - a whole datagram becomes fragments that fit the way out, one at a time and in order (FRAG-19). Views
// and a few bytes of header only: no fragment's payload is copied, nothing is allocated. The ID stays as it is.
#pragma once

#include <array>
#include <expected>
#include <optional>

#include "slowpath/frame.h"

namespace apnat {

enum class FragmenterFault {
  kMalformed,  // no frame, or IPv4 options that do not add up
  kNotWhole,   // a fragment already
  kTooBig,     // DF=1 and too large for the way out: answer with ICMP "fragmentation needed"
  kNarrow,     // the way out has no room for a header and 8 bytes
};

class Fragmenter {
 public:
  // One frame is `headers` then `payload`; both are good until the next call.
  struct Piece {
    Bytes headers;  // link header, IPv4 header
    Bytes payload;
  };

  // `frame` has to outlive it. `largest_fragment`: of the fragments that the datagram was put together from, or 0 if it
  // came whole. With DF=1 what goes on is never larger (FRAG-18), and a datagram that came whole is never cut.
  static std::expected<Fragmenter, FragmenterFault> make(Bytes frame, std::uint32_t mtu,
                                                         std::uint16_t largest_fragment = 0);

  std::optional<Piece> next();
  bool is_whole() const { return limit_ >= frame_.total_length(); }  // one piece: the frame as it is

 private:
  Fragmenter(const Frame& frame, std::size_t limit) : frame_(frame), limit_(limit) {}
  void begin();
  void go_on();

  Frame frame_;
  std::size_t limit_;  // of IPv4
  std::size_t done_ = 0;
  bool finished_ = false;
  std::size_t header_bytes_ = 0;  // of this one's IPv4 header
  std::array<std::uint8_t, kMostLinkBytes + kMostIpv4Header> headers_{};
};

}  // namespace apnat
