// slow_lab.h - a reassembler and its clock, spoken to in pieces.
#pragma once

#include <catch2/catch.hpp>

#include "slowpath/reassembler.h"
#include "support/fragments.h"

namespace apnat::test {

inline FragmentsConfig fragments_config(Overlap overlap = Overlap::kKill) {
  FragmentsConfig config;
  config.memory = std::uint64_t{4} << 20;
  config.overlap = overlap;
  return config;
}

class SlowLab {
 public:
  explicit SlowLab(const FragmentsConfig& config = fragments_config()) : reassembler(config, 0x5eed) {}

  Reassembled add(const Piece& piece, enum realm realm = REALM_INTERNAL) {
    frame_ = frame_of(piece);
    const auto fragment = parse_fragment(frame_, {.ifindex = 3, .rx_queue = 1, .realm = realm});
    REQUIRE(fragment);
    Reassembled result = reassembler.add(*fragment, now_ns, room);
    check_balance();
    return result;
  }
  // The payload of the datagram that the piece completed; empty: it did not.
  Octets payload_after(const Piece& piece, enum realm realm = REALM_INTERNAL) {
    const Reassembled result = add(piece, realm);
    if (!result.datagram) return {};
    const auto frame = parse_frame(result.datagram->frame);
    REQUIRE(frame);
    CHECK_FALSE(frame->is_fragment());
    return Octets(frame->payload.begin(), frame->payload.end());
  }
  void wait(double seconds) { now_ns += static_cast<std::uint64_t>(seconds * 1e9); }
  // No fragment is ever lost without being counted.
  void check_balance() {
    const ReassemblyCounters& counters = reassembler.counters();
    const std::uint64_t held =
        reassembler.gauges(REALM_INTERNAL, now_ns).fragments + reassembler.gauges(REALM_EXTERNAL, now_ns).fragments;
    if (counters.received != counters.joined + counters.dup + counters.lost + held) {
      FAIL("received " << counters.received << ", joined " << counters.joined << ", dup " << counters.dup << ", lost "
                       << counters.lost << ", held " << held);
    }
  }
  std::uint64_t datagrams_held() {
    return reassembler.gauges(REALM_INTERNAL, now_ns).datagrams + reassembler.gauges(REALM_EXTERNAL, now_ns).datagrams;
  }

  Reassembler reassembler;
  std::uint64_t now_ns = 1'000'000'000'000;
  Octets room = Octets(Reassembler::kOutBytes);

 private:
  Octets frame_;
};

}  // namespace apnat::test
