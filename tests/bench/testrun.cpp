// testrun.cpp - ns per packet of the loaded program, FIB look-up included, by
// BPF_PROG_TEST_RUN: outbound and inbound, by number of mappings, and for new ones.
//
// A round runs the feeder with the program and with nothing behind it; their
// difference is a sample. Sizes take turns within a round, so that a slow moment of
// the machine hits all of them alike.
//
//   testrun                     loads the program itself, in a namespace of its own
//   testrun --pins DIR --inside IF --outside IF     measures what apnatd runs
#include <apnat/verdict.h>
#include <fmt/core.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "feeder.h"
#include "gateway.h"

namespace {

using namespace apnat;
using namespace apnat::bench;

constexpr std::uint32_t kNewChunk = 1 << 18;
constexpr std::uint32_t kIdsOfOne = 8192;
constexpr std::uint32_t kManyDestinations = 1 << 20;

constexpr int kSkipped = 77;

struct Wish {
  std::string pins;
  std::string inside;
  std::string outside;
  std::vector<std::uint32_t> sizes = {1, 1 << 10, 1 << 15, 1 << 20, 1 << 21};
  std::uint32_t subscribers = 8192;
  std::uint32_t remotes = 65536;
  unsigned rounds = 5;
  std::uint32_t packets = 1 << 20;
  bool json = false;
};

std::string size_name(std::uint32_t size) {
  if (size >= 1 << 20) return fmt::format("{}m", size >> 20);
  if (size >= 1 << 10) return fmt::format("{}k", size >> 10);
  return std::to_string(size);
}

// Samples by name, in the order of the names' first appearance.
class Samples {
 public:
  void add(const std::string& name, const Cost& cost) {
    if (!samples_.contains(name)) names_.push_back(name);
    samples_[name].push_back(cost);
  }

  void print_table() const {
    fmt::print("{:<24} {:>9} {:>9} {:>9} {:>9} {:>13}\n", "", "ns", "least", "most", "cycles", "instructions");
    for (const auto& name : names_) {
      const auto ns = sorted(name, [](const Cost& cost) { return std::optional(cost.ns); });
      fmt::print("{:<24} {:>9.1f} {:>9.1f} {:>9.1f} {:>9} {:>13}\n", name, ns[ns.size() / 2], ns.front(), ns.back(),
                 median_text(name, &Cost::cycles), median_text(name, &Cost::instructions));
    }
  }

  void print_json() const {
    for (const auto& name : names_) {
      print_json_line(name, "ns", sorted(name, [](const Cost& cost) { return std::optional(cost.ns); }));
      print_json_line(name + ".cycles", "cycles", sorted(name, [](const Cost& cost) { return cost.cycles; }));
      print_json_line(name + ".instructions", "instructions",
                      sorted(name, [](const Cost& cost) { return cost.instructions; }));
    }
  }

 private:
  template <typename Part>
  std::vector<double> sorted(const std::string& name, Part part) const {
    std::vector<double> values;
    for (const Cost& cost : samples_.at(name))
      if (const auto value = part(cost)) values.push_back(*value);
    std::sort(values.begin(), values.end());
    return values;
  }

  std::string median_text(const std::string& name, std::optional<double> Cost::* part) const {
    const auto values = sorted(name, [part](const Cost& cost) { return cost.*part; });
    return values.empty() ? "-" : fmt::format("{:.0f}", values[values.size() / 2]);
  }

  static void print_json_line(const std::string& name, const char* unit, const std::vector<double>& values) {
    if (values.empty()) return;
    fmt::print("{{\"name\": \"testrun.{}\", \"unit\": \"{}\", \"samples\": [", name, unit);
    for (std::size_t i = 0; i < values.size(); ++i) fmt::print("{}{:.2f}", i == 0 ? "" : ", ", values[i]);
    fmt::print("]}}\n");
  }

  std::vector<std::string> names_;
  std::map<std::string, std::vector<Cost>> samples_;
};

// Cost of the program alone. Fails when a packet was not translated and redirected: the figure would mean nothing.
Result<Cost> cost_of(Feeder& feeder, const Gateway& gateway, Way way, std::uint32_t packets) {
  const bool outbound = way == Way::outbound;
  const unsigned ifindex = outbound ? gateway.inside : gateway.outside;
  const Cost feeding = TRY(feeder.run(way, TARGET_NOTHING, ifindex, packets));
  feeder.rewind(packets);
  const Verdicts before = TRY(verdicts(gateway));
  const Cost whole = TRY(feeder.run(way, TARGET_PROGRAM, ifindex, packets));
  const Verdicts after = TRY(verdicts(gateway));
  const unsigned wanted = outbound ? VERDICT_TRANSLATED_OUTBOUND : VERDICT_TRANSLATED_INBOUND;
  if (feeder.last_action() != XDP_REDIRECT || after[wanted] - before[wanted] < packets)
    return fail(fmt::format("{} packets {}: {}; the last one's action was {}", packets,
                            outbound ? "outbound" : "inbound", difference(before, after), feeder.last_action()));
  return whole - feeding;
}

// The first packets of all flows there will be, in chunks: each chunk is a sample.
Result<void> open_mappings(Feeder& feeder, const Gateway& gateway, const Flows& flows, Samples& samples) {
  feeder.send(flows);
  for (std::uint32_t done = 0; done < flows.count; done += kNewChunk) {
    const Cost cost = TRY(cost_of(feeder, gateway, Way::outbound, std::min(kNewChunk, flows.count)));
    if (flows.count >= kNewChunk) samples.add("outbound.new", cost);
  }
  return {};
}

// What the ID of a packet that may be fragmented costs: the same packets with DF=0 and DF=1. One tuple gets few, or its
// 65,536 IDs would have to repeat and the figure would be another.
Result<void> measure_ids(Feeder& feeder, const Gateway& gateway, const Wish& wish, std::uint32_t most,
                         Samples& samples) {
  struct Case {
    const char* name;
    Flows flows;
    std::uint32_t packets;
  };
  const Case cases[] = {
      {"id.1", {.count = 1, .subscribers = wish.subscribers, .remotes = 1}, kIdsOfOne},
      {"id.1m",
       {.count = std::min(most, kManyDestinations), .subscribers = wish.subscribers, .remotes = kManyDestinations},
       kManyDestinations},
  };
  for (const Case& each : cases) {
    feeder.send(each.flows);
    TRY(cost_of(feeder, gateway, Way::outbound, each.packets));
    for (unsigned round = 0; round < wish.rounds; ++round) {
      const Cost atomic = TRY(cost_of(feeder, gateway, Way::outbound, each.packets));
      feeder.set_dont_fragment(false);
      const auto whole = cost_of(feeder, gateway, Way::outbound, each.packets);
      feeder.set_dont_fragment(true);
      samples.add(each.name, TRY(whole) - atomic);
    }
  }
  return {};
}

Result<void> measure(Feeder& feeder, const Gateway& gateway, const Wish& wish, Samples& samples) {
  Flows all{.count = *std::max_element(wish.sizes.begin(), wish.sizes.end()),
            .order = kOrderOfOpening,
            .subscribers = wish.subscribers,
            .remotes = wish.remotes};
  TRY_VOID(open_mappings(feeder, gateway, all, samples));
  const std::vector<feed_endpoint> endpoints = TRY(endpoints_of(gateway, all));
  for (std::size_t flow = 0; flow < endpoints.size(); ++flow)
    if (endpoints[flow].port == 0) return fail(fmt::format("flow {} has no mapping", flow));
  std::mt19937 random(1);

  for (unsigned round = 0; round < wish.rounds; ++round) {
    for (const std::uint32_t size : wish.sizes) {
      const std::uint32_t packets = std::max(size, wish.packets);
      feeder.send({.count = size, .subscribers = wish.subscribers, .remotes = wish.remotes});
      samples.add("outbound." + size_name(size), TRY(cost_of(feeder, gateway, Way::outbound, packets)));

      std::vector<feed_endpoint> some(endpoints.begin(), endpoints.begin() + size);
      std::shuffle(some.begin(), some.end(), random);
      TRY_VOID(feeder.reply_to(some));
      samples.add("inbound." + size_name(size), TRY(cost_of(feeder, gateway, Way::inbound, packets)));
    }
  }
  return measure_ids(feeder, gateway, wish, all.count, samples);
}

Result<void> run(const Wish& wish) {
  std::optional<Standalone> standalone;
  Gateway gateway;
  if (wish.pins.empty()) {
    standalone.emplace(TRY(Standalone::with_own_network()));
    gateway = standalone->gateway();
  } else {
    gateway = TRY(adopt(wish.pins, wish.inside, wish.outside));
  }
  Feeder feeder = TRY(Feeder::load());
  TRY_VOID(feeder.aim_at(gateway.program));
  Samples samples;
  TRY_VOID(measure(feeder, gateway, wish, samples));
  if (wish.json)
    samples.print_json();
  else
    samples.print_table();
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Wish wish;
  CLI::App app{"Cost of the translator, in ns a packet, by BPF_PROG_TEST_RUN with packets that vary."};
  app.add_option("--pins", wish.pins, "where apnatd pinned the gateway to measure; none: load one");
  app.add_option("--inside", wish.inside, "its internal interface")->needs("--pins");
  app.add_option("--outside", wish.outside, "its external interface")->needs("--pins");
  app.add_option("--sizes", wish.sizes, "numbers of mappings, powers of two")->delimiter(',');
  app.add_option("--subscribers", wish.subscribers, "that the flows are spread over, a power of two");
  app.add_option("--remotes", wish.remotes, "hosts that flows go to, a power of two");
  app.add_option("--rounds", wish.rounds, "samples of each");
  app.add_option("--packets", wish.packets, "in a sample, at least");
  app.add_flag("--json", wish.json, "one JSON object a figure");
  CLI11_PARSE(app, argc, argv);
  if (geteuid() != 0) {
    fmt::print("skipped: loading programs needs root\n");
    return kSkipped;
  }
  if (auto done = run(wish); !done) {
    fmt::print(stderr, "testrun: {}\n", done.error().text);
    return 1;
  }
  return 0;
}
