// liveframes.cpp - one round of the end-to-end bench: sends live frames into a
// gateway, takes them out behind it, prints what a packet cost as one JSON object.
//
// Generator, gateway and sink share this processor: each batch is worked off in
// the softirq that follows it. The caller pins this process.
#include <fmt/core.h>
#include <net/if.h>

#include <CLI/CLI.hpp>
#include <string>

#include "feeder.h"

namespace {

using namespace apnat;
using namespace apnat::bench;

struct Wish {
  std::string device;
  std::string sink;
  bool imix = false;
  Flows flows;
  std::uint32_t packets = 1 << 20;
  std::uint32_t batch = 64;
  bool first_pass = true;
};

Result<unsigned> index_of(const std::string& device) {
  const unsigned index = if_nametoindex(device.c_str());
  if (index == 0) return fail(errno, device);
  return index;
}

void print(const Cost& cost, const Wish& wish, std::uint64_t arrived) {
  fmt::print("{{\"ns\": {}, \"sent\": {}, \"arrived\": {}", cost.ns, wish.packets, arrived);
  if (cost.cycles) fmt::print(", \"cycles\": {:.1f}, \"instructions\": {:.1f}", *cost.cycles, *cost.instructions);
  fmt::print("}}\n");
}

// Every flow once, untimed, so that the timed packets meet established mappings; then the timed ones.
Result<void> round(const Wish& wish) {
  const unsigned device = TRY(index_of(wish.device));
  const unsigned sink = TRY(index_of(wish.sink));
  const LiveKind kind = wish.imix ? LiveKind::imix : LiveKind::small;
  Feeder feeder = TRY(Feeder::load());
  TRY_VOID(feeder.sink_at(sink));
  if (wish.first_pass) {
    Flows opening = wish.flows;
    opening.order = kOrderOfOpening;
    feeder.send(opening);
    TRY(feeder.run_live(kind, device, wish.flows.count, wish.batch));
    feeder.restart_count();
  }
  feeder.send(wish.flows);
  const Cost cost = TRY(feeder.run_live(kind, device, wish.packets, wish.batch));
  print(cost, wish, feeder.arrived());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Wish wish;
  bool no_first_pass = false;
  CLI::App app{"One timed round of live frames through a gateway, on one processor."};
  app.add_option("--device", wish.device, "interface whose far end is the gateway")->required();
  app.add_option("--sink", wish.sink, "interface where the gateway's packets arrive")->required();
  app.add_flag("--imix", wish.imix, "7 : 4 : 1 packets of 64, 594 and 1518 bytes");
  app.add_option("--flows", wish.flows.count, "a power of two");
  app.add_option("--subscribers", wish.flows.subscribers, "a power of two");
  app.add_option("--remotes", wish.flows.remotes, "hosts that flows go to, a power of two");
  app.add_option("--first-address", wish.flows.first_address, "of subscriber 0, as a number");
  app.add_option("--packets", wish.packets, "timed packets");
  app.add_option("--batch", wish.batch, "frames in one softirq, at most 256");
  app.add_flag("--new", no_first_pass, "time the flows' first packets: no pass before");
  CLI11_PARSE(app, argc, argv);
  wish.first_pass = !no_first_pass;
  if (auto done = round(wish); !done) {
    fmt::print(stderr, "liveframes: {}\n", done.error().text);
    return 1;
  }
  return 0;
}
