// frame.cpp - Ethernet, tags, IPv4: each measured before it is read.
#include "slowpath/frame.h"

namespace apnat {
namespace {

constexpr std::uint16_t kIpv4 = 0x0800;
constexpr std::uint16_t kCustomerTag = 0x8100;
constexpr std::uint16_t kServiceTag = 0x88a8;

bool is_tag(std::uint16_t ether_type) { return ether_type == kCustomerTag || ether_type == kServiceTag; }

// Where in a frame its packet is, as far as its header can be believed; the packet may end behind the frame.
struct Extent {
  std::size_t link;
  std::size_t header;
  std::size_t total;
};

std::expected<Extent, FrameFault> find_packet(Bytes bytes) {
  std::size_t link = kEthernetBytes;
  if (bytes.size() < link) return std::unexpected(FrameFault::kTruncated);
  while (is_tag(load16(bytes.data() + link - 2)) && link < kMostLinkBytes) {
    link += kTagBytes;
    if (bytes.size() < link) return std::unexpected(FrameFault::kTruncated);
  }
  if (load16(bytes.data() + link - 2) != kIpv4) return std::unexpected(FrameFault::kNotIpv4);

  const Bytes rest = bytes.subspan(link);
  if (rest.size() < kLeastIpv4Header) return std::unexpected(FrameFault::kTruncated);
  const std::size_t header = std::size_t{4} * (rest[0] & 0x0f);
  const std::size_t total = load16(rest.data() + ipv4::kTotalLength);
  if (rest[0] >> 4 != 4 || header < kLeastIpv4Header || total < header) {
    return std::unexpected(FrameFault::kBadHeader);
  }
  return Extent{link, header, total};
}

}  // namespace

std::expected<Frame, FrameFault> parse_frame(Bytes bytes) {
  const auto extent = find_packet(bytes);
  if (!extent) return std::unexpected(extent.error());
  const auto [link, header, total] = *extent;
  const Bytes rest = bytes.subspan(link);
  if (rest.size() < total || rest.size() < header) return std::unexpected(FrameFault::kTruncated);
  // What is put together gets a new checksum: a wrong one must not become right on the way.
  if (internet_sum(rest.first(header)) != 0xffff) return std::unexpected(FrameFault::kBadChecksum);
  return Frame{bytes.first(link), rest.first(header), rest.subspan(header, total - header)};
}

std::size_t bytes_cut_off(Bytes bytes) {
  const auto extent = find_packet(bytes);
  if (!extent) return 0;
  const std::size_t there = bytes.size() - extent->link;
  return there < extent->total ? extent->total - there : 0;
}

}  // namespace apnat
