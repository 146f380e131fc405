// The same fragments to Linux and to us. They go over a veth pair to a UDP socket in a namespace of their own, and to
// the reassembler; what the kernel delivers we deliver, with the same bytes, unless we have a reason to be stricter.
#include <arpa/inet.h>
#include <fmt/core.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <cstdlib>
#include <map>
#include <set>
#include <thread>

#include "base/unique_fd.h"
#include "slowpath/reassembler.h"
#include "support/fragment_dice.h"

using namespace apnat;
using namespace apnat::test;

namespace {

constexpr std::uint16_t kPort = 4000;
constexpr std::uint32_t kFirstSource = 0x64400001;  // 100.64.0.1; the nth case is sent by the nth address
constexpr int kCases = 6000;

using Deliveries = std::map<std::uint32_t, std::vector<Octets>>;  // by source

// A namespace with a pair of interfaces: what is sent on one is received on the other.
class Wire {
 public:
  Wire() {
    REQUIRE(::unshare(CLONE_NEWNET) == 0);
    REQUIRE(std::system("ip link add far mtu 9000 type veth peer name near mtu 9000 && ip link set near address "
                        "02:00:00:00:00:02 && "
                        "ip link set lo up && ip link set far up && ip link set near up && "
                        "ip addr add 198.51.100.1/24 dev near && ip route add 100.64.0.0/10 dev near && "
                        "for d in all default near; do echo 0 > /proc/sys/net/ipv4/conf/$d/rp_filter; done && "
                        "echo 1000000000 > /proc/sys/net/ipv4/ipfrag_high_thresh && "
                        "echo 0 > /proc/sys/net/ipv4/ipfrag_max_dist") == 0);
    packets_ = UniqueFd(::socket(AF_PACKET, SOCK_RAW, 0));
    REQUIRE(packets_.get() >= 0);
    socket_ = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(kPort);
    here.sin_addr.s_addr = htonl(kR1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&here), sizeof(here)) == 0);
    const int room = 256 << 20;
    REQUIRE(::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) == 0);
  }

  void send(const Octets& frame) {
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(if_nametoindex("far"));
    to.sll_halen = ETH_ALEN;
    REQUIRE(::sendto(packets_.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)) ==
            static_cast<ssize_t>(frame.size()));
  }

  void receive(Deliveries& deliveries) {
    Octets buffer(65536);
    sockaddr_in from{};
    for (;;) {
      socklen_t length = sizeof(from);
      const ssize_t size =
          ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (size < 0) return;
      deliveries[ntohl(from.sin_addr.s_addr)].emplace_back(buffer.begin(), buffer.begin() + size);
    }
  }

 private:
  UniqueFd packets_;
  UniqueFd socket_;
};

// A UDP datagram without a checksum: wrongly joined, it would be delivered all the same, and seen.
Piece random_udp(Dice& dice, std::uint32_t source) {
  const std::uint32_t size = 8 + 9 + dice.below(dice.one_in(25) ? 50000 : 5000);
  Piece whole{.source = source, .more = false, .payload = bytes_of(size, source)};
  Octets udp;
  put16(udp, 5000);
  put16(udp, kPort);
  put16(udp, size);
  put16(udp, 0);
  std::ranges::copy(udp, whole.payload.begin());
  whole.tos = dice.one_in(4) ? 2 : 0;
  whole.dont_fragment = dice.one_in(5);
  return whole;
}

// One reassembler with a policy, and what it made of each case.
struct Side {
  explicit Side(Overlap overlap) : reassembler(config(overlap), 0x5eed) {}
  static FragmentsConfig config(Overlap overlap) {
    FragmentsConfig config;
    config.memory = std::uint64_t{256} << 20;
    config.overlap = overlap;
    return config;
  }
  void add(const Octets& frame, std::uint32_t source, std::uint64_t now_ns) {
    const auto fragment = parse_fragment(frame, {});
    if (!fragment) return deliver(*parse_frame(frame), source);  // whole
    const Reassembled result = reassembler.add(*fragment, now_ns);
    if (result.fate == Reassembled::Fate::kLost) losses[source].insert(result.loss);
    if (result.datagram) deliver(*parse_frame(result.datagram->frame), source);
  }
  // As UDP reads it: no longer than its header says, and nothing if it says too much.
  void deliver(const Frame& whole, std::uint32_t source) {
    if (whole.payload.size() < 8 || load16(whole.payload.data() + 2) != kPort) return;
    const std::size_t length = load16(whole.payload.data() + 4);
    if (length < 8 || length > whole.payload.size()) return;
    deliveries[source].emplace_back(whole.payload.begin() + 8,
                                    whole.payload.begin() + static_cast<std::ptrdiff_t>(length));
  }

  Reassembler reassembler;
  Deliveries deliveries;
  std::map<std::uint32_t, std::set<Loss>> losses;
};

struct Figures {
  int both = 0;
  int neither = 0;
  int kernel_alone = 0;  // each with a reason of ours
  int we_alone = 0;
};

std::string described(const std::vector<Octets>& payloads) {
  std::string text;
  for (const Octets& payload : payloads) text += fmt::format("{} bytes, ", payload.size());
  return text;
}

std::string described(const Torn& torn) {
  std::string text;
  for (const Piece& piece : torn.pieces) {
    text += fmt::format("[{}, {}){}{} sum {:04x}; ", piece.offset, piece.offset + piece.payload.size(),
                        piece.more ? "+" : "", piece.tos ? fmt::format(" tos {}", piece.tos) : "",
                        plain_checksum(piece.payload, 0, piece.payload.size()));
  }
  return text;
}

Figures compare(const Deliveries& kernel, const Side& side, const std::map<std::uint32_t, std::string>& sent,
                const auto& may_differ) {
  Figures figures;
  for (std::uint32_t source = kFirstSource; source < kFirstSource + kCases; ++source) {
    const auto theirs = kernel.find(source);
    const auto ours = side.deliveries.find(source);
    const bool they_have = theirs != kernel.end();
    const bool we_have = ours != side.deliveries.end();
    ++(they_have ? (we_have ? figures.both : figures.kernel_alone) : (we_have ? figures.we_alone : figures.neither));
    if (!they_have) continue;
    INFO("case " << source - kFirstSource);
    if (!we_have) CHECK(side.losses.contains(source));
    if (!we_have) continue;
    // Not the bytes themselves into a failure's text: what was sent says more.
    // Copies of it may become a second datagram for one and not for the other: each of Linux's is one of ours.
    const bool same_bytes = std::ranges::all_of(
        theirs->second, [&](const Octets& one) { return std::ranges::count(ours->second, one) > 0; });
    INFO(described(theirs->second) << " from Linux, " << described(ours->second) << " from us of " << sent.at(source));
    if (!may_differ(source)) CHECK(same_bytes);
  }
  return figures;
}

void drive(Wire& wire, Deliveries& kernel, std::vector<Side*> sides, std::set<std::uint32_t>& intact,
           std::map<std::uint32_t, std::string>& sent) {
  Dice dice(11);
  std::uint64_t now_ns = 1'000'000'000;
  for (std::uint32_t source = kFirstSource; source < kFirstSource + kCases; ++source) {
    const Torn torn_one = torn(dice, random_udp(dice, source));
    if (torn_one.intact && torn_one.pieces.size() > 1 && torn_one.pieces.size() <= 64) intact.insert(source);
    sent[source] = described(torn_one);
    for (const Piece& piece : torn_one.pieces) {
      const Octets frame = frame_of(piece);
      wire.send(frame);
      for (Side* side : sides) side->add(frame, source, now_ns += 1000);
    }
    wire.receive(kernel);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  wire.receive(kernel);
}

}  // namespace

TEST_CASE("what Linux puts together we put together, with the same bytes", "[FRAG-1][FRAG-6][FRAG-7][FRAG-22]") {
  if (::geteuid() != 0) {
    WARN("a network namespace needs root");
    return;
  }
  Wire wire;
  Deliveries kernel;
  Side kill(Overlap::kKill), first_wins(Overlap::kFirstWins);
  std::set<std::uint32_t> intact;
  std::map<std::uint32_t, std::string> sent;
  drive(wire, kernel, {&kill, &first_wins}, intact, sent);
  CHECK(intact.size() > kCases / 5);
  for (const std::uint32_t source : intact) {
    CHECK(kernel.contains(source));
    CHECK(kill.deliveries.contains(source));
    CHECK(first_wins.deliveries.contains(source));
  }
  for (const Side* side : {&kill, &first_wins}) {
    // An overlap kills for Linux, and a later copy begins anew; with first_wins the bytes that came first stay.
    const Figures figures = compare(kernel, *side, sent, [&](std::uint32_t source) {
      return side == &first_wins && kill.losses.contains(source) && kill.losses[source].contains(Loss::kOverlap);
    });
    fmt::print("{}: both {}, neither {}, Linux alone {}, we alone {}\n", side == &kill ? "kill" : "first_wins",
               figures.both, figures.neither, figures.kernel_alone, figures.we_alone);
    CHECK(figures.both > kCases / 5);
    CHECK(figures.neither > kCases / 10);
  }
}
