// The worker between real sockets and the loaded program: from a fragment on the wire to the datagram on the other one.
#include "slowpath/worker.h"

#include <bpf/bpf.h>

#include <set>

#include "datapath/datapath.h"
#include "datapath/pins.h"
#include "kernel_lab.h"

using namespace apnat;
using namespace apnat::test;

namespace {

constexpr std::uint32_t kRemote = 0xcb007150;  // 203.0.113.80, behind 198.51.100.9
constexpr std::uint32_t kPoolAddress = 0xc0000201;

class HandWound final : public Clock {
 public:
  WallTime realtime() const override { return {}; }
  std::uint64_t monotonic_ns() const override { return now_ns; }
  std::chrono::seconds tai_offset() const override { return {}; }
  std::chrono::microseconds clock_error() const override { return {}; }
  std::uint64_t now_ns = 1'000'000'000'000;
};

// A gateway with its slow path by hand: fragments sent from the far end of `in` are taken when `serve` is called.
struct Lab {
  Sandbox sandbox;
  Config config = made();
  Datapath datapath = Datapath::open(plan(config)).value();
  FarEnd inside{"in_peer"};
  FarEnd outside{"out_peer"};
  HandWound clock;
  SlowPathWorker worker{fragments(), KernelWay::open().value(), clock};
  std::vector<std::shared_ptr<XskRing>> rings;

  Lab() {
    run("ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev out nud permanent && "
        "ip route add 203.0.113.0/24 via 198.51.100.9");
    std::map<std::uint32_t, DeviceRole> roles;
    for (const char* name : {"in", "out"}) {
      const std::uint32_t device = ::if_nametoindex(name);
      rings.push_back(XskRing::open({.ifindex = device, .device = name, .native = true, .frames = 256}).value());
      const int fd = rings.back()->fd();
      REQUIRE(datapath.set_sockets(device, std::span(&fd, 1), 256));
      roles[device] = {.internal = rings.size() == 1, .external = rings.size() == 2};
    }
    worker.follow({.roles = roles,
                   .internal = {{{Prefix::parse("100.64.0.0/16").value(), "home"}}},
                   .own_addresses = {{{::if_nametoindex("in"), Ip4(0x64400001)}}},
                   .rings = rings});
  }
  void take_program() { worker.follow({.program = datapath.slow_path_program().value()}); }

  // And the subscribers' neighbours known.
  void make_way_out_narrow() {
    run("ip neigh add 100.64.0.10 lladdr 02:00:00:00:00:02 dev in nud permanent && "
        "ip neigh add 100.64.0.11 lladdr 02:00:00:00:00:02 dev in nud permanent && ip link set out mtu 1300");
    REQUIRE(comes_true([&] {
      datapath.heed_routes();
      std::vector<EventBody> ended;
      datapath.sweep(ended);
      return datapath.interfaces()[1].mtu == 1300;
    }));
  }

  static FragmentsConfig fragments() {
    FragmentsConfig config;
    config.memory = std::uint64_t{4} << 20;
    return config;
  }
  Config made() const {
    Config config = sandbox.config({dynamic_pool("home", "100.64.0.0/16", "192.0.2.1/32")});
    config.fragments = fragments();
    return config;
  }

  // Until `frames` more have been taken.
  void serve(std::uint64_t frames) {
    const std::uint64_t wanted = worker.figures().counters.frames + frames;
    REQUIRE(comes_true([&] {
      for (const auto& ring : rings) worker.serve(*ring);
      return worker.figures().counters.frames >= wanted;
    }));
  }
  void send(const std::vector<Piece>& pieces) {
    for (const Piece& piece : pieces) inside.send(frame_of(piece));
    serve(pieces.size());
  }
  const SlowPathCounters counters() const { return worker.figures().counters; }
};

// A UDP datagram of a subscriber, its checksum 0: whole, it is translated all the same.
Piece udp(std::size_t size, std::uint16_t id = 7, bool dont_fragment = false) {
  Octets bytes = udp_header(5000, 53, size);
  const Octets payload = bytes_of(size - 8, id);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return {.destination = kRemote, .id = id, .more = false, .dont_fragment = dont_fragment, .payload = bytes};
}

std::vector<Piece> reversed(std::vector<Piece> pieces) {
  std::ranges::reverse(pieces);
  return pieces;
}

}  // namespace

TEST_CASE("fragments come in, in any order, and the translated datagram goes out in fragments that fit",
          "[kernel][slowpath][FRAG-1][FRAG-19]") {
  if (!may_use_sockets()) return;
  Lab lab;
  lab.take_program();
  lab.send(reversed(cut(udp(7992), 1480)));
  const auto frames = lab.outside.receive(6);
  REQUIRE(frames.size() == 6);
  Octets payload;
  for (const Octets& frame : frames) {
    const auto parsed = parse_frame(frame);
    REQUIRE(parsed);
    CHECK(parsed->source().value() == kPoolAddress);
    CHECK(parsed->destination().value() == kRemote);
    CHECK(parsed->offset() == payload.size());
    CHECK(Octets(frame.begin(), frame.begin() + 6) == Octets{2, 0, 0, 0, 0, 9});
    payload.insert(payload.end(), parsed->payload.begin(), parsed->payload.end());
  }
  CHECK(Octets(payload.begin() + 8, payload.end()) == bytes_of(7984, 7));
  CHECK(lab.counters().forwarded == 1);
  CHECK(lab.counters().fragments_sent == 6);
  CHECK(lab.datapath.slow_path_verdicts()[VERDICT_TRANSLATED_OUTBOUND] == 1);
}

TEST_CASE("more datagrams than one run takes leave in the order they became whole, each with its own bytes",
          "[kernel][slowpath][FRAG-1]") {
  if (!may_use_sockets()) return;
  constexpr std::uint16_t kCount = SlowPathProgram::kMost + 8;
  Lab lab;
  lab.take_program();
  std::vector<Piece> first, last;
  for (std::uint16_t id = 0; id < kCount; ++id) {
    // Sizes differ, so that none fits where another was. One source alone would get less of the ring.
    Piece whole = udp(824 + 24 * (id % 7), id, id % 3 == 0);
    whole.source = kS1 + id;
    const auto pieces = cut(whole, 800);
    first.push_back(pieces[0]), last.push_back(pieces[1]);
  }
  lab.send(first);
  for (const Piece& piece : last) lab.inside.send(frame_of(piece));
  REQUIRE(comes_true([&] { return lab.datapath.verdicts()[VERDICT_FRAGMENT] == std::uint64_t{2} * kCount; }));
  lab.worker.serve(*lab.rings[0]);  // all become whole in one turn
  // Those with DF leave as they came, the others fit whole.
  const std::size_t expected = kCount + (kCount + 2) / 3;
  const auto frames = lab.outside.receive(expected);
  REQUIRE(frames.size() == expected);
  auto next = frames.begin();
  for (std::uint16_t id = 0; id < kCount; ++id) {
    Octets payload;
    for (bool more = true; more;) {
      const auto parsed = parse_frame(*next++);
      REQUIRE(parsed);
      CHECK(parsed->source().value() == kPoolAddress);
      CHECK(parsed->dont_fragment() == (id % 3 == 0));
      CHECK(parsed->offset() == payload.size());
      payload.insert(payload.end(), parsed->payload.begin(), parsed->payload.end());
      more = parsed->more_fragments();
    }
    INFO("datagram " << id);
    CHECK(Octets(payload.begin() + 8, payload.end()) == bytes_of(816 + 24 * (id % 7), id));
  }
  CHECK(lab.counters().forwarded == kCount);
  CHECK(lab.counters().translator_failed == 0);
}

TEST_CASE("without a program a datagram is lost, and counted; with it the next one goes", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Lab lab;
  lab.send(cut(udp(2960), 1480));
  CHECK(lab.counters().translator_failed == 1);
  lab.take_program();
  lab.send(cut(udp(2960, 8), 1480));
  CHECK(lab.outside.receive(2).size() == 2);
  CHECK(lab.counters().translator_failed == 1);
}

TEST_CASE("what a program does not answer is lost, and counted", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Lab lab;
  lab.take_program();
  const Pins pins{lab.sandbox.bpffs()};
  const UniqueFd batch(::bpf_obj_get(pins.map("slow_path_batch").c_str()));
  const UniqueFd datagrams(::bpf_obj_get(pins.map("slow_path_datagrams").c_str()));
  const UniqueFd silent(pass_program());
  lab.worker.follow(
      {.program = SlowPathProgram::open(silent.get(), silent.get(), batch.get(), datagrams.get()).value()});
  lab.send(cut(udp(2960), 1480));
  lab.send(cut(udp(2960, 8), 1480));
  CHECK(lab.counters().translator_failed == 2);
  CHECK(lab.counters().forwarded == 0);
  CHECK(lab.outside.is_silent());
}

TEST_CASE("another limit keeps what is half there, another amount of memory does not", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Lab lab;
  lab.take_program();
  const auto pieces = cut(udp(2960), 1480);
  lab.send({pieces[0]});
  FragmentsConfig changed = Lab::fragments();
  changed.timeout = 9;
  changed.per_source = 8;
  changed.overlap = Overlap::kFirstWins;
  lab.worker.follow({.program = lab.datapath.slow_path_program().value(), .fragments = changed});
  CHECK(lab.worker.figures().gauges[REALM_INTERNAL].datagrams == 1);
  lab.send({pieces[1]});
  CHECK(lab.outside.receive(2).size() == 2);

  lab.send({cut(udp(2960, 8), 1480)[0]});
  changed.memory *= 2;
  lab.worker.follow({.fragments = changed});
  CHECK(lab.worker.figures().gauges[REALM_INTERNAL].datagrams == 0);
}

TEST_CASE("what has waited too long is given up by a tick, not by the next fragment", "[kernel][slowpath][FRAG-12]") {
  if (!may_use_sockets()) return;
  Lab lab;
  lab.send({cut(udp(2960), 1480)[0]});
  lab.clock.now_ns += 4'900'000'000;
  lab.worker.tick();
  CHECK(lab.worker.figures().reassembly.timeout == 0);
  lab.clock.now_ns += 100'000'000;
  lab.worker.tick();
  CHECK(lab.worker.figures().reassembly.timeout == 1);
  CHECK(lab.worker.figures().gauges[REALM_INTERNAL].datagrams == 0);
}

TEST_CASE("a source that runs into its limit is told with its pool", "[kernel][slowpath][FRAG-28]") {
  if (!may_use_sockets()) return;
  Lab lab;
  for (std::uint16_t id = 1; id <= 65; ++id) lab.send({cut(udp(2960, id), 1480)[0]});
  const auto events = lab.worker.take_events();
  REQUIRE(events.size() == 1);
  const auto& hit = std::get<QuotaExceeded>(events[0]);
  CHECK(hit.pool == "home");
  CHECK(hit.subscriber.text() == "100.64.0.10");
  CHECK(hit.verdict == "FRAGMENTS_PER_SOURCE");
  CHECK(lab.worker.take_events().empty());
}

TEST_CASE("a datagram in fragments that may not be cut: its sender is told the MTU, quoting it as it was sent",
          "[kernel][slowpath][FRAG-18][UDP-23][ICMP-22]") {
  if (!may_use_sockets()) return;
  Lab lab;
  lab.take_program();
  lab.make_way_out_narrow();
  lab.send(cut(udp(2808, 7, true), 1400));
  const auto answers = lab.inside.receive(1);
  REQUIRE(answers.size() == 1);
  const auto parsed = parse_frame(answers[0]);
  REQUIRE(parsed);
  CHECK(parsed->source().value() == 0x64400001);
  CHECK(parsed->destination().text() == "100.64.0.10");
  CHECK(parsed->payload[0] == 3);
  CHECK(parsed->payload[1] == 4);
  CHECK(load16(parsed->payload.data() + 6) == 1300);
  const Bytes quoted = parsed->payload.subspan(8);
  CHECK(load32(quoted.data() + ipv4::kSource) == kS1);
  CHECK(lab.counters().icmp_sent == 1);
  CHECK(lab.outside.is_silent());
}

TEST_CASE("the kernel may not cut it either: its sender is told all the same, quoting it as it was sent",
          "[kernel][slowpath][FRAG-18]") {
  if (!may_use_sockets()) return;
  Lab lab;
  lab.take_program();
  lab.make_way_out_narrow();
  run("ip neigh del 198.51.100.9 dev out");
  lab.send(cut(udp(2808, 7, true), 1400));
  CHECK(lab.datapath.slow_path_verdicts()[VERDICT_NEIGHBOUR_PENDING] == 1);
  const auto answers = lab.inside.receive(1);
  REQUIRE(answers.size() == 1);
  const auto parsed = parse_frame(answers[0]);
  REQUIRE(parsed);
  CHECK(parsed->destination().text() == "100.64.0.10");
  CHECK(load16(parsed->payload.data() + 6) == 1300);
  CHECK(load32(parsed->payload.data() + 8 + ipv4::kSource) == kS1);
}

TEST_CASE("a flood of packets beyond a quota does not keep who sends what is too big from being told",
          "[kernel][slowpath][SEC-19][FRAG-18]") {
  if (!may_use_sockets()) return;
  Lab lab;
  lab.take_program();
  lab.make_way_out_narrow();
  const auto refused = [&] { return lab.datapath.verdicts()[VERDICT_PORT_LIMIT]; };
  for (std::uint16_t port = 2000; refused() < 1000; ++port) {
    Piece packet = udp(30);
    packet.payload[0] = static_cast<std::uint8_t>(port >> 8);
    packet.payload[1] = static_cast<std::uint8_t>(port);
    lab.inside.send(frame_of(packet));
  }
  Piece large = udp(1400, 7, true);
  large.source = kS2;
  lab.inside.send(frame_of(large));
  REQUIRE(comes_true([&] { return lab.datapath.verdicts()[VERDICT_FRAGMENTATION_NEEDED] == 1; }));
  lab.serve(1);
  const auto is_about_s2 = [](const Octets& frame) {
    const auto parsed = parse_frame(frame);
    return parsed && parsed->destination().value() == kS2 && parsed->payload[0] == 3 && parsed->payload[1] == 4;
  };
  CHECK(std::ranges::count_if(lab.inside.receive(100), is_about_s2) == 1);
}

TEST_CASE("what came in fragments with DF leaves so, with an ID of ours", "[kernel][slowpath][ID-7][FRAG-18]") {
  if (!may_use_sockets()) return;
  Lab lab;
  lab.take_program();
  std::set<std::uint16_t> ids;
  for (int n = 0; n < 3; ++n) {
    lab.send(cut(udp(2960, 7, true), 1480));  // each has the same of its sender's
    for (const Octets& frame : lab.outside.receive(2)) {
      const auto parsed = parse_frame(frame);
      REQUIRE(parsed);
      CHECK(parsed->dont_fragment());
      CHECK(internet_sum(parsed->header) == 0xffff);
      ids.insert(load16(parsed->header.data() + ipv4::kId));
    }
  }
  CHECK(ids.size() == 3);
  CHECK(lab.counters().fragments_sent == 6);
}

TEST_CASE("where the next hop is not known the kernel finds it, and nothing is lost", "[kernel][slowpath]") {
  if (!may_use_sockets()) return;
  Lab lab;
  lab.take_program();
  run("ip neigh del 198.51.100.9 dev out");
  lab.send(cut(udp(2960), 1480));
  CHECK(lab.counters().by_kernel == 1);
  run("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev out nud permanent");
  const auto frames = lab.outside.receive(2);
  REQUIRE(frames.size() == 2);
  CHECK(parse_frame(frames[0])->source().value() == kPoolAddress);
}
