#include "support/frame_script.h"

#include <algorithm>

#include "support/story.h"

namespace apnat::test {
namespace {

constexpr std::size_t kMaxFrames = 8, kMaxFrameBytes = 4000;
constexpr std::size_t kLinkHeader = 14, kTag = 4, kIpv4Header = 20, kUdpHeader = 8;

std::uint16_t get16(const Bytes& bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void put16(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

void mend(ScriptFrame& frame) {
  Bytes& bytes = frame.bytes;
  const std::size_t ip = network_offset(bytes);
  if (bytes.size() < ip + kIpv4Header) return;
  const std::size_t header = (bytes[ip] & 15u) * 4;
  if (frame.flags & kFrameMendLengths) {
    put16(bytes, ip + 2, bytes.size() - ip);
    if (bytes[ip + 9] == 17 && bytes.size() >= ip + header + kUdpHeader)
      put16(bytes, ip + header + 4, bytes.size() - ip - header);
  }
  if (frame.flags & kFrameMendSum && header >= kIpv4Header && bytes.size() >= ip + header) {
    put16(bytes, ip + 10, 0);
    put16(bytes, ip + 10, static_cast<std::uint16_t>(~sum_of(bytes, ip, ip + header)));
  }
}

PoolSpec one_block_pool(std::string internal, std::string external) {
  PoolSpec pool;
  pool.internal = std::move(internal);
  pool.external = std::move(external);
  pool.last_port = 1535;  // one block of 512
  pool.max_blocks = 2;
  return pool;
}

// Two neighbours in one set of slots.
PoolSpec static_pool(enum port_layout layout) {
  PoolSpec pool;
  pool.internal = "100.64.1.0/24";
  pool.external = "192.0.2.2";
  pool.assignment = ASSIGN_STATIC;
  pool.layout = layout;
  pool.fixed = {{"100.64.1.10", 2000, 2009}, {"100.64.1.20", 2010, 2045}};
  return pool;
}

// VLANs 100 and 300 of an interface are that interface again.
void put_vlans(World& world) {
  for (const std::uint32_t ifindex : {world.inside_ifindex(), world.outside_ifindex()}) {
    const bool outside = ifindex == world.outside_ifindex();
    struct interface row{};
    row.flags = static_cast<__u8>((outside ? INTERFACE_EXTERNAL : INTERFACE_INTERNAL) + INTERFACE_EGRESS);
    row.redirect_ifindex = ifindex;
    row.vlan_table_plus_one = outside ? 2 : 1;
    world.put_interface(ifindex, row);
    for (const std::uint32_t id : {100u, 300u}) world.put_vlan_member(outside * VLANS_PER_TABLE + id, {ifindex, 0});
  }
}

}  // namespace

std::size_t network_offset(const Bytes& frame) {
  std::size_t at = kLinkHeader;
  for (int tags = 0; tags < 2 && frame.size() >= at + kTag; ++tags, at += kTag) {
    const std::uint16_t protocol = get16(frame, at - 2);
    if (protocol != 0x8100 && protocol != 0x88a8) break;
  }
  return at;
}

FrameScript read_script(const Bytes& bytes) {
  FrameScript script;
  if (bytes.empty()) return script;
  script.gateway = bytes[0] % script_gateways().size();
  std::size_t at = 1;
  while (at + 3 <= bytes.size() && script.frames.size() < kMaxFrames) {
    const std::size_t length = std::min({std::size_t{get16(bytes, at + 1)}, bytes.size() - at - 3, kMaxFrameBytes});
    const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(at + 3);
    ScriptFrame frame{bytes[at], Bytes(first, first + static_cast<std::ptrdiff_t>(length))};
    mend(frame);
    script.frames.push_back(std::move(frame));
    at += 3 + length;
  }
  return script;
}

Bytes write_script(const FrameScript& script) {
  Bytes bytes = {static_cast<std::uint8_t>(script.gateway)};
  for (const ScriptFrame& frame : script.frames) {
    bytes.push_back(frame.flags);
    bytes.resize(bytes.size() + 2);
    put16(bytes, bytes.size() - 2, frame.bytes.size());
    bytes.insert(bytes.end(), frame.bytes.begin(), frame.bytes.end());
  }
  return bytes;
}

std::vector<NatSpec> script_gateways() {
  NatSpec plain;
  plain.pools = {one_block_pool("100.64.0.0/24", "192.0.2.1"), static_pool(LAYOUT_CONTIGUOUS)};

  NatSpec layouts;  // one block of 32,768 ports a pool: whoever comes first has it
  layouts.pools = {one_block_pool("100.64.0.0/24", "192.0.2.1"), static_pool(LAYOUT_SCATTERED)};
  layouts.pools[0].layout = LAYOUT_PSID;
  layouts.pools[0].psid_offset = 0;
  layouts.pools[0].block_size = 32768;
  layouts.pools[0].last_port = 65535;
  layouts.pools[0].fixed = {{"100.64.0.10", 0, 32767}, {"100.64.0.20", 32768, 65535}};
  layouts.pools[0].assignment = ASSIGN_STATIC;
  for (auto& pool : layouts.pools) pool.log = LOG_MAPPINGS_WITH_DESTINATION;

  NatSpec extras = plain;
  extras.vlans = true;
  extras.proxy_arp = true;
  extras.tcp_mss_clamp = 1300;
  extras.pools[0].local = true;
  extras.pools[1].flags = POOL_PROXY_ARP;

  NatSpec one_armed = plain;
  one_armed.one_armed = true;
  one_armed.forwards = false;
  std::vector<NatSpec> gateways = {plain, layouts, extras, one_armed};
  for (NatSpec& gateway : gateways) gateway.timeless = true;
  return gateways;
}

void furnish(Translator& nat) {
  if (nat.world().options().vlans) put_vlans(nat.world());
  for (const std::string_view who : {kS1, std::string_view("100.64.1.10"), std::string_view("100.64.1.20")}) {
    nat.outbound(udp(who, 5000, kR1, 53));
    nat.outbound(tcp(who, 5001, kR1, 80, "S"));
    nat.outbound(ping(who, 7, kR1));
  }
}

}  // namespace apnat::test
