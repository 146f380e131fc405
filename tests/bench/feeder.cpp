#include "feeder.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <ctime>

#include "feeder.skel.h"

namespace apnat::bench {

namespace {

constexpr std::uint32_t kRemoteAddress = 0xc6120000;  // 198.18.0.0: the range that RFC 2544 keeps for benchmarks
constexpr std::uint16_t kRemotePort = 53;
constexpr std::array<std::uint8_t, 6> kTo = {0x02, 0, 0, 0, 0, 0x01};
constexpr std::array<std::uint8_t, 6> kFrom = {0x02, 0, 0, 0, 0, 0x02};

using Nanoseconds = std::chrono::duration<double, std::nano>;

// Of this thread on its processor: what else runs there does not count.
Nanoseconds processor_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// What a thread's work cost between its making and `per_packet`.
class Stopwatch {
 public:
  explicit Stopwatch(const PerfCounters& counters)
      : counters_(counters), before_(counters.read()), started_(processor_time()) {}

  Cost per_packet(std::uint32_t packets) const {
    const Nanoseconds elapsed = processor_time() - started_;
    const auto after = counters_.read();
    Cost cost{.ns = elapsed.count() / packets, .cycles = {}, .instructions = {}};
    if (before_ && after) {
      cost.cycles = static_cast<double>(after->cycles - before_->cycles) / packets;
      cost.instructions = static_cast<double>(after->instructions - before_->instructions) / packets;
    }
    return cost;
  }

 private:
  const PerfCounters& counters_;
  std::optional<PerfCounters::Reading> before_;
  Nanoseconds started_;
};

double seconds_between(std::uint64_t from_ns, std::uint64_t to_ns) {
  return 1e-9 * static_cast<double>(to_ns - from_ns);
}

std::optional<double> difference(std::optional<double> whole, std::optional<double> part) {
  if (!whole || !part) return std::nullopt;
  return *whole - *part;
}

}  // namespace

Cost operator-(const Cost& whole, const Cost& part) {
  return {.ns = whole.ns - part.ns,
          .cycles = difference(whole.cycles, part.cycles),
          .instructions = difference(whole.instructions, part.instructions)};
}

Feeder::Feeder(feeder_bpf* skeleton) : skeleton_(skeleton) {}
Feeder::Feeder(Feeder&&) noexcept = default;
Feeder::~Feeder() = default;

void Feeder::Destroy::operator()(feeder_bpf* skeleton) const { feeder_bpf::destroy(skeleton); }

Result<Feeder> Feeder::load() { return load(false, -1); }
Result<Feeder> Feeder::load_paced(int ring) { return load(true, ring); }

Result<Feeder> Feeder::load(bool paced, int ring) {
  Feeder feeder(feeder_bpf::open());
  if (!feeder.skeleton_) return fail(errno, "open the feeder");
  auto& events = feeder.skeleton_->maps.gateway_events;
  bpf_program__set_autoload(feeder.skeleton_->progs.generate_paced, paced);
  bpf_map__set_autocreate(events, paced);
  if (ring >= 0 && bpf_map__reuse_fd(events, ring) != 0) return fail(errno, "share the gateway's event ring");
  // One table of programs takes only those of one attach type, and the agent loads its translator with none.
  auto& programs = feeder.skeleton_->progs;
  for (bpf_program* program : {programs.feed_outbound, programs.feed_inbound, programs.nothing})
    bpf_program__set_expected_attach_type(program, bpf_attach_type{});
  if (int error = feeder_bpf::load(feeder.skeleton_.get())) return fail(-error, "the kernel refused the feeder");
  const std::uint32_t key = TARGET_NOTHING;
  const int nothing = bpf_program__fd(feeder.skeleton_->progs.nothing);
  if (bpf_map_update_elem(bpf_map__fd(feeder.skeleton_->maps.targets), &key, &nothing, BPF_ANY) != 0)
    return fail(errno, "hand the feeder its empty target");
  auto& settings = feeder.skeleton_->bss->settings;
  settings.remote_address_host = kRemoteAddress;
  settings.remote_port = __builtin_bswap16(kRemotePort);
  feeder.set_dont_fragment(true);
  std::copy(kTo.begin(), kTo.end(), settings.destination_mac);
  std::copy(kFrom.begin(), kFrom.end(), settings.source_mac);
  return feeder;
}

Result<void> Feeder::aim_at(int program_fd) {
  const std::uint32_t key = TARGET_PROGRAM;
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.targets), &key, &program_fd, BPF_ANY) != 0)
    return fail(errno, "aim the feeder at the program under test");
  return {};
}

void Feeder::send(const Flows& flows) {
  auto& settings = skeleton_->bss->settings;
  const unsigned bits = std::bit_width(flows.count - 1);
  settings.flow_mask = flows.count - 1;
  settings.flow_step = flows.order | 1;
  settings.flow_shift = std::max(1U, (bits + 1) / 2);
  settings.subscriber_mask = flows.subscribers - 1;
  settings.subscriber_bits = std::bit_width(flows.subscribers - 1);
  settings.first_address_host = flows.first_address;
  settings.remote_mask = flows.remotes - 1;
}

void Feeder::set_dont_fragment(bool dont_fragment) {
  skeleton_->bss->settings.fragment_field = dont_fragment ? __builtin_bswap16(0x4000) : 0;
}

Result<void> Feeder::reply_to(std::span<const feed_endpoint> endpoints) {
  const int map = bpf_map__fd(skeleton_->maps.endpoints);
  const std::size_t bytes = sizeof(feed_endpoint) * MAX_ENDPOINTS;
  if (endpoints.size() > MAX_ENDPOINTS || !std::has_single_bit(endpoints.size()))
    return fail("replies go to a power of two of endpoints, not " + std::to_string(endpoints.size()));
  void* rows = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  if (rows == MAP_FAILED) return fail(errno, "map the feeder's endpoints");
  std::copy(endpoints.begin(), endpoints.end(), static_cast<feed_endpoint*>(rows));
  munmap(rows, bytes);
  send({.count = static_cast<std::uint32_t>(endpoints.size())});
  return {};
}

Result<Cost> Feeder::run(Way way, feed_target target, unsigned ifindex, std::uint32_t packets) {
  auto& programs = skeleton_->progs;
  const int program = bpf_program__fd(way == Way::outbound ? programs.feed_outbound : programs.feed_inbound);
  std::array<std::uint8_t, SMALL_FRAME_BYTES> frame{};
  xdp_md context{};
  context.data_end = frame.size();
  context.ingress_ifindex = ifindex;
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = frame.data();
  options.data_size_in = frame.size();
  options.ctx_in = &context;
  options.ctx_size_in = sizeof(context);
  options.repeat = static_cast<int>(packets);
  skeleton_->bss->settings.frame_bytes = frame.size();
  skeleton_->bss->settings.target = target;

  const Stopwatch watch(counters_);
  if (bpf_prog_test_run_opts(program, &options) != 0) return fail(errno, "run the feeder");
  const Cost cost = watch.per_packet(packets);
  last_action_ = options.retval;
  if (last_action_ == XDP_ABORTED) return fail("the feeder reached no program");
  return cost;
}

// Answers the kernel's own time, taken round the loop alone: setting live frames up and down waits for RCU, and some
// kernels do not account softirqs to the thread they run in.
Result<std::uint32_t> Feeder::send_live(int program, std::uint32_t bytes, std::uint32_t packets, std::uint32_t batch) {
  std::array<std::uint8_t, LARGE_FRAME_BYTES> frame{};
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = frame.data();
  options.data_size_in = bytes;
  options.repeat = static_cast<int>(packets);
  options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  options.batch_size = batch;
  skeleton_->bss->settings.frame_bytes = static_cast<std::uint16_t>(bytes);
  if (bpf_prog_test_run_opts(program, &options) != 0) return fail(errno, "send live frames");
  return options.duration;
}

Result<Cost> Feeder::run_live(LiveKind kind, unsigned device, std::uint32_t packets, std::uint32_t batch) {
  auto& programs = skeleton_->progs;
  const bpf_program* const generators[] = {programs.generate, programs.generate_imix, programs.generate_fragments};
  const int program = bpf_program__fd(generators[static_cast<int>(kind)]);
  skeleton_->bss->settings.device = device;
  const Stopwatch watch(counters_);
  const std::uint32_t ns =
      TRY(send_live(program, kind == LiveKind::small ? SMALL_FRAME_BYTES : LARGE_FRAME_BYTES, packets, batch));
  Cost cost = watch.per_packet(packets);
  cost.ns = ns;
  return cost;
}

Result<Feeder::Paced> Feeder::run_paced(unsigned device, std::uint32_t packets, Pace wanted) {
  constexpr std::uint32_t kAttempts = 1 << 23;  // a call waits for RCU, which may take longer than a ring lasts
  auto& bss = *skeleton_->bss;
  bss.settings.device = device;
  bss.pace = {};
  bss.pace.picoseconds = wanted.a_second > 0 ? static_cast<std::uint64_t>(1e12 / wanted.a_second) : 0;
  bss.pace.most_waiting = bss.pace.least_waiting = wanted.most_waiting;
  bss.pace.first = bss.cursor;
  bss.pace.end = bss.cursor + packets;
  const int program = bpf_program__fd(skeleton_->progs.generate_paced);
  const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (bss.cursor < bss.pace.end) {
    TRY(send_live(program, SMALL_FRAME_BYTES, kAttempts, 64));
    if (std::chrono::steady_clock::now() > patience) return fail("not all could be sent: is the event ring stuck?");
  }
  return Paced{
      seconds_between(bss.pace.started_ns, bss.pace.finished_ns),
      bss.pace.emptied_ns ? std::optional(seconds_between(bss.pace.started_ns, bss.pace.emptied_ns)) : std::nullopt,
      bss.pace.least_waiting};
}

Result<void> Feeder::sink_at(unsigned device) {
  auto& programs = skeleton_->progs;
  skeleton_->links.sink = bpf_program__attach_xdp(programs.sink, static_cast<int>(device));
  if (!skeleton_->links.sink) return fail(errno, "attach the sink");
  return {};
}

void Feeder::rewind(std::uint32_t packets) { skeleton_->bss->cursor -= packets; }
std::uint64_t Feeder::arrived() const { return skeleton_->bss->arrived; }
void Feeder::restart_count() { skeleton_->bss->arrived = 0; }

}  // namespace apnat::bench
