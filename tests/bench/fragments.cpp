// fragments.cpp - one round of fragments through a gateway: two frames of 1,514 bytes are one datagram. Prints what the
// generator's side cost, softirqs included, as one JSON object; what a thread of the gateway's takes is for the caller
// to add.
//
// Frames go in rounds of three quarters of what the rings on the way hold: in the last quarter sources that share a row
// of the punting program's table are held back. Each round goes after the one before has come out at the sink.
#include <fmt/core.h>
#include <net/if.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "feeder.h"

namespace {

using namespace apnat;
using namespace apnat::bench;

struct Wish {
  std::string device;
  std::string sink;
  Flows flows{.subscribers = 1024};
  std::uint32_t rounds = 64;
  std::uint32_t frames = 1536;  // a round
};

Result<unsigned> index_of(const std::string& device) {
  const unsigned index = if_nametoindex(device.c_str());
  if (index == 0) return fail(errno, device);
  return index;
}

void wait_for(const Feeder& feeder, std::uint64_t frames) {
  for (int patience = 0; feeder.arrived() < frames && patience < 500; ++patience)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

Result<void> run(const Wish& wish) {
  const unsigned device = TRY(index_of(wish.device));
  Feeder feeder = TRY(Feeder::load());
  TRY_VOID(feeder.sink_at(TRY(index_of(wish.sink))));
  feeder.send(wish.flows);
  double ns = 0;
  for (std::uint32_t round = 0; round < wish.rounds; ++round) {
    ns += TRY(feeder.run_live(LiveKind::fragments, device, wish.frames, 64)).ns;
    wait_for(feeder, std::uint64_t{round + 1} * wish.frames);
  }
  fmt::print("{{\"ns\": {}, \"sent\": {}, \"arrived\": {}}}\n", 2 * ns / wish.rounds,
             std::uint64_t{wish.rounds} * wish.frames, feeder.arrived());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Wish wish;
  CLI::App app{"Datagrams in two fragments through a gateway; ns a datagram on the generator's side."};
  app.add_option("--device", wish.device, "interface whose far end is the gateway")->required();
  app.add_option("--sink", wish.sink, "interface where the gateway's packets arrive")->required();
  app.add_option("--subscribers", wish.flows.subscribers, "a power of two");
  app.add_option("--rounds", wish.rounds, "of --frames each");
  app.add_option("--frames", wish.frames, "a round; even");
  CLI11_PARSE(app, argc, argv);
  if (auto done = run(wish); !done) {
    fmt::print(stderr, "fragments: {}\n", done.error().text);
    return 1;
  }
  return 0;
}
