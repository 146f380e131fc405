// feed.cpp - the event sinks of a configuration, fed with made-up events at a rate: the agent, to a receiver. Says on
// stdout which events are in the sinks' keeping, so that whoever kills it knows where the next is to go on.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <thread>

#include "apnatd/sinks.h"
#include "base/clock.h"
#include "config/read.h"
#include "events/sinks/encoder.h"

using namespace apnat;
using SteadyClock = std::chrono::steady_clock;

namespace {

Event made_up(std::uint64_t seq, const Clock& clock) {
  const Prefix who(Ip4(0x64400000 + static_cast<std::uint32_t>(seq % 4096)), 32);
  const Ip4 outside(0xcb007100 + static_cast<std::uint32_t>(seq % 64));
  const auto port = static_cast<std::uint16_t>(1024 + seq % 64 * 512);
  const auto protocol = static_cast<std::uint8_t>(seq % 8 < 4 ? 6 : 17);
  Event event{.seq = seq,
              .time = clock.realtime(),
              .monotonic_ns = clock.monotonic_ns(),
              .body = PortBlockAssigned{"residential", who, outside, {{port, static_cast<std::uint16_t>(port + 511)}}},
              .clock_error = std::chrono::microseconds(250)};
  const Endpoint inner{who.first(), 5000};
  const Endpoint outer{outside, static_cast<std::uint16_t>(1024 + seq % 64'000)};
  if (seq % 4 == 1) event.body = MappingCreated{"residential", who, protocol, inner, outer, {}};
  if (seq % 4 == 2) event.body = MappingDeleted{"residential", who, protocol, inner, outer, event.time, "expired"};
  if (seq % 4 == 3) {
    event.body = PortBlockReleased{"residential", who, outside, {{port, static_cast<std::uint16_t>(port + 511)}},
                                   event.time,    77};
  }
  return event;
}

struct Options {
  std::string config;
  std::uint64_t first = 0;
  std::uint64_t events = 10'000;
  std::uint64_t rate = 10'000;  // a second; 0: as fast as it goes
  int patience = 30;            // seconds until everything has arrived
};

std::uint64_t waiting(const FanOut& sinks) {
  std::uint64_t most = 0;
  for (const FanOut::Figures& sink : sinks.figures()) most = std::max(most, sink.sink.waiting + sink.lost);
  return most;
}

void flush(FanOut& sinks) {
  sinks.flush([](const std::string& sink, const std::string& what) { fmt::print(stderr, "{}: {}\n", sink, what); });
}

volatile std::sig_atomic_t hung_up = 0;

void feed(FanOut& sinks, const Options& options) {
  const SystemClock clock;
  const auto begun = SteadyClock::now();
  for (std::uint64_t done = 0; done < options.events;) {
    const std::uint64_t batch = std::min<std::uint64_t>({sinks.room(), 500, options.events - done});
    for (std::uint64_t i = 0; i < batch; ++i) sinks.accept(made_up(options.first + done + i, clock));
    done += batch;
    if (hung_up) {
      hung_up = 0;
      sinks.reopen([](const std::string& sink, const std::string& why) { fmt::print(stderr, "{}: {}\n", sink, why); });
    }
    flush(sinks);
    fmt::print("kept {}\n", options.first + done);
    std::fflush(stdout);
    if (batch == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (options.rate)
      std::this_thread::sleep_until(begun + std::chrono::nanoseconds(1'000'000'000 * done / options.rate));
  }
}

int drain(FanOut& sinks, const Options& options) {
  const auto until = SteadyClock::now() + std::chrono::seconds(options.patience);
  while (waiting(sinks) > 0 && SteadyClock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    flush(sinks);
  }
  for (const FanOut::Figures& sink : sinks.figures()) {
    fmt::print("figures {}: written {} waiting {} lost {} retries {} errors {} spool {} error \"{}\"\n", sink.sink.name,
               sink.sink.written, sink.sink.waiting, sink.lost, sink.sink.retries, sink.sink.errors,
               sink.sink.spool_bytes, sink.sink.error);
  }
  return waiting(sinks) > 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("feeds the event sinks of a configuration");
  Options options;
  app.add_option("config", options.config)->required();
  app.add_option("--first", options.first, "seq of the first event");
  app.add_option("--events", options.events);
  app.add_option("--rate", options.rate, "events a second; 0: as fast as it goes");
  app.add_option("--patience", options.patience, "seconds until everything has arrived");
  CLI11_PARSE(app, argc, argv);
  const auto config = read_config(options.config);
  if (!config) return fmt::print(stderr, "{}\n", config.error().text), 2;
  std::signal(SIGHUP, [](int) { hung_up = 1; });
  FanOut sinks;
  auto opened = open_missing_sinks(*config, "cgn1", sinks);
  if (!opened) return fmt::print(stderr, "{}\n", opened.error().text), 2;
  for (auto& sink : *opened) sinks.add(std::move(sink));
  feed(sinks, options);
  return drain(sinks, options);
}
