// icmp_error.cpp - RFC 792 as RFC 1122 and RFC 1812 want it from a router.
#include "slowpath/icmp_error.h"

#include <netinet/in.h>

#include <algorithm>

namespace apnat {
namespace {

constexpr std::size_t kIcmpHeader = 8;
constexpr std::size_t kMacBytes = 6;
constexpr std::size_t kBuckets = 4096;
constexpr std::uint8_t kTtl = 64;
constexpr std::uint8_t kInternetworkControl = 0xc0;  // precedence 6 (RFC 1812 section 4.3.2.5)
constexpr std::uint64_t kSecond = 1'000'000'000;

struct TypeAndCode {
  std::uint8_t type;
  std::uint8_t code;
};

TypeAndCode type_and_code(IcmpError error) {
  switch (error) {
    case IcmpError::kFragmentationNeeded:
      return {3, 4};
    case IcmpError::kNetworkUnreachable:
      return {3, 0};
    case IcmpError::kHostUnreachable:
      return {3, 1};
    case IcmpError::kProhibited:
      return {3, 13};
    case IcmpError::kTimeExceeded:
      return {11, 0};
  }
  return {3, 1};
}

// Queries and their replies; every other type is an error, or may be one some day.
bool is_query(std::uint8_t type) {
  switch (type) {
    case 0:   // echo reply
    case 8:   // echo
    case 9:   // router advertisement
    case 10:  // router solicitation
    case 13:  // timestamp
    case 14:
    case 15:  // information
    case 16:
    case 17:  // address mask
    case 18:
      return true;
    default:
      return false;
  }
}

bool is_multicast_or_above(Ip4 address) { return address.value() >> 28 >= 14; }
// Not the subnet's own broadcast addresses: those, only the routing table knows.
bool is_one_host(Ip4 address) {
  const std::uint32_t network = address.value() >> 24;
  return network != 0 && network != 127 && !is_multicast_or_above(address);
}

std::optional<IcmpSilence> silence_about(const Frame& frame) {
  if (frame.offset() != 0) return IcmpSilence::kLaterFragment;
  const bool sent_to_many = frame.link[0] & 1;
  if (sent_to_many || is_multicast_or_above(frame.destination())) return IcmpSilence::kBroadcast;
  if (!is_one_host(frame.source())) return IcmpSilence::kNotOneHost;
  if (frame.protocol() == IPPROTO_ICMP && (frame.payload.empty() || !is_query(frame.payload[0]))) {
    return IcmpSilence::kAboutAnError;
  }
  return std::nullopt;
}

// Atomic, so that its ID needs no care (RFC 6864 section 4.1).
void write_ipv4(MutableBytes header, std::size_t total, Ip4 from, Ip4 to) {
  std::ranges::fill(header, 0);
  header[0] = 0x45;
  header[ipv4::kTos] = kInternetworkControl;
  store16(header.data() + ipv4::kTotalLength, static_cast<std::uint16_t>(total));
  store16(header.data() + ipv4::kFragmentField, ipv4::kDontFragment);
  header[ipv4::kTtl] = kTtl;
  header[ipv4::kProtocol] = IPPROTO_ICMP;
  store32(header.data() + ipv4::kSource, from.value());
  store32(header.data() + ipv4::kDestination, to.value());
  set_header_checksum(header);
}

}  // namespace

std::expected<IcmpErrorFrame, IcmpSilence> icmp_error(IcmpError error, Bytes offending, Ip4 from,
                                                      std::uint16_t next_hop_mtu) {
  const auto frame = parse_frame(offending);
  if (!frame) return std::unexpected(IcmpSilence::kMalformed);
  if (const auto silence = silence_about(*frame)) return std::unexpected(*silence);

  const std::size_t link = frame->link.size();
  const std::size_t quoted = std::min(frame->total_length(), IcmpErrorFrame::kMost - kLeastIpv4Header - kIcmpHeader);
  IcmpErrorFrame answer;
  std::uint8_t* out = answer.bytes_.data();
  std::memcpy(out, frame->link.data() + kMacBytes, kMacBytes);
  std::memcpy(out + kMacBytes, frame->link.data(), kMacBytes);
  std::memcpy(out + 2 * kMacBytes, frame->link.data() + 2 * kMacBytes, link - 2 * kMacBytes);

  const std::size_t total = kLeastIpv4Header + kIcmpHeader + quoted;
  write_ipv4(MutableBytes(out + link, kLeastIpv4Header), total, from, frame->source());

  const MutableBytes icmp(out + link + kLeastIpv4Header, kIcmpHeader + quoted);
  const auto [type, code] = type_and_code(error);
  icmp[0] = type;
  icmp[1] = code;
  store32(icmp.data() + 4, error == IcmpError::kFragmentationNeeded ? next_hop_mtu : 0);
  std::memcpy(icmp.data() + kIcmpHeader, frame->header.data(), quoted);
  store16(icmp.data() + 2, 0);
  store16(icmp.data() + 2, static_cast<std::uint16_t>(~internet_sum(icmp)));
  answer.size_ = link + total;
  return answer;
}

// ---- how many

IcmpLimiter::IcmpLimiter(Rate each, Rate all, std::uint64_t seed)
    : each_(each), all_(all), seed_(seed), buckets_(kBuckets) {}

bool IcmpLimiter::has_token(const Bucket& bucket, Rate rate, std::uint64_t now_ns) {
  if (rate.per_second == 0 || rate.burst == 0) return false;
  return bucket.full_at_ns <= now_ns + (rate.burst - 1) * (kSecond / rate.per_second);
}

void IcmpLimiter::take(Bucket& bucket, Rate rate, std::uint64_t now_ns) {
  bucket.full_at_ns = std::max(bucket.full_at_ns, now_ns) + kSecond / rate.per_second;
}

bool IcmpLimiter::allow(Ip4 destination, std::uint64_t now_ns) {
  const auto product = static_cast<unsigned __int128>(destination.value() ^ seed_) * 0x9e3779b97f4a7c15;
  Bucket& bucket = buckets_[static_cast<std::uint64_t>(product >> 64 ^ product) % kBuckets];
  // Both before either: one that is refused here takes nothing from the others.
  if (!has_token(bucket, each_, now_ns) || !has_token(total_, all_, now_ns)) {
    ++suppressed_;
    return false;
  }
  take(bucket, each_, now_ns);
  take(total_, all_, now_ns);
  return true;
}

}  // namespace apnat
