// The same fragments to Linux and to us. They go over a veth pair to a UDP socket in a namespace of their own, and to
// the reassembler; what the kernel delivers we deliver, with the same bytes, unless we have a reason to be stricter.
#include <fmt/core.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "support/two_opinions.h"

using namespace apnat;
using namespace apnat::test;

namespace {

constexpr std::uint32_t kFirstSource = 0x64400001;  // 100.64.0.1; the nth case is sent by the nth address
constexpr int kCases = 6000;

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

void drive(LinuxWire& wire, Deliveries& kernel, std::vector<Side*> sides, std::set<std::uint32_t>& intact,
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
  LinuxWire wire;
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
