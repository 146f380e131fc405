// The same fragments to Linux directly and through the running gateway, from a subscriber and to one. The namespaces
// and the agent are laid out by tests/netns/scenarios/fragments_as_linux.sh, which starts this.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "support/two_opinions.h"

using namespace apnat;
using namespace apnat::test;

namespace {

constexpr std::uint32_t kFirstSource = 0x64401000;  // 100.64.16.0; the nth case is sent by the nth subscriber
constexpr std::uint32_t kWeb = 0xcb007150;          // 203.0.113.80
constexpr std::uint32_t kForward = 0xc6336405;      // 198.51.100.5
constexpr std::uint32_t kFirstRemote = 0xcb007180;  // 203.0.113.128 and following
constexpr std::uint32_t kRemotes = 100;
constexpr std::uint32_t kCases = 6000;
// What the ring of an AF_XDP socket holds is not to be outrun.
constexpr std::chrono::microseconds kPause{100};

template <typename Thing>
Thing inside(const std::string& name) {
  const UniqueFd space(::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(::setns(space.get(), CLONE_NEWNET) == 0);
  return Thing();
}

struct SubscriberEnd : FrameSender {
  SubscriberEnd() : FrameSender("eth0") {}
};
struct RouterEnd : FrameSender {
  RouterEnd() : FrameSender("to_gw") {}
};

// One direction through the gateway.
struct Way {
  std::string name;
  FrameSender sender;
  DatagramReceiver receiver;
  Piece (*readdressed)(Piece, std::uint32_t number);
  std::multiset<Octets> payloads = {};

  void send(const Piece& piece, std::uint32_t number) { sender.send(frame_of(readdressed(piece, number))); }
  void receive() {
    Deliveries deliveries;
    receiver.receive(deliveries);
    for (auto& [source, each] : deliveries) payloads.insert(each.begin(), each.end());
  }
};

Piece from_subscriber(Piece piece, std::uint32_t) {
  piece.destination = kWeb;
  return piece;
}

Piece to_subscriber(Piece piece, std::uint32_t number) {
  piece.source = kFirstRemote + number % kRemotes;
  piece.destination = kForward;
  return piece;
}

struct Sent {
  std::set<std::uint32_t> intact;
  Deliveries by_linux;
  Side ours{Overlap::kKill};  // what the gateway's policy makes of it
};

// Everything once to each: Linux, the policy alone, and the gateway both ways.
void drive(LinuxWire& wire, std::vector<Way>& ways, Sent& sent) {
  Dice dice(23);
  std::uint64_t now_ns = 1'000'000'000;
  auto next = std::chrono::steady_clock::now();
  for (std::uint32_t number = 0; number < kCases; ++number) {
    const std::uint32_t source = kFirstSource + number;
    Piece whole = random_udp(dice, source);
    whole.id = static_cast<std::uint16_t>(number + 1);
    const Torn torn_one = torn(dice, whole);
    if (torn_one.intact && torn_one.pieces.size() <= 64) sent.intact.insert(source);
    for (const Piece& piece : torn_one.pieces) {
      const Octets frame = frame_of(piece);
      wire.send(frame);
      sent.ours.add(frame, source, now_ns += 1000);
      for (Way& way : ways) way.send(piece, number);
      std::this_thread::sleep_until(next = std::max(next + kPause, std::chrono::steady_clock::now() - 10 * kPause));
    }
    wire.receive(sent.by_linux);
    for (Way& way : ways) way.receive();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  wire.receive(sent.by_linux);
  for (Way& way : ways) way.receive();
}

std::multiset<Octets> all(const Deliveries& deliveries) {
  std::multiset<Octets> payloads;
  for (const auto& [source, each] : deliveries) payloads.insert(each.begin(), each.end());
  return payloads;
}

const std::vector<Octets>& of(const Deliveries& deliveries, std::uint32_t source) {
  static const std::vector<Octets> kNone;
  const auto found = deliveries.find(source);
  return found == deliveries.end() ? kNone : found->second;
}

// Not the bytes themselves into a failure's text.
void compare(const Way& way, const Sent& sent) {
  const auto linux_payloads = all(sent.by_linux), our_payloads = all(sent.ours.deliveries);
  std::size_t both = 0, linux_alone = 0, we_alone = 0;
  for (std::uint32_t source = kFirstSource; source < kFirstSource + kCases; ++source) {
    INFO(way.name << ", case " << source - kFirstSource);
    for (const Octets& payload : of(sent.by_linux, source)) {
      const bool came = way.payloads.contains(payload);
      ++(came ? both : linux_alone);
      if (!came) CHECK(sent.ours.losses.contains(source));
    }
    for (const Octets& payload : of(sent.ours.deliveries, source)) {
      INFO("a datagram of " << payload.size() << " bytes that the policy lets through");
      CHECK(way.payloads.count(payload) == our_payloads.count(payload));
    }
    if (sent.intact.contains(source)) CHECK_FALSE(of(sent.ours.deliveries, source).empty());
  }
  for (const Octets& payload : way.payloads) {
    const bool explained = our_payloads.contains(payload);
    INFO(way.name << ", a datagram of " << payload.size() << " bytes that nobody sent");
    CHECK(explained);
    we_alone += !linux_payloads.contains(payload);
  }
  fmt::print("{}: both {}, Linux alone {}, we alone {} of {} datagrams, {} of them intact\n", way.name, both,
             linux_alone, we_alone, kCases, sent.intact.size());
  CHECK(both > kCases / 3);
}

}  // namespace

TEST_CASE("what Linux delivers comes through the gateway as it is, and nothing else does", "[FRAG-1][FRAG-6][UDP-25]") {
  std::vector<Way> ways;
  ways.push_back({"outbound", inside<SubscriberEnd>("s1"), inside<DatagramReceiver>("web"), from_subscriber});
  ways.push_back({"inbound", inside<RouterEnd>("r"), inside<DatagramReceiver>("s1"), to_subscriber});
  LinuxWire wire;
  Sent sent;
  drive(wire, ways, sent);
  CHECK(sent.intact.size() > kCases / 5);
  for (const Way& way : ways) compare(way, sent);
}
