// VLAN sub-interfaces as realms: one tag or two, and the tags of the way out in place of those of the way in.
#include <net/if.h>

#include <catch2/catch.hpp>

#include "support/story.h"

using namespace apnat::test;

namespace {

constexpr std::uint16_t kCustomer = 0x8100, kService = 0x88a8;
constexpr std::string_view kOneTag = "100.64.0.11", kTwoTags = "10.7.0.10";

// Two VLANs below the inside interface (100; 300 with 301 in it), one below the outside one (200). To the kernel's
// routing a sub-interface is an interface as any other: pairs stand in for them, for not every kernel has 802.1Q.
struct Vlans {
  std::uint32_t in_100, in_300, in_300_301, out_200;
};

void make_links() {
  static bool made = false;
  if (made) return;
  made = true;
  shell(
      "set -e; for i in in100 in300 in301 out200; do"
      "  ip link add $i type veth peer name $i.peer; ip link set $i up; ip link set $i.peer up; done;"
      "ip route add 100.64.0.11/32 dev in100; ip neigh replace 100.64.0.11 lladdr 02:00:00:00:00:09 dev in100;"
      "ip route add 10.7.0.0/24 dev in301; ip neigh add 10.7.0.10 lladdr 02:00:00:00:00:09 dev in301;"
      "ip route add 203.0.113.10/32 dev out200; ip neigh add 203.0.113.10 lladdr 02:00:00:00:00:09 dev out200");
}

Vlans vlans_of(const Translator& nat) {
  if (nat.name() != "kernel") return {21, 22, 23, 24};
  make_links();
  return {if_nametoindex("in100"), if_nametoindex("in300"), if_nametoindex("in301"), if_nametoindex("out200")};
}

struct interface row(std::uint8_t flags, std::uint32_t redirect,
                     std::vector<std::pair<std::uint16_t, std::uint16_t>> tags) {
  struct interface row{};
  row.flags = flags;
  row.redirect_ifindex = redirect;
  row.vlan_depth = static_cast<std::uint8_t>(tags.size());
  for (std::size_t i = 0; i < tags.size(); ++i) {
    row.vlan_protocol[i] = __builtin_bswap16(tags[i].first);
    row.vlan_id[i] = __builtin_bswap16(tags[i].second);
  }
  return row;
}

// The physical interfaces below serve untagged frames too.
void put_vlans(Translator& nat, const Vlans& vlans) {
  World& world = nat.world();
  const std::uint32_t in = world.inside_ifindex(), out = world.outside_ifindex();
  const std::uint8_t internal = INTERFACE_INTERNAL | INTERFACE_EGRESS, external = INTERFACE_EXTERNAL | INTERFACE_EGRESS;
  struct interface below = row(internal, in, {});
  below.vlan_table_plus_one = 1;
  world.put_interface(in, below);
  below = row(external, out, {});
  below.vlan_table_plus_one = 2;
  world.put_interface(out, below);
  world.put_interface(vlans.in_100, row(internal, in, {{kCustomer, 100}}));
  struct interface service = row(0, in, {{kService, 300}});
  service.vlan_table_plus_one = 3;
  world.put_interface(vlans.in_300, service);
  world.put_interface(vlans.in_300_301, row(internal, in, {{kService, 300}, {kCustomer, 301}}));
  world.put_interface(vlans.out_200, row(external, out, {{kCustomer, 200}}));
  world.put_vlan_member(0 * VLANS_PER_TABLE + 100, {vlans.in_100, 0});
  world.put_vlan_member(0 * VLANS_PER_TABLE + 300, {vlans.in_300, 0});
  world.put_vlan_member(1 * VLANS_PER_TABLE + 200, {vlans.out_200, 0});
  world.put_vlan_member(2 * VLANS_PER_TABLE + 301, {vlans.in_300_301, 0});
}

std::unique_ptr<Translator> with_vlans(const std::string& host) {
  NatSpec spec;
  spec.vlans = true;
  spec.pools.push_back(spec.pools[0]);
  spec.pools[1].internal = "10.7.0.0/24";
  spec.pools[1].external = "192.0.2.2";
  auto nat = translator(host, spec);
  put_vlans(*nat, vlans_of(*nat));
  return nat;
}

using Tags = std::vector<std::pair<std::uint16_t, std::uint16_t>>;

Bytes tagged(const Packet& packet, const Tags& tags) {
  Bytes frame = link_frame(packet);
  Bytes inserted;
  for (const auto& [protocol, id] : tags)
    for (const std::uint16_t value : {protocol, id}) {
      inserted.push_back(static_cast<std::uint8_t>(value >> 8));
      inserted.push_back(static_cast<std::uint8_t>(value));
    }
  frame.insert(frame.begin() + 12, inserted.begin(), inserted.end());
  return frame;
}

std::uint16_t get16(const Bytes& bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes.at(at) << 8 | bytes.at(at + 1));
}

struct Seen {
  Tags tags;
  Packet packet;
};

Seen seen_in(const Bytes& frame) {
  Seen seen;
  std::size_t at = 12;
  for (; get16(frame, at) == kCustomer || get16(frame, at) == kService; at += 4)
    seen.tags.emplace_back(get16(frame, at), get16(frame, at + 2));
  seen.packet = Packet(Bytes(frame.begin() + static_cast<std::ptrdiff_t>(at) + 2, frame.end()));
  return seen;
}

// Tags are the affair of the program's exits: the core alone leaves those the frame came with.
void check_tags(const Translator& nat, const Bytes& frame, const Tags& of_way_in, const Tags& of_way_out) {
  CHECK(seen_in(frame).tags == (nat.name() == "kernel" ? of_way_out : of_way_in));
}

const Tags kIn100 = {{kCustomer, 100}}, kIn301 = {{kService, 300}, {kCustomer, 301}};

}  // namespace

TEST_CASE("a tagged subscriber is translated; the frame leaves with the tags of its way out", "[rfc1812]") {
  auto nat = with_vlans(GENERATE(from_range(translators())));
  struct Way {
    std::string_view from, to;
    Tags in, out;
  };
  const Way way = GENERATE(Way{"100.64.0.11", "203.0.113.10", {{kCustomer, 100}}, {{kCustomer, 200}}},
                           Way{"100.64.0.11", "198.51.100.1", {{kCustomer, 100}}, {}},
                           Way{"100.64.0.10", "203.0.113.10", {}, {{kCustomer, 200}}},
                           Way{"10.7.0.10", "198.51.100.1", {{kService, 300}, {kCustomer, 301}}, {}},
                           Way{"10.7.0.10", "203.0.113.10", {{kService, 300}, {kCustomer, 301}}, {{kCustomer, 200}}},
                           Way{"100.64.0.10", "198.51.100.1", {}, {}});
  Bytes frame = tagged(udp(way.from, 5000, way.to, 53), way.in);
  REQUIRE(nat->frame(nat->world().inside_ifindex(), frame) == VERDICT_TRANSLATED_OUTBOUND);
  const Packet out = seen_in(frame).packet;
  check_tags(*nat, frame, way.in, way.out);
  CHECK(out.source() == (way.from == kTwoTags ? "192.0.2.2" : "192.0.2.1"));
  CHECK(out.has_right_checksums());
  CHECK(out.bytes().size() == 33);

  Bytes back = tagged(udp(way.to, 53, out.source(), out.source_port()), way.out);
  REQUIRE(nat->frame(nat->world().outside_ifindex(), back) == VERDICT_TRANSLATED_INBOUND);
  check_tags(*nat, back, way.out, way.in);
  CHECK(seen_in(back).packet.destination() == way.from);
  CHECK(seen_in(back).packet.destination_port() == 5000);
  CHECK(seen_in(back).packet.has_right_checksums());
}

TEST_CASE("a VLAN the gateway does not serve is the kernel's, untouched", "[rfc1812]") {
  auto nat = with_vlans(GENERATE(from_range(translators())));
  const auto is_left = [&](const Tags& tags) {
    const Bytes sent = tagged(udp(kOneTag, 5000, kR1, 53), tags);
    Bytes frame = sent;
    return nat->frame(nat->world().inside_ifindex(), frame) == VERDICT_UNKNOWN_INTERFACE && frame == sent;
  };
  CHECK(is_left({{kCustomer, 101}}));
  CHECK(is_left({{kCustomer, 200}}));  // of the other interface
  CHECK(is_left({{kService, 300}}));   // carries VLANs, but no subscribers itself
  CHECK(is_left({{kService, 300}, {kCustomer, 302}}));
  CHECK(is_left({{kCustomer, 100}, {kCustomer, 301}}));  // nothing stands below 100
}

TEST_CASE("a priority tag is no VLAN: the frame is the interface's own, and loses it", "[rfc1812][SEC-1]") {
  auto nat = with_vlans(GENERATE(from_range(translators())));
  struct Way {
    std::string_view from;
    Tags in;
  };
  const Way way =
      GENERATE(Way{kS1, {{kCustomer, 0}}}, Way{kS1, {{kCustomer, 0}, {kCustomer, 0}}},
               Way{kOneTag, {{kCustomer, 100}, {kCustomer, 0}}}, Way{kOneTag, {{kCustomer, 0}, {kCustomer, 100}}});
  Bytes frame = tagged(udp(way.from, 5000, "203.0.113.10", 53), way.in);
  REQUIRE(nat->frame(nat->world().inside_ifindex(), frame) == VERDICT_TRANSLATED_OUTBOUND);
  check_tags(*nat, frame, way.in, {{kCustomer, 200}});
  CHECK(seen_in(frame).packet.has_right_checksums());
  Bytes stranger = tagged(udp("10.99.0.1", 5000, "203.0.113.10", 53), way.in);
  CHECK(nat->frame(nat->world().inside_ifindex(), stranger) == VERDICT_NOT_A_SUBSCRIBER);
}

TEST_CASE("tags the kernel would take off and forward untranslated are refused", "[SEC-1]") {
  auto nat = with_vlans(GENERATE(from_range(translators())));
  Bytes frame = tagged(udp(kS1, 5000, kR1, 53), {{kCustomer, 0}, {kCustomer, 0}, {kCustomer, 0}});
  CHECK(nat->frame(nat->world().inside_ifindex(), frame) == VERDICT_UNEXPECTED_TAG);
}

TEST_CASE("a frame may end in its tags", "[SEC-25]") {
  auto nat = with_vlans(GENERATE(from_range(translators())));
  const Bytes whole = tagged(udp(kTwoTags, 5000, kR1, 53), kIn301);
  for (std::size_t length = 14; length < 22; ++length) {
    Bytes frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    CHECK(nat->frame(nat->world().inside_ifindex(), frame) == VERDICT_TRUNCATED);
  }
}

TEST_CASE("without VLANs in the configuration a tagged frame is the kernel's", "[rfc1812]") {
  auto nat = translator(GENERATE(from_range(translators())));
  Bytes frame = tagged(udp(kS1, 5000, kR1, 53), kIn100);
  CHECK(nat->frame(nat->world().inside_ifindex(), frame) == VERDICT_UNKNOWN_INTERFACE);
  // Not one with a priority tag: the kernel would forward what is under it.
  for (const Tags& tags : {Tags{{kCustomer, 0}}, Tags{{kCustomer, 0}, {kCustomer, 0}}}) {
    Bytes priority = tagged(udp(kS1, 5000, kR1, 53), tags);
    CHECK(nat->frame(nat->world().inside_ifindex(), priority) == VERDICT_UNEXPECTED_TAG);
  }
}
