// records.cpp - new connections for a gateway that records each: as fast as its event ring is emptied, or at a given
// rate for a gateway that has none of ours. With --established: what a packet of an established flow costs here while
// the agent, on another processor, works off a ring that was filled for it. Prints one JSON object.
//
// It never fills a ring to its end: a mapping that is refused because it could not be recorded is no loss, but no
// record either.
#include <bpf/bpf.h>
#include <fmt/core.h>
#include <net/if.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "apnat/tables.h"
#include "datapath/event_ring.h"
#include "feeder.h"

namespace {

using namespace apnat;
using namespace apnat::bench;
using SteadyClock = std::chrono::steady_clock;

constexpr std::uint64_t kRecordBytes = sizeof(event_record) + 8;  // with the ring's own header
constexpr std::uint64_t kMostWaiting = EVENT_RING_BYTES / 8 * 7;  // the rest is for blocks

struct Wish {
  std::string device;
  std::string sink;
  std::string ring;  // a pinned map; empty: none
  Flows flows{.count = 1 << 20};
  std::uint32_t packets = 1 << 20;  // each opens a connection
  std::uint32_t chunk = 65536;      // each call waits for RCU, tens of milliseconds where the other processor is busy
  double rate = 0;                  // connections a second; 0: as fast as the ring is emptied
  std::uint32_t established = 0;    // packets to be timed meanwhile
  int agent = 0;                    // its process: stopped while the ring is filled for it
};

Result<unsigned> index_of(const std::string& device) {
  const unsigned index = if_nametoindex(device.c_str());
  if (index == 0) return fail(errno, device);
  return index;
}

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// -1: no ring was named. It stays open as long as this process.
Result<int> open_pin(const std::string& pin) {
  if (pin.empty()) return -1;
  const int map = bpf_obj_get(pin.c_str());
  if (map < 0) return fail(errno, pin);
  return map;
}

Result<void> wait_until(const std::function<bool()>& is_so, const char* what) {
  const auto start = SteadyClock::now();
  while (!is_so()) {
    if (seconds_since(start) > 60) return fail(std::string("waited a minute for ") + what);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return {};
}

// The ring is empty, and so everything durable and in the file, when it returns.
Result<void> send(const Wish& wish) {
  const unsigned device = TRY(index_of(wish.device));
  const int map = TRY(open_pin(wish.ring));
  Feeder feeder = TRY(Feeder::load_paced(map));
  TRY_VOID(feeder.sink_at(TRY(index_of(wish.sink))));
  feeder.send(wish.flows);
  const auto start = SteadyClock::now();
  const auto paced = TRY(feeder.run_paced(device, wish.packets, {wish.rate, map < 0 ? 0 : kMostWaiting}));
  if (map >= 0) {
    const EventRing ring = TRY(EventRing::open(map, EVENT_RING_BYTES));
    TRY_VOID(wait_until([&] { return ring.reader().waiting_bytes() == 0; }, "the ring to be emptied"));
  }
  fmt::print(
      "{{\"sent\": {}, \"arrived\": {}, \"sending_seconds\": {:.4f}, \"seconds\": {:.4f}, \"least_waiting\": {}}}\n",
      wish.packets, feeder.arrived(), paced.seconds, paced.emptied.value_or(seconds_since(start)),
      paced.least_waiting / kRecordBytes);
  return {};
}

// A process that stands still.
class Stopped {
 public:
  explicit Stopped(int process) : process_(process) { ::kill(process_, SIGSTOP); }
  ~Stopped() { ::kill(process_, SIGCONT); }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

 private:
  int process_;
};

// Established flows are timed while the agent works, and before and after it with nothing to record.
class Beside {
 public:
  static Result<void> run(const Wish& wish) {
    const int map = TRY(open_pin(wish.ring));
    Beside beside(wish, TRY(index_of(wish.device)), TRY(Feeder::load()), TRY(EventRing::open(map, EVENT_RING_BYTES)));
    TRY_VOID(beside.feeder_.sink_at(TRY(index_of(wish.sink))));
    return beside.measure();
  }

 private:
  Beside(const Wish& wish, unsigned device, Feeder feeder, EventRing ring)
      : wish_(wish), device_(device), feeder_(std::move(feeder)), ring_(std::move(ring)) {}

  Result<void> measure() {
    feeder_.send(flows(kOrderOfOpening));
    TRY(feeder_.run_live(LiveKind::small, device_, kFlows, 64));
    TRY_VOID(wait_until([&] { return ring_.reader().waiting_bytes() == 0; }, "the ring to be emptied"));
    feeder_.restart_count();
    const double before_it = TRY(timed());
    TRY_VOID(fill());
    const std::uint64_t before = ring_.reader().waiting_bytes();
    const double busy = TRY(timed());
    const std::uint64_t after = ring_.reader().waiting_bytes();
    TRY_VOID(wait_until([&] { return ring_.reader().waiting_bytes() == 0; }, "the ring to be emptied"));
    const double after_it = TRY(timed());
    fmt::print(
        "{{\"idle_ns\": {}, \"busy_ns\": {}, \"sent\": {}, \"arrived\": {}, \"waiting_before\": {}, "
        "\"waiting_after\": {}}}\n",
        (before_it + after_it) / 2, busy, 3 * wish_.established + filled_, feeder_.arrived(), before / kRecordBytes,
        after / kRecordBytes);
    return {};
  }

  Result<double> timed() {
    feeder_.send(flows(kOrderOfUse));
    return TRY(feeder_.run_live(LiveKind::small, device_, wish_.established, 64)).ns;
  }

  // New connections, as many as the ring may hold.
  Result<void> fill() {
    feeder_.send(wish_.flows);
    filled_ = kMostWaiting / kRecordBytes;
    const Stopped agent(wish_.agent);
    TRY(feeder_.run_live(LiveKind::small, device_, filled_, 64));
    return {};
  }

  static constexpr std::uint32_t kFlows = 1024;
  // Of subscribers that open nothing else.
  Flows flows(std::uint32_t order) const {
    return {.count = kFlows,
            .order = order,
            .subscribers = kFlows,
            .first_address = wish_.flows.first_address + wish_.flows.subscribers};
  }

  const Wish& wish_;
  unsigned device_;
  Feeder feeder_;
  EventRing ring_;
  std::uint32_t filled_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Wish wish;
  CLI::App app{"New connections for a gateway that records each of them."};
  app.add_option("--device", wish.device, "interface whose far end is the gateway")->required();
  app.add_option("--sink", wish.sink, "interface where the gateway's packets arrive")->required();
  const auto ring = app.add_option("--ring", wish.ring, "the gateway's event ring, pinned");
  app.add_option("--flows", wish.flows.count, "a power of two");
  app.add_option("--subscribers", wish.flows.subscribers, "a power of two");
  app.add_option("--first-address", wish.flows.first_address, "of subscriber 0, as a number");
  app.add_option("--packets", wish.packets, "connections to be opened");
  app.add_option("--rate", wish.rate, "connections a second; 0: as fast as the ring is emptied");
  const auto established = app.add_option("--established", wish.established,
                                          "time so many packets of established flows, idle and meanwhile");
  established->needs(app.add_option("--agent", wish.agent, "the agent's process")->check(CLI::PositiveNumber))
      ->needs(ring);
  CLI11_PARSE(app, argc, argv);
  const auto done = wish.established > 0 ? Beside::run(wish) : send(wish);
  if (!done) {
    fmt::print(stderr, "records: {}\n", done.error().text);
    return 1;
  }
  return 0;
}
