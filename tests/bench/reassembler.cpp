// reassembler.cpp - what the reassembler alone costs: parse, find, hold, put together, on one processor, without a
// socket. Then a flood of datagrams that never become whole, with one legitimate fragment in a hundred, and what is
// left of those. One JSON object a figure, as bench_testrun writes them.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <fstream>
#include <random>

#include "slowpath/reassembler.h"
#include "support/fragments.h"

namespace apnat::bench {
namespace {

using test::Octets;
using test::Piece;

constexpr std::size_t kPayload = 2980;       // with its header 3,000 bytes
constexpr std::size_t kFirstPayload = 1496;  // the rest is 1,484
constexpr std::uint32_t kFlows = 4096;
constexpr std::size_t kDatagrams = 8192;  // their frames fit the last cache, as those of a ring do
constexpr std::size_t kUnderWay = 1024;
constexpr std::uint32_t kFlood = 1'000'000;
constexpr std::uint64_t kMemory = std::uint64_t{64} << 20;
constexpr std::uint64_t kFloodGapNs = 1000;  // a million a second

double processor_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t all = 0, resident = 0;
  file >> all >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

FragmentsConfig config() {
  FragmentsConfig config;
  config.memory = kMemory;
  return config;
}

void print(const std::string& name, std::string_view unit, const std::vector<double>& samples) {
  fmt::print("{{\"name\": \"slowpath.reassembler.{}\", \"unit\": \"{}\", \"samples\": [", name, unit);
  for (std::size_t i = 0; i < samples.size(); ++i) fmt::print("{}{:.2f}", i == 0 ? "" : ", ", samples[i]);
  fmt::print("]}}\n");
}

// A million frames of our own making are no mistake of the input: stop rather than measure something else.
Fragment fragment_of(Bytes frame) {
  const auto fragment = parse_fragment(frame, {.ifindex = 1, .rx_queue = 0, .realm = REALM_EXTERNAL});
  if (!fragment) throw std::runtime_error("a frame that is no fragment");
  return *fragment;
}

// ---- throughput

struct Frames {
  std::vector<std::uint8_t> bytes;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // where each frame is, in the order they arrive
  Bytes frame(std::size_t number) const { return Bytes(bytes).subspan(places[number].first, places[number].second); }
};

// Both fragments of `kDatagrams`, of random flows, `kUnderWay` of them open at a time, in random order.
Frames interleaved() {
  std::mt19937 random(1);
  std::vector<std::vector<Piece>> open;
  Frames frames;
  std::size_t made = 0;
  while (made < kDatagrams || !open.empty()) {
    while (made < kDatagrams && open.size() < kUnderWay) {
      const Piece whole{.source = 0x64400000 + static_cast<std::uint32_t>(random()) % kFlows,
                        .id = static_cast<std::uint16_t>(made),
                        .payload = test::bytes_of(kPayload, static_cast<std::uint32_t>(made))};
      open.push_back(test::cut(whole, kFirstPayload));
      if (random() % 2) std::swap(open.back()[0], open.back()[1]);
      ++made;
    }
    auto& pieces = open[random() % open.size()];
    const Octets frame = test::frame_of(pieces.back());
    frames.places.emplace_back(frames.bytes.size(), frame.size());
    frames.bytes.insert(frames.bytes.end(), frame.begin(), frame.end());
    pieces.pop_back();
    if (pieces.empty()) {
      std::swap(pieces, open.back());
      open.pop_back();
    }
  }
  return frames;
}

// ns a fragment; 0: a datagram was lost.
double round_of(Reassembler& reassembler, const Frames& frames, int times, std::uint64_t& now_ns) {
  Octets room(Reassembler::kOutBytes);
  std::size_t datagrams = 0;
  const double started = processor_ns();
  for (int time = 0; time < times; ++time) {
    for (std::size_t i = 0; i < frames.places.size(); ++i) {
      now_ns += 400;
      const Reassembled result = reassembler.add(fragment_of(frames.frame(i)), now_ns, room);
      datagrams += result.datagram && result.datagram->frame.size() == kPayload + 34;
    }
  }
  const double spent = processor_ns() - started;
  const auto count = static_cast<double>(frames.places.size()) * times;
  return datagrams == kDatagrams * static_cast<std::size_t>(times) ? spent / count : 0;
}

bool has_right_bytes(Reassembler& reassembler, const Frames& frames, std::uint64_t& now_ns) {
  Octets room(Reassembler::kOutBytes);
  for (std::size_t i = 0; i < frames.places.size(); ++i) {
    const auto datagram = reassembler.add(fragment_of(frames.frame(i)), ++now_ns, room).datagram;
    if (!datagram) continue;
    const std::uint16_t id = load16(datagram->frame.data() + 18);
    if (!std::ranges::equal(datagram->frame.subspan(34), test::bytes_of(kPayload, id))) return false;
  }
  return true;
}

bool measure_throughput(int rounds, int times) {
  const Frames frames = interleaved();
  Reassembler reassembler(config(), 0x5eed);
  std::uint64_t now_ns = 1'000'000'000;
  if (!has_right_bytes(reassembler, frames, now_ns)) return false;
  std::vector<double> ns, rates;
  for (int round = 0; round < rounds; ++round) {
    ns.push_back(round_of(reassembler, frames, times, now_ns));
    if (ns.back() == 0) return false;
    rates.push_back(1e9 / ns.back());
  }
  print("fragment", "ns", ns);
  print("rate", "fragments/s", rates);
  return true;
}

// ---- floods

struct Flood {
  std::string name;
  std::uint32_t sources;  // how many addresses it comes from: 1, 1k, 1m
};

struct FloodResult {
  double delivered_percent;
  double ns;
  double used_mib;
  double resident_mib;
};

// What arrives: 99 fragments of the flood, each of another datagram, then a legitimate one.
class Arrivals {
 public:
  explicit Arrivals(std::uint32_t sources)
      : sources_(sources), flood_(test::frame_of({.source = 0, .payload = test::bytes_of(1480)})) {}

  // The next hundred. The second half of a legitimate datagram comes up to 80 hundreds, 8 ms, after the first.
  std::vector<Octets>& next_hundred() {
    batch_.resize(100);
    for (std::size_t i = 0; i < 99; ++i) batch_[i] = flood_frame();
    ++hundreds_;
    const auto due = std::ranges::find_if(waiting_, [&](const auto& one) { return one.first <= hundreds_; });
    if (due != waiting_.end()) {
      batch_[99] = due->second;
      waiting_.erase(due);
    } else {
      batch_[99] = new_datagram();
    }
    return batch_;
  }
  std::uint32_t complete() const { return legitimate_ - static_cast<std::uint32_t>(waiting_.size()); }

 private:
  const Octets& flood_frame() {
    ++count_;
    const MutableBytes header(flood_.data() + kEthernetBytes, kLeastIpv4Header);
    store32(header.data() + ipv4::kSource, 0x0b000000 + count_ * 2654435761u % sources_);
    store32(header.data() + ipv4::kDestination, 0xcb007100 + (count_ >> 16));  // or its IDs would come round
    store16(header.data() + ipv4::kId, static_cast<std::uint16_t>(count_ / sources_ * 40503 + count_));
    set_header_checksum(header);
    return flood_;
  }
  Octets new_datagram() {
    const Piece whole{.source = 0xc6336400 + legitimate_ % 250,
                      .id = static_cast<std::uint16_t>(legitimate_),
                      .payload = test::bytes_of(kPayload, legitimate_)};
    ++legitimate_;
    const auto pieces = test::cut(whole, kFirstPayload);
    waiting_.emplace_back(hundreds_ + 1 + random_() % 80, test::frame_of(pieces[1]));
    return test::frame_of(pieces[0]);
  }

  std::uint32_t sources_;
  std::uint32_t count_ = 0;
  std::uint32_t legitimate_ = 0;
  std::uint64_t hundreds_ = 0;
  Octets flood_;
  std::vector<Octets> batch_;
  std::vector<std::pair<std::uint64_t, Octets>> waiting_;  // due when, and what
  std::mt19937 random_{1};
};

FloodResult through(const Flood& flood) {
  const double before = resident_mib();
  Reassembler reassembler(config(), 0x5eed);
  Octets room(Reassembler::kOutBytes);
  Arrivals arrivals(flood.sources);
  std::uint64_t now_ns = 1'000'000'000, most_used = 0;
  double spent = 0;
  for (std::uint32_t sent = 0; sent < kFlood; sent += 99) {
    const auto& batch = arrivals.next_hundred();
    const double started = processor_ns();
    for (const Octets& frame : batch) reassembler.add(fragment_of(frame), now_ns += kFloodGapNs, room);
    spent += processor_ns() - started;
    most_used = std::max(most_used, reassembler.gauges(REALM_EXTERNAL, now_ns).bytes);
  }
  return {100.0 * static_cast<double>(reassembler.counters().datagrams) / arrivals.complete(), spent / kFlood * 0.99,
          static_cast<double>(most_used) / (1 << 20), resident_mib() - before};
}

void measure_floods(int rounds) {
  for (const Flood& flood : {Flood{"one", 1}, Flood{"1k", 1000}, Flood{"1m", 1'000'000}}) {
    std::vector<double> delivered, ns, used, resident;
    for (int round = 0; round < rounds; ++round) {
      const FloodResult result = through(flood);
      delivered.push_back(result.delivered_percent);
      ns.push_back(result.ns);
      used.push_back(result.used_mib);
      resident.push_back(result.resident_mib);
    }
    print(flood.name + ".delivered", "%", delivered);
    print(flood.name + ".fragment", "ns", ns);
    print(flood.name + ".memory", "MiB", used);
    print(flood.name + ".resident", "MiB", resident);
  }
}

}  // namespace
}  // namespace apnat::bench

int main(int argc, char** argv) {
  CLI::App app("What the reassembler alone costs; one JSON object a figure");
  int rounds = 5;
  int times = 60;
  app.add_option("--rounds", rounds, "samples of each figure")->check(CLI::Range(1, 100));
  app.add_option("--times", times, "how often a sample goes through all frames")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  if (!apnat::bench::measure_throughput(rounds, times)) {
    fmt::print(stderr, "reassembler: a datagram was lost, or came out with other bytes\n");
    return 1;
  }
  apnat::bench::measure_floods(1);
  return 0;
}
