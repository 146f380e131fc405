// ICMP errors of our own: about whom, with what in them, and how many.
#include "slowpath/icmp_error.h"

#include <catch2/catch.hpp>

#include "support/fragments.h"

using namespace apnat;
using namespace apnat::test;

namespace {

const Ip4 kGateway(0xc0000201);  // 192.0.2.1

Octets packet(auto change) {
  Piece piece{.more = false, .payload = bytes_of(1000)};
  change(piece);
  return frame_of(piece);
}

std::optional<IcmpSilence> silence(const Octets& offending) {
  const auto answer = icmp_error(IcmpError::kTimeExceeded, offending, kGateway);
  return answer ? std::nullopt : std::optional(answer.error());
}

}  // namespace

TEST_CASE("an error goes back to its sender and quotes what it sent", "[UDP-23][ICMP-22]") {
  const Octets offending = packet([](Piece& p) { p.tags = {0x8100'0064}; });
  const auto answer = icmp_error(IcmpError::kFragmentationNeeded, offending, kGateway, 1300);
  REQUIRE(answer);
  const auto frame = parse_frame(answer->bytes());
  REQUIRE(frame);
  CHECK(std::ranges::equal(frame->link.first(6), Bytes(offending).subspan(6, 6)));
  CHECK(std::ranges::equal(frame->link.subspan(6, 6), Bytes(offending).first(6)));
  CHECK(std::ranges::equal(frame->link.subspan(12), Bytes(offending).subspan(12, 6)));
  CHECK(frame->source() == kGateway);
  CHECK(frame->destination() == Ip4(kS1));
  CHECK(frame->protocol() == 1);
  CHECK(frame->total_length() == 576);
  CHECK(internet_sum(frame->payload) == 0xffff);
  CHECK(Octets(frame->payload.begin(), frame->payload.begin() + 2) == Octets{3, 4});
  CHECK(load32(frame->payload.data() + 4) == 1300);
  CHECK(std::ranges::equal(frame->payload.subspan(8), Bytes(offending).subspan(18, 548)));
}

TEST_CASE("each error has its type and code, and a short packet is quoted whole", "[ICMP-22][ICMP-24]") {
  const Octets offending = packet([](Piece& p) { p.payload = bytes_of(21), p.padding = 5; });
  const std::pair<IcmpError, Octets> errors[] = {{IcmpError::kFragmentationNeeded, {3, 4}},
                                                 {IcmpError::kHostUnreachable, {3, 1}},
                                                 {IcmpError::kProhibited, {3, 13}},
                                                 {IcmpError::kTimeExceeded, {11, 0}}};
  for (const auto& [error, wanted] : errors) {
    const auto answer = icmp_error(error, offending, kGateway);
    REQUIRE(answer);
    const auto frame = parse_frame(answer->bytes());
    REQUIRE(frame);
    CHECK(Octets(frame->payload.begin(), frame->payload.begin() + 2) == wanted);
    CHECK(load32(frame->payload.data() + 4) == 0);
    CHECK(frame->payload.size() == 8 + 41);
    CHECK(internet_sum(frame->payload) == 0xffff);
  }
}

TEST_CASE("no error is sent where RFC 1122 and RFC 1812 forbid it", "[ICMP-31]") {
  CHECK(silence(packet([](Piece&) {})) == std::nullopt);
  CHECK(silence(packet([](Piece& p) { p.offset = 8; })) == IcmpSilence::kLaterFragment);
  CHECK(silence(packet([](Piece& p) { p.more = true; })) == std::nullopt);
  for (const std::uint32_t many : {0xe0000001u, 0xefffffffu, 0xffffffffu}) {
    CHECK(silence(packet([&](Piece& p) { p.destination = many; })) == IcmpSilence::kBroadcast);
  }
  Octets link_broadcast = packet([](Piece&) {});
  link_broadcast[0] = 0xff;
  CHECK(silence(link_broadcast) == IcmpSilence::kBroadcast);
  for (const std::uint32_t nobody : {0u, 0x00000001u, 0x7f000001u, 0xe0000001u, 0xf0000001u, 0xffffffffu}) {
    CHECK(silence(packet([&](Piece& p) { p.source = nobody; })) == IcmpSilence::kNotOneHost);
  }
  for (int type = 0; type < 256; ++type) {
    const bool query = type == 0 || (type >= 8 && type <= 10) || (type >= 13 && type <= 18);
    const Octets icmp = packet([&](Piece& p) { p.protocol = 1, p.payload[0] = static_cast<std::uint8_t>(type); });
    CHECK(silence(icmp) == (query ? std::nullopt : std::optional(IcmpSilence::kAboutAnError)));
  }
  CHECK(silence(packet([](Piece& p) { p.protocol = 1, p.payload = {}; })) == IcmpSilence::kAboutAnError);
  CHECK(silence(Octets(64)) == IcmpSilence::kMalformed);
}

TEST_CASE("errors are limited for each destination and in all", "[ICMP-32]") {
  IcmpLimiter limiter({.per_second = 10, .burst = 3}, {.per_second = 100, .burst = 20}, 0x5eed);
  std::uint64_t now_ns = 1'000'000'000;
  auto allowed = [&](Ip4 destination, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += limiter.allow(destination, now_ns);
    return count;
  };
  CHECK(allowed(Ip4(kS1), 10) == 3);
  CHECK(allowed(Ip4(kS2), 10) == 3);  // another's bucket is full
  now_ns += 100'000'000;
  CHECK(allowed(Ip4(kS1), 10) == 1);
  now_ns += 10'000'000'000;
  CHECK(allowed(Ip4(kS1), 10) == 3);  // never more than the burst
  now_ns += 10'000'000'000;
  int all = 0;
  for (std::uint32_t n = 0; n < 200; ++n) all += allowed(Ip4(kS1 + n), 1);
  CHECK(all == 20);
  CHECK(limiter.suppressed() == 7 + 7 + 9 + 7 + 180);
  IcmpLimiter none({.per_second = 0, .burst = 3}, {.per_second = 100, .burst = 20}, 0x5eed);
  CHECK_FALSE(none.allow(Ip4(kS1), now_ns));
}
