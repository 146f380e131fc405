// What the slow path leaves to the kernel: routed, resolved and cut by it or for it; and what is the gateway's own.
#include "slowpath/kernel_way.h"

#include <netinet/in.h>

#include "kernel_lab.h"

using namespace apnat;
using namespace apnat::test;

namespace {

constexpr std::uint32_t kNextHop = 0xc6336409;  // 198.51.100.9, behind `out`
constexpr std::uint32_t kGateway = 0xc6336401;  // 198.51.100.1
constexpr std::uint16_t kId = 0x4321;

// The router at the far end of `out`: known, or still to be asked for.
void lay_next_hop() {
  run("ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev out nud permanent && "
      "ip route add 203.0.113.0/24 via 198.51.100.9");
}

Piece datagram(std::size_t size, std::uint16_t id = kId, bool dont_fragment = false) {
  return {
      .destination = 0xcb007150, .id = id, .more = false, .dont_fragment = dont_fragment, .payload = bytes_of(size)};
}

// Payloads of frames in their order, and the one ID they have.
struct Arrived {
  Octets payload;
  std::uint16_t id = 0;
};
Arrived joined(const std::vector<Octets>& frames) {
  Arrived arrived;
  for (const Octets& frame : frames) {
    const auto parsed = parse_frame(frame);
    REQUIRE(parsed);
    const std::uint16_t id = load16(parsed->header.data() + ipv4::kId);
    if (&frame == &frames.front()) arrived.id = id;
    CHECK(arrived.id == id);
    CHECK(parsed->offset() == arrived.payload.size());
    CHECK(parsed->more_fragments() == (&frame != &frames.back()));
    arrived.payload.insert(arrived.payload.end(), parsed->payload.begin(), parsed->payload.end());
  }
  return arrived;
}

}  // namespace

TEST_CASE("the kernel sends a datagram by its route, whole or in pieces, with the ID it has", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  lay_next_hop();
  const FarEnd far("out_peer");
  KernelWay way = KernelWay::open().value();
  for (const auto& [size, pieces] : {std::pair<std::size_t, std::size_t>{1400, 1}, {2960, 2}, {60000, 41}}) {
    INFO(size);
    const KernelWay::Sent sent = way.send(frame_of(datagram(size)), 0);
    CHECK(sent.end == KernelWay::Sent::End::kSent);
    CHECK(sent.fragments == pieces);
    CHECK(sent.mtu == 1500);
    const auto frames = far.receive(pieces);
    REQUIRE(frames.size() == pieces);
    const Arrived arrived = joined(frames);
    CHECK(arrived.payload == bytes_of(size));
    CHECK(arrived.id == kId);
  }
}

TEST_CASE("pieces of a datagram whose ID is 0 keep one ID among them", "[kernel][slowpath][ID-7]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  lay_next_hop();
  const FarEnd far("out_peer");
  KernelWay way = KernelWay::open().value();
  REQUIRE(way.send(frame_of(datagram(2960, 0)), 0).end == KernelWay::Sent::End::kSent);
  const Arrived arrived = joined(far.receive(2));
  CHECK(arrived.payload == bytes_of(2960));
  CHECK(arrived.id != 0);
}

TEST_CASE("an interface that gets another address does not end it", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  lay_next_hop();
  const FarEnd far("out_peer");
  KernelWay way = KernelWay::open().value();
  CHECK(way.send(frame_of(datagram(1400)), 0).end == KernelWay::Sent::End::kSent);
  run("ip -4 address flush dev out && ip address add 198.51.100.2/24 dev out && "
      "ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev out nud permanent && "
      "ip route replace 203.0.113.0/24 via 198.51.100.9");
  CHECK(way.send(frame_of(datagram(1400)), 0).end == KernelWay::Sent::End::kSent);
  CHECK(far.receive(2).size() == 2);
}

TEST_CASE("what may not be cut comes back with the MTU of the way", "[kernel][slowpath][FRAG-18]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  lay_next_hop();
  run("ip route change 203.0.113.0/24 via 198.51.100.9 mtu 1300");
  const FarEnd far("out_peer");
  KernelWay way = KernelWay::open().value();
  const KernelWay::Sent sent = way.send(frame_of(datagram(1400, kId, true)), 0);
  CHECK(sent.end == KernelWay::Sent::End::kTooBig);
  CHECK(sent.mtu == 1300);
  CHECK(far.is_silent());
  CHECK(way.send(frame_of(datagram(1280, kId, true)), 0).end == KernelWay::Sent::End::kSent);
  CHECK(far.receive(1).size() == 1);
}

TEST_CASE("where there is no route, and where a frame is none, nothing is sent", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  KernelWay way = KernelWay::open().value();
  CHECK(way.send(frame_of(datagram(1400)), 0).end == KernelWay::Sent::End::kLost);
  CHECK(way.send(bytes_of(60), 0).end == KernelWay::Sent::End::kLost);
  CHECK_FALSE(way.deliver(bytes_of(60)));
}

TEST_CASE("a next hop that is not known yet is resolved, and the datagram waits for it", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  run("ip route add 203.0.113.0/24 via 198.51.100.9");
  const FarEnd far("out_peer");
  KernelWay way = KernelWay::open().value();
  REQUIRE(way.send(frame_of(datagram(2960)), 0).end == KernelWay::Sent::End::kSent);
  CHECK(far.is_silent());
  run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev out nud permanent");
  CHECK(joined(far.receive(2)).payload == bytes_of(2960));
}

TEST_CASE("a datagram for the gateway itself reaches its programs, however large", "[kernel][slowpath][FRAG-1]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  lay_next_hop();
  KernelWay way = KernelWay::open().value();
  const UniqueFd program(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(4000);
  here.sin_addr.s_addr = htonl(kGateway);
  REQUIRE(::bind(program.get(), reinterpret_cast<sockaddr*>(&here), sizeof(here)) == 0);
  for (const std::uint32_t size : {100u, 8000u, 60000u}) {
    INFO(size);
    Octets udp = udp_header(5000, 4000, 8 + size);
    const Octets payload = bytes_of(size);
    udp.insert(udp.end(), payload.begin(), payload.end());
    REQUIRE(way.deliver(frame_of({.source = kNextHop, .destination = kGateway, .more = false, .payload = udp})));
    Octets got(65536);
    ssize_t came = -1;
    REQUIRE(comes_true([&] { return (came = ::recv(program.get(), got.data(), got.size(), 0)) >= 0; }));
    got.resize(static_cast<std::size_t>(came));
    CHECK(got == payload);
  }
}

// What XDP has translated and passed on (NEIGHBOUR_PENDING, FRAGMENTED_BY_KERNEL, ...) carries an ID of ours, and 0 is
// one of them. A sender's own kernel would choose another; a router's must not.
TEST_CASE("a packet that the kernel forwards keeps its ID, 0 too, whole and cut", "[kernel][ID-7]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  lay_next_hop();
  run("ip link set in address 02:00:00:00:00:02 && sysctl -qw net.ipv4.conf.all.rp_filter=0 "
      "net.ipv4.conf.in.rp_filter=0");
  const FarEnd inside("in_peer");
  const FarEnd far("out_peer");
  for (const std::uint16_t id : {std::uint16_t{0}, kId}) {
    INFO(id);
    inside.send(frame_of(datagram(1400, id)));
    CHECK(joined(far.receive(1)).id == id);
    run("ip link set out mtu 1280");
    inside.send(frame_of(datagram(1400, id)));
    const auto pieces = far.receive(2);
    REQUIRE(pieces.size() == 2);
    const Arrived arrived = joined(pieces);
    CHECK(arrived.id == id);
    CHECK(arrived.payload == bytes_of(1400));
    run("ip link set out mtu 1500");
  }
}
