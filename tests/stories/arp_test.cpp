// A pool that lies on the external link: the gateway answers for its addresses.
#include <catch2/catch.hpp>

#include "net/address.h"
#include "support/story.h"

using namespace apnat::test;

namespace {

constexpr std::size_t kArp = 14;  // where it begins in the frame

void put_address(Bytes& frame, std::size_t at, std::string_view text) {
  const std::uint32_t address = apnat::Ip4::parse(text)->value();
  for (int i = 0; i < 4; ++i)
    frame[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
}

// "Who has `target`? Tell `sender`."
Bytes who_has(std::string_view target, std::string_view sender, std::uint8_t operation = 1) {
  Bytes arp = {0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 2};
  arp.resize(46);
  put_address(arp, 14, sender);
  put_address(arp, 24, target);
  return link_frame(Packet(arp), 0x0806);
}

NatSpec on_link(std::uint8_t flags = POOL_PROXY_ARP) {
  NatSpec spec;
  spec.pools[0].external = "198.51.100.8/30";
  spec.pools[0].flags = flags;
  spec.proxy_arp = true;
  return spec;
}

Bytes slice(const Bytes& bytes, std::size_t from, std::size_t count) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.begin() + static_cast<std::ptrdiff_t>(from + count)};
}

}  // namespace

TEST_CASE("who asks for a pool address is told the external interface's", "[rfc826]") {
  auto nat = translator(GENERATE(from_range(translators())), on_link());
  const std::uint32_t outside = nat->world().outside_ifindex();
  const Bytes ours = {2, 0, 0, 0, 0, static_cast<std::uint8_t>(outside)};
  const Bytes asked = who_has("198.51.100.9", "198.51.100.1");
  Bytes frame = asked;
  REQUIRE(nat->frame(outside, frame) == VERDICT_ARP_ANSWERED);
  REQUIRE(frame.size() == asked.size());
  CHECK(slice(frame, 0, 6) == slice(asked, 6, 6));
  CHECK(slice(frame, 6, 6) == ours);
  CHECK(slice(frame, kArp, 6) == slice(asked, kArp, 6));
  CHECK(frame[kArp + 7] == 2);
  CHECK(slice(frame, kArp + 8, 6) == ours);
  CHECK(slice(frame, kArp + 14, 4) == slice(asked, kArp + 24, 4));
  CHECK(slice(frame, kArp + 18, 6) == slice(asked, kArp + 8, 6));
  CHECK(slice(frame, kArp + 24, 4) == slice(asked, kArp + 14, 4));
}

TEST_CASE("every other ARP is the kernel's, untouched", "[rfc826]") {
  auto nat = translator(GENERATE(from_range(translators())), on_link());
  const std::uint32_t outside = nat->world().outside_ifindex();
  const auto is_left = [&](std::uint32_t ifindex, const Bytes& asked) {
    Bytes frame = asked;
    return nat->frame(ifindex, frame) == VERDICT_NOT_IPV4 && frame == asked;
  };
  CHECK(is_left(nat->world().inside_ifindex(), who_has("198.51.100.9", "198.51.100.1")));
  CHECK(is_left(outside, who_has("198.51.100.1", "198.51.100.2")));     // not of the pool
  CHECK(is_left(outside, who_has("198.51.100.254", "198.51.100.1")));   // the gateway's own: the kernel answers
  CHECK(is_left(outside, who_has("198.51.100.9", "198.51.100.9")));     // somebody announces our address
  CHECK(is_left(outside, who_has("198.51.100.9", "198.51.100.1", 2)));  // an answer
  Bytes strange = who_has("198.51.100.9", "198.51.100.1");
  strange[kArp + 4] = 8;
  CHECK(is_left(outside, strange));
  for (std::size_t length = kArp; length < kArp + 28; ++length) {
    Bytes cut = who_has("198.51.100.9", "198.51.100.1");
    cut.resize(length);
    CHECK(is_left(outside, cut));
  }
}

TEST_CASE("a pool that does not ask for it is not answered for", "[rfc826]") {
  auto nat = translator(GENERATE(from_range(translators())), on_link(0));
  Bytes frame = who_has("198.51.100.9", "198.51.100.1");
  CHECK(nat->frame(nat->world().outside_ifindex(), frame) == VERDICT_NOT_IPV4);
}
