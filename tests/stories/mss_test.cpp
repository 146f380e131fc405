// The MSS clamp: only the MSS option of a SYN, only downwards, and the checksum with it.
#include <algorithm>
#include <catch2/catch.hpp>

#include "support/story.h"

using namespace apnat::test;

namespace {

constexpr std::uint16_t kClamp = 1400;

std::unique_ptr<Translator> clamping(const std::string& host) {
  NatSpec spec;
  spec.tcp_mss_clamp = kClamp;
  return translator(host, spec);
}

Packet syn(Bytes options, std::string_view flags = "S") {
  return Ipv4{.source = kS1, .destination = kR1} /
         Tcp{.source = 5000, .destination = 80, .flags = flags, .options = std::move(options)};
}

// The bytes behind the fixed TCP header.
Bytes options_of(const Packet& packet) {
  return {packet.bytes().begin() + static_cast<std::ptrdiff_t>(packet.transport_offset()) + 20, packet.bytes().end()};
}

}  // namespace

TEST_CASE("a larger MSS is clamped wherever its option stands", "[TCP-20]") {
  auto nat = clamping(GENERATE(from_range(translators())));
  const auto [before, after] = GENERATE(table<Bytes, Bytes>({
      {{2, 4, 5, 180}, {2, 4, 5, 120}},
      {{1, 2, 4, 5, 180, 1, 1, 0}, {1, 2, 4, 5, 120, 1, 1, 0}},
      {{1, 1, 2, 4, 5, 180, 1, 0}, {1, 1, 2, 4, 5, 120, 1, 0}},
      {{3, 3, 7, 2, 4, 5, 180, 0}, {3, 3, 7, 2, 4, 5, 120, 0}},
      {{4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 2, 4, 255, 255}, {4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 2, 4, 5, 120}},
  }));
  const auto out = nat->outbound(syn(before));
  REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(options_of(out.packet) == after);
  CHECK(out.packet.has_right_checksums());
}

TEST_CASE("the last bytes of the longest header can be the MSS", "[TCP-20]") {
  auto nat = clamping(GENERATE(from_range(translators())));
  Bytes options(40, 1);
  std::copy_n(Bytes{2, 4, 5, 180}.begin(), 4, options.begin() + 36);
  const auto out = nat->outbound(syn(options));
  CHECK(options_of(out.packet)[39] == 120);
  CHECK(out.packet.has_right_checksums());
}

TEST_CASE("what is no larger MSS of a SYN stays as it is", "[TCP-20]") {
  auto nat = clamping(GENERATE(from_range(translators())));
  const Bytes options = GENERATE(values<Bytes>({
      {2, 4, 4, 176},               // 1200
      {2, 4, 5, 120},               // 1400
      {},                           // none
      {0, 2, 4, 5, 180, 0, 0, 0},   // behind the end
      {8, 0, 2, 4, 5, 180, 0, 0},   // behind an option without length
      {2, 3, 5, 180},               // not of the right length
      {8, 200, 2, 4, 5, 180, 0, 0}  // inside one that is longer than the header
  }));
  const auto out = nat->outbound(syn(options));
  REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(options_of(out.packet) == options);
  CHECK(out.packet.has_right_checksums());
}

TEST_CASE("a SYN-ACK from outside is clamped, data is not", "[TCP-20]") {
  auto nat = clamping(GENERATE(from_range(translators())));
  const auto out = nat->outbound(syn({2, 4, 5, 180}));
  const auto reply = [&](std::string_view flags) {
    return nat->inbound(
        Ipv4{.source = kR1, .destination = kX} /
        Tcp{.source = 80, .destination = out.packet.source_port(), .flags = flags, .options = {2, 4, 5, 180}});
  };
  CHECK(options_of(reply("SA").packet) == Bytes{2, 4, 5, 120});
  CHECK(reply("SA").packet.has_right_checksums());
  CHECK(options_of(reply("A").packet) == Bytes{2, 4, 5, 180});
  CHECK(options_of(nat->outbound(syn({2, 4, 5, 180}, "PA")).packet) == Bytes{2, 4, 5, 180});
}
