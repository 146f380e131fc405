// One AF_XDP socket on a real device: all that is sent goes out, what finds no room is counted, and traffic recovers.
#include "slowpath/xsk_ring.h"

#include "datapath/datapath.h"
#include "kernel_lab.h"

using namespace apnat;
using namespace apnat::test;

namespace {

std::shared_ptr<XskRing> ring_on(const std::string& device, std::uint32_t queue = 0, std::uint32_t frames = 64) {
  auto ring = XskRing::open({.ifindex = ::if_nametoindex(device.c_str()),
                             .device = device,
                             .queue = queue,
                             .native = true,
                             .frames = frames});
  REQUIRE(ring);
  return std::move(*ring);
}

Octets numbered_frame(std::uint16_t number, bool more = false, std::uint32_t source = Piece().source) {
  return frame_of({.source = source,
                   .destination = 0xcb007150,
                   .id = number,
                   .more = more,
                   .payload = bytes_of(64 + number % 1024 / 8 * 8, number)});
}

bool send(XskRing& ring, const Octets& frame) {
  return ring.send(Bytes(frame).first(kEthernetBytes), Bytes(frame).subspan(kEthernetBytes));
}

// A gateway whose slow path is a ring on `in`; fragments that come in there are sent by the far end.
struct Punting {
  Sandbox sandbox;
  Datapath datapath =
      Datapath::open(plan(sandbox.config({dynamic_pool("home", "100.64.0.0/16", "192.0.2.0/30")}))).value();
  FarEnd far{"in_peer"};
  std::shared_ptr<XskRing> ring;

  // `room`: what the program thinks the ring has.
  Punting(std::uint32_t frames, std::uint32_t room) : ring(ring_on("in", 0, frames)) {
    const int fd = ring->fd();
    const auto rows = datapath.set_sockets(::if_nametoindex("in"), std::span(&fd, 1), room);
    REQUIRE(rows);
    ring->tell_backlog(rows->data());
  }
  void send(std::uint32_t count, std::uint32_t source = Piece().source) const {
    for (std::uint32_t n = 0; n < count; ++n) {
      far.send(numbered_frame(static_cast<std::uint16_t>(n), true, source));
    }
  }
  std::uint64_t refused() const { return datapath.verdicts()[VERDICT_SLOW_PATH_BUSY]; }
  std::uint64_t punted() const { return datapath.verdicts()[VERDICT_FRAGMENT]; }
  std::size_t receive() const {
    std::size_t all = 0, some = 0;
    do {
      some = ring->receive(64, [&](Bytes frame) {
        const std::uint16_t id = parse_frame(frame)->header.empty() ? 0 : load16(parse_frame(frame)->header.data() + 4);
        CHECK(Octets(frame.begin(), frame.end()) == numbered_frame(id, true, parse_frame(frame)->source().value()));
      });
      ring->release();
      all += some;
    } while (some);
    return all;
  }
};

}  // namespace

TEST_CASE("a socket sends many more frames than it has memory for, each once and in order", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  const FarEnd far("out_peer");
  const auto ring = ring_on("out");
  CHECK(ring->can_send());
  for (std::uint16_t number = 0; number < 1000; ++number) {
    REQUIRE(send(*ring, numbered_frame(number)));
    if (number % 16 == 15) ring->flush();
  }
  ring->flush();
  const auto frames = far.receive(1000);
  REQUIRE(frames.size() == 1000);
  for (std::uint16_t number = 0; number < 1000; ++number) CHECK(frames[number] == numbered_frame(number));
  CHECK(far.is_silent());
}

TEST_CASE("while a device is down frames wait, then there is no memory, and later all goes on", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  const auto ring = ring_on("out");
  run("ip link set out down");
  CHECK(ring->can_send());  // nobody can tell yet
  std::uint16_t waiting = 0;
  while (waiting < 1000 && send(*ring, numbered_frame(waiting))) ++waiting;
  CHECK(waiting >= 63);  // a place may be taken by the question
  CHECK(waiting <= 64);
  ring->flush();
  CHECK_FALSE(send(*ring, numbered_frame(999)));

  run("ip link set out up");
  const FarEnd far("out_peer");
  REQUIRE(comes_true([] { return std::system("ip link show out | grep -q LOWER_UP") == 0; }));
  ring->flush();
  const auto frames = far.receive(waiting);
  REQUIRE(frames.size() == waiting);
  for (std::uint16_t number = 0; number < waiting; ++number) CHECK(frames[number] == numbered_frame(number));
  CHECK(ring->can_send());
  for (std::uint16_t number = 0; number < 200; ++number) {
    REQUIRE(send(*ring, numbered_frame(number)));
    ring->flush();
  }
  CHECK(far.receive(200).size() == 200);
  CHECK_FALSE(ring->is_dead());
}

TEST_CASE("a queue that only receives is known before a frame is lost in it", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  run("ip link add several numrxqueues 4 numtxqueues 1 type veth peer name several_peer numtxqueues 4 && "
      "ip link set several up && ip link set several_peer up");
  const auto only_receives = ring_on("several", 3);
  const auto sends = ring_on("several", 0);
  CHECK_FALSE(only_receives->can_send());
  CHECK(sends->can_send());
  const FarEnd far("several_peer");
  // The question comes back from newer kernels: it must not be taken for a frame's memory.
  for (std::uint16_t number = 0; number < 300; ++number) {
    REQUIRE(send(*sends, numbered_frame(number)));
    sends->flush();
  }
  const auto frames = far.receive(300);
  REQUIRE(frames.size() == 300);
  for (std::uint16_t number = 0; number < 300; ++number) CHECK(frames[number] == numbered_frame(number));
}

TEST_CASE("a queue that does not exist, and one that another socket has, are refused", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  const auto first = ring_on("out");
  const std::uint32_t out = ::if_nametoindex("out");
  CHECK(XskRing::open({.ifindex = out, .device = "out", .queue = 0, .native = true, .frames = 64}).error().code ==
        EBUSY);
  CHECK(XskRing::open({.ifindex = out, .device = "out", .queue = 7, .native = true, .frames = 64}).error().code ==
        EINVAL);
}

TEST_CASE("fragments that nobody takes in time are lost, counted, and then they come again", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Punting gateway(64, 1 << 20);  // so much room that nobody has had his share
  gateway.send(64);
  REQUIRE(comes_true([&] { return gateway.punted() == 64; }));
  CHECK(gateway.receive() == 64);
  CHECK(gateway.ring->statistics().rx_dropped == 0);

  // Nobody reads: the fill ring is empty when 64 have come.
  gateway.send(200);
  REQUIRE(comes_true([&] { return gateway.punted() == 264; }));
  REQUIRE(comes_true([&] { return gateway.ring->statistics().rx_dropped >= 136; }));
  const SocketLosses losses = gateway.ring->statistics();
  CHECK(losses.rx_dropped + losses.rx_ring_full == 136);
  CHECK(losses.fill_ring_empty > 0);
  CHECK(gateway.receive() == 64);

  gateway.send(64);
  REQUIRE(comes_true([&] { return gateway.punted() == 328; }));
  CHECK(gateway.receive() == 64);
  CHECK(gateway.ring->statistics().rx_dropped == losses.rx_dropped);
}

TEST_CASE("as a ring fills one source may put less and less there, and another still finds room",
          "[kernel][slowpath][SEC-19][FRAG-2]") {
  if (!may_use_sockets()) return;
  constexpr std::uint32_t kGreedy = 0x64400a0a, kModest = 0x64400b0b;
  Punting gateway(256, 256);
  gateway.send(1000, kGreedy);
  REQUIRE(comes_true([&] { return gateway.punted() + gateway.refused() == 1000; }));
  CHECK(gateway.punted() >= 64);  // as long as three quarters are empty nobody is held back
  CHECK(gateway.punted() <= 80);  // then it is, for as long as it goes on like this
  const std::uint64_t greedy = gateway.punted();
  gateway.send(2, kModest);
  REQUIRE(comes_true([&] { return gateway.punted() + gateway.refused() == 1002; }));
  CHECK(gateway.punted() == greedy + 2);
  CHECK(gateway.receive() == greedy + 2);
  CHECK(gateway.ring->statistics().rx_dropped == 0);

  gateway.send(64, kGreedy);  // the ring is empty again
  REQUIRE(comes_true([&] { return gateway.punted() == greedy + 66; }));
  CHECK(gateway.receive() == 64);
}

TEST_CASE("what a ring had no room for is not taken for waiting once it is empty", "[kernel][slowpath][SEC-19]") {
  if (!may_use_sockets()) return;
  Punting gateway(64, 400);  // the program is told of more than there is
  gateway.send(300);
  REQUIRE(comes_true([&] { return gateway.punted() + gateway.refused() == 300; }));
  REQUIRE(gateway.ring->statistics().rx_dropped > 0);
  const std::uint64_t before = gateway.punted();
  CHECK(gateway.receive() == 64);
  gateway.send(60);
  REQUIRE(comes_true([&] { return gateway.punted() + gateway.refused() == 360; }));
  CHECK(gateway.punted() == before + 60);
}

TEST_CASE("a socket whose device is taken away is told so", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Sandbox sandbox;
  const auto ring = ring_on("out");
  CHECK_FALSE(ring->is_dead());
  run("ip link del out");
  CHECK(comes_true([&] { return ring->is_dead(); }));
}
