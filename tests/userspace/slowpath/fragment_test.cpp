// From a frame to a fragment; whatever is malformed has its reason.
#include "slowpath/fragment.h"

#include <catch2/catch.hpp>

#include "support/fragments.h"

using namespace apnat;
using namespace apnat::test;

namespace {

FragmentFault fault_of(const Octets& frame) {
  const auto fragment = parse_fragment(frame, {});
  REQUIRE_FALSE(fragment);
  return fragment.error();
}

// The IPv4 header's byte `at` becomes `value`; the checksum is made right again if asked for.
Octets with_byte(Octets frame, std::size_t at, std::uint8_t value, bool right_checksum = true) {
  frame[14 + at] = value;
  if (right_checksum) {
    frame[24] = frame[25] = 0;
    const std::uint16_t sum = plain_checksum(frame, 14, 34);
    frame[24] = static_cast<std::uint8_t>(sum >> 8);
    frame[25] = static_cast<std::uint8_t>(sum);
  }
  return frame;
}

}  // namespace

TEST_CASE("a fragment says whose it is and where it belongs", "[FRAG-4]") {
  const Octets frame = frame_of({.source = kS2,
                                 .id = 0x1234,
                                 .protocol = 6,
                                 .offset = 1480,
                                 .more = false,
                                 .dont_fragment = true,
                                 .tos = 0xb9,
                                 .ttl = 17,
                                 .payload = bytes_of(33),
                                 .options = {0x94, 4, 0, 0},
                                 .tags = {0x88a8'0064, 0x8100'0065},
                                 .padding = 9});
  const auto fragment = parse_fragment(frame, {.ifindex = 5, .rx_queue = 2, .realm = REALM_EXTERNAL});
  REQUIRE(fragment);
  CHECK(fragment->key == FragmentKey{kS2, kR1, 0x1234, 6, REALM_EXTERNAL});
  CHECK(fragment->offset == 1480);
  CHECK_FALSE(fragment->more);
  CHECK(fragment->dont_fragment);
  CHECK(fragment->ecn == 1);
  CHECK(fragment->ttl == 17);
  CHECK(fragment->frame.link.size() == 22);
  CHECK(fragment->frame.header.size() == 24);
  CHECK(Octets(fragment->frame.payload.begin(), fragment->frame.payload.end()) == bytes_of(33));
  CHECK(fragment->arrival.ifindex == 5);
}

TEST_CASE("an atomic packet is no fragment, whatever its ID", "[ID-2]") {
  CHECK(fault_of(frame_of({.more = false, .dont_fragment = true, .payload = bytes_of(64)})) == FragmentFault::kWhole);
  CHECK(fault_of(frame_of({.more = false, .payload = bytes_of(64)})) == FragmentFault::kWhole);
}

TEST_CASE("lengths are compared with what arrived", "[SEC-25]") {
  const Octets right = frame_of({.payload = bytes_of(64)});
  REQUIRE(parse_fragment(right, {}));
  for (std::size_t size = 0; size < right.size(); ++size) {
    CHECK(fault_of(Octets(right.begin(), right.begin() + static_cast<std::ptrdiff_t>(size))) ==
          FragmentFault::kTruncated);
  }
  CHECK(fault_of(with_byte(right, 3, 85)) == FragmentFault::kTruncated);  // one byte more than there is
  CHECK(fault_of(with_byte(right, 3, 19)) == FragmentFault::kBadHeader);  // less than its own header
  CHECK(fault_of(with_byte(right, 0, 0x44)) == FragmentFault::kBadHeader);
  CHECK(fault_of(with_byte(right, 0, 0x65)) == FragmentFault::kBadHeader);
  CHECK(fault_of(with_byte(right, 8, 63, false)) == FragmentFault::kBadChecksum);
  CHECK(fault_of(frame_of({.payload = bytes_of(64), .tags = {0x8100'0001, 0x8100'0002, 0x8100'0003}})) ==
        FragmentFault::kNotIpv4);
}
