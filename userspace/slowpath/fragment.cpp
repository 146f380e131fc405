// fragment.cpp - from a frame to a fragment.
#include "slowpath/fragment.h"

namespace apnat {
namespace {

FragmentFault fault_of(FrameFault fault) {
  switch (fault) {
    case FrameFault::kTruncated:
      return FragmentFault::kTruncated;
    case FrameFault::kNotIpv4:
      return FragmentFault::kNotIpv4;
    case FrameFault::kBadHeader:
      return FragmentFault::kBadHeader;
    case FrameFault::kBadChecksum:
      return FragmentFault::kBadChecksum;
  }
  return FragmentFault::kBadHeader;
}

}  // namespace

std::expected<Fragment, FragmentFault> parse_fragment(Bytes bytes, const Arrival& arrival) {
  const auto frame = parse_frame(bytes);
  if (!frame) return std::unexpected(fault_of(frame.error()));
  if (!frame->is_fragment()) return std::unexpected(FragmentFault::kWhole);
  return Fragment{
      .key = {.source = frame->source().value(),
              .destination = frame->destination().value(),
              .id = load16(frame->header.data() + ipv4::kId),
              .protocol = frame->protocol(),
              .realm = static_cast<std::uint8_t>(arrival.realm)},
      .offset = static_cast<std::uint32_t>(frame->offset()),
      .more = frame->more_fragments(),
      .dont_fragment = frame->dont_fragment(),
      .ecn = static_cast<std::uint8_t>(frame->header[ipv4::kTos] & ipv4::kEcnMask),
      .ttl = frame->header[ipv4::kTtl],
      .frame = *frame,
      .arrival = arrival,
  };
}

}  // namespace apnat
