// events.cpp - bench_events: how many events a second one core takes from ring records to a sink: decoded, put in
// order, written as JSON. The records lie in memory; the kernel's ring is measured with the agent.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "apnat/events.h"
#include "events/pump.h"
#include "events/sinks/encoder.h"
#include "events/sinks/file.h"
#include "events/sinks/ipfix.h"
#include "events/sinks/spooled.h"

using namespace apnat;
using SteadyClock = std::chrono::steady_clock;

namespace {

// A gateway that logs mappings: a create and a delete each.
struct Records final : RecordSource {
  std::uint64_t next = 0;
  std::uint64_t end;
  std::uint64_t consumed = 0;
  std::uint64_t tai_ns;
  Records(std::uint64_t end, std::uint64_t tai_ns) : end(end), tai_ns(tai_ns) {}

  std::size_t read(const std::function<void(const event_record&)>& each, std::size_t at_most) override {
    std::size_t count = 0;
    event_record record{};
    record.version = EVENT_RECORD_VERSION;
    record.protocol = 6;
    record.internal_port = htons(5000);
    for (; next < end && count < at_most; ++next, ++count) {
      record.type = next % 2 ? EVENT_MAPPING_DELETED : EVENT_MAPPING_CREATED;
      record.seq = next;
      record.monotonic_ns = next * 1'000;
      record.tai_ns = tai_ns + next * 1'000;
      record.created_at_ns = record.tai_ns - 300'000'000'000;
      record.subscriber = record.internal_address = htonl(0x64400000 + static_cast<std::uint32_t>(next % 65'536));
      record.external_address = htonl(0xcb007100 + static_cast<std::uint32_t>(next % 64));
      record.external_port = htons(static_cast<std::uint16_t>(1'024 + next % 60'000));
      each(record);
    }
    return count;
  }
  void release() override {}
  bool is_crowded() const override { return false; }
  std::uint64_t take_seq() override { return next++; }
  std::uint64_t settled_seq() override { return 0; }
  std::uint64_t consumed_seq() const override { return consumed; }
  void set_consumed_seq(std::uint64_t below) override { consumed = below; }
};

struct Names final : Facts {
  bool logs_destinations(std::uint16_t) const override { return false; }
  std::string pool_name(std::uint16_t) const override { return "residential"; }
  Prefix subscriber_of(std::uint16_t, Ip4 address) const override { return Prefix(address, 32); }
  std::vector<PortRange> ports_of(std::uint16_t, struct slot_range slots) const override {
    return {{slots.first, slots.last}};
  }
  std::string interface_name(std::uint16_t) const override { return "eth0"; }
};

// A receiver that is always there and costs nothing: what is measured is the way to it.
struct Nowhere final : Transport {
  Pace pace() const override { return {}; }
  Result<void> send(std::span<const SpoolRecord>) override { return {}; }
  Result<void> confirm() override { return {}; }
  void close() override {}
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int measure(const std::string& what, std::uint64_t events, std::unique_ptr<Sink> sink) {
  const SystemClock clock;
  Records records(events, clock.to_tai(clock.realtime()));
  const Names names;
  FanOut sinks;
  Followers followers("cgn1");
  sinks.add(std::move(sink));
  Pump pump(records, names, clock, sinks, followers,
            [](const std::string&, const std::string& says) { fmt::print(stderr, "{}\n", says); });
  const auto begun = SteadyClock::now();
  const double cpu = cpu_seconds();
  while (records.next < records.end || sinks.figures()[0].sink.waiting > 0) (void)pump.turn();
  const double took = std::chrono::duration<double>(SteadyClock::now() - begun).count();
  const double cpu_took = cpu_seconds() - cpu;
  const FanOut::Figures figures = sinks.figures()[0];
  fmt::print("{:<28} {:>9.0f} events/s, {:>5.0f} ns of processor an event\n", what, static_cast<double>(events) / took,
             1e9 * cpu_took / static_cast<double>(events));
  return figures.sink.written == events && figures.lost == 0 ? 0 : 1;
}

std::unique_ptr<Sink> spooled(const std::filesystem::path& folder, const std::string& name, Encoder encoder) {
  SpooledSink::Settings settings;
  settings.name = name;
  settings.node = "cgn1";
  settings.folder = folder / name;
  return std::move(
      *SpooledSink::open(settings, std::move(encoder), [](const Interrupt&) { return std::make_unique<Nowhere>(); }));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("events a second from ring records to a sink, on one core but for the spool's reading thread");
  std::uint64_t events = 2'000'000;
  std::filesystem::path folder = std::filesystem::temp_directory_path();
  app.add_option("--events", events, "how many");
  app.add_option("--folder", folder, "where the files go");
  CLI11_PARSE(app, argc, argv);
  folder /= fmt::format("bench-events-{}", ::getpid());
  std::filesystem::create_directories(folder);
  const auto file = [&](const char* name, JsonFormat format) {
    return std::move(*FileSink::open({.path = folder / name, .node = "cgn1", .encoder = json_encoder(format)}));
  };
  int failed = measure("file, apnat", events, file("apnat.jsonl", JsonFormat::kApnat));
  failed += measure("file, ecs", events, file("ecs.jsonl", JsonFormat::kEcs));
  failed += measure("spool and thread, apnat", events, spooled(folder, "json", json_encoder(JsonFormat::kApnat)));
  failed += measure("spool and thread, ipfix", events, spooled(folder, "ipfix", ipfix_encoder()));
  std::filesystem::remove_all(folder);
  return failed;
}
