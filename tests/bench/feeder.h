// feeder.h - drives the packets of feeder.bpf.c through a program and times them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "feed.h"
#include "perf_counters.h"

struct feeder_bpf;

namespace apnat::bench {

constexpr std::uint32_t kOrderOfOpening = 0x9e3779b1;
constexpr std::uint32_t kOrderOfUse = 0xc2b2ae3d;

// Which flows, as numbers of feed.h.
struct Flows {
  std::uint32_t count = 1;  // a power of two
  // Each odd number is another random order. Who opens mappings in one order and uses them in the same has rows of a
  // slab or a free list lie in the order they are read, and a processor that prefetches them: no network does that.
  std::uint32_t order = kOrderOfUse;
  std::uint32_t subscribers = 8192;
  std::uint32_t first_address = 0x64400000;  // 100.64.0.0
  std::uint32_t remotes = 65536;             // hosts that flows go to, a power of two
};

// What one packet cost, the feeder included.
struct Cost {
  double ns = 0;
  std::optional<double> cycles;
  std::optional<double> instructions;
};

Cost operator-(const Cost& whole, const Cost& part);

enum class Way { outbound, inbound };
enum class LiveKind { small, imix, fragments };

class Feeder {
 public:
  static Result<Feeder> load();
  // One that opens connections at a pace; `ring` is the gateway's event ring, or -1.
  static Result<Feeder> load_paced(int ring);
  Feeder(Feeder&&) noexcept;
  ~Feeder();

  // The program under test, loaded with frags support.
  Result<void> aim_at(int program_fd);
  void send(const Flows& flows);
  // DF of every packet from here on.
  void set_dont_fragment(bool dont_fragment);
  // Replies go to these, in this order; a power of two of them.
  Result<void> reply_to(std::span<const feed_endpoint> endpoints);

  // Runs `packets` packets as if they came in at `ifindex`, handing each to `target`.
  Result<Cost> run(Way way, feed_target target, unsigned ifindex, std::uint32_t packets);
  // The last `packets` packets shall come once more.
  void rewind(std::uint32_t packets);
  // What the program under test makes of the last packet fed: an XDP action.
  std::uint32_t last_action() const { return last_action_; }

  // Live frames out of `device`. Cost is time until all that this processor had to do with them is done.
  Result<Cost> run_live(LiveKind kind, unsigned device, std::uint32_t packets, std::uint32_t batch);
  // New connections out of `device`, until so many were sent.
  struct Pace {
    double a_second = 0;             // 0: as many as go
    std::uint64_t most_waiting = 0;  // bytes in the gateway's event ring
  };
  struct Paced {
    double seconds = 0;               // from the first to the last
    std::optional<double> emptied;    // to when the ring was empty again, if that was seen
    std::uint64_t least_waiting = 0;  // bytes, once the ring was full
  };
  Result<Paced> run_paced(unsigned device, std::uint32_t packets, Pace pace);
  // Takes frames out where they arrive, and counts them.
  Result<void> sink_at(unsigned device);
  std::uint64_t arrived() const;
  void restart_count();

 private:
  struct Destroy {
    void operator()(feeder_bpf* skeleton) const;
  };
  explicit Feeder(feeder_bpf* skeleton);
  static Result<Feeder> load(bool paced, int ring);
  Result<std::uint32_t> send_live(int program, std::uint32_t bytes, std::uint32_t packets, std::uint32_t batch);

  std::unique_ptr<feeder_bpf, Destroy> skeleton_;
  PerfCounters counters_;
  std::uint32_t last_action_ = 0;
};

}  // namespace apnat::bench
