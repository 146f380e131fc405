// pump_test.cpp - written first, released after, whatever happens in between.
#include "events/pump.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>

#include "samples.h"

using namespace apnat;
using namespace apnat::test;
using namespace std::chrono_literals;

namespace {

struct FakeRing final : RecordSource {
  std::deque<event_record> records;  // not released
  std::size_t position = 0;          // of them, read
  std::uint64_t next = 0;
  std::uint64_t consumed = 0;
  std::uint64_t settled = 0;
  bool crowded = false;

  void write(std::uint64_t seq) {
    event_record record{};
    record.type = EVENT_POOL_EXHAUSTED;
    record.version = EVENT_RECORD_VERSION;
    record.seq = seq;
    records.push_back(record);
    next = std::max(next, seq + 1);
  }
  std::size_t read(const std::function<void(const event_record&)>& each, std::size_t at_most) override {
    std::size_t count = 0;
    for (; position < records.size() && count < at_most; ++count) each(records[position++]);
    return count;
  }
  void release() override {
    records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(position));
    position = 0;
  }
  bool is_crowded() const override { return crowded; }
  std::uint64_t take_seq() override { return next++; }
  std::uint64_t settled_seq() override { return settled; }
  std::uint64_t consumed_seq() const override { return consumed; }
  void set_consumed_seq(std::uint64_t below) override { consumed = below; }
};

struct NoFacts final : Facts {
  bool logs_destinations(std::uint16_t) const override { return false; }
  std::string pool_name(std::uint16_t) const override { return "residential"; }
  Prefix subscriber_of(std::uint16_t, Ip4 address) const override { return Prefix(address, 32); }
  std::vector<PortRange> ports_of(std::uint16_t, struct slot_range) const override { return {}; }
  std::string interface_name(std::uint16_t) const override { return "eth0"; }
};

struct Disk final : Sink {
  std::vector<std::uint64_t>& written;
  std::vector<std::uint64_t> queue;
  std::size_t limit = 100'000;
  bool full = false;
  explicit Disk(std::vector<std::uint64_t>& written) : written(written) {}
  bool accept(const Event& event) override {
    if (queue.size() == limit) return false;
    queue.push_back(event.seq);
    return true;
  }
  Result<void> flush() override {
    if (full) return fail(ENOSPC, "write events");
    written.insert(written.end(), queue.begin(), queue.end());
    queue.clear();
    return {};
  }
  std::size_t room() const override { return limit - queue.size(); }
  void rename(const std::string&) override {}
  SinkFigures figures() const override { return {"disk", written.size(), queue.size(), ""}; }
};

struct Fixture {
  FakeRing ring;
  NoFacts facts;
  HandWoundClock clock;
  FanOut sinks;
  Followers followers{"cgn1"};
  std::vector<std::uint64_t> written;
  Disk* disk;
  std::unique_ptr<Pump> pump;

  Fixture() {
    auto sink = std::make_unique<Disk>(written);
    disk = sink.get();
    sinks.add(std::move(sink));
    start();
  }
  void start() {
    pump = std::make_unique<Pump>(ring, facts, clock, sinks, followers, [](const std::string&, const std::string&) {});
  }
};

}  // namespace

TEST_CASE("records are written, then their room is given back") {
  Fixture agent;
  for (std::uint64_t seq = 0; seq < 10'000; ++seq) agent.ring.write(seq);
  CHECK(agent.pump->turn());
  CHECK(agent.written.size() == 10'000);
  CHECK(agent.ring.records.empty());
  CHECK(agent.ring.consumed == 10'000);
}

TEST_CASE("what the disk refuses stays in the ring, and arrives once when it accepts again", "[LOG-6]") {
  Fixture agent;
  agent.disk->full = true;
  for (std::uint64_t seq = 0; seq < 100; ++seq) agent.ring.write(seq);
  CHECK_FALSE(agent.pump->turn());
  CHECK_FALSE(agent.pump->turn());
  CHECK(agent.ring.records.size() == 100);
  CHECK(agent.ring.consumed == 0);

  agent.disk->full = false;
  CHECK(agent.pump->turn());
  CHECK(agent.written.size() == 100);
  CHECK(agent.ring.records.empty());
  CHECK(agent.ring.consumed == 100);
}

TEST_CASE("an agent that was killed before it could write leaves everything to the next") {
  Fixture agent;
  agent.disk->full = true;
  for (std::uint64_t seq = 0; seq < 100; ++seq) agent.ring.write(seq);
  CHECK_FALSE(agent.pump->turn());
  agent.disk->queue.clear();  // its memory is gone
  agent.disk->full = false;
  agent.ring.position = 0;  // the next one reads from where nothing was released
  agent.start();
  CHECK(agent.pump->turn());
  CHECK(agent.written.size() == 100);
}

TEST_CASE("a sink whose queue is full stops the reading, and no event is lost") {
  Fixture agent;
  agent.disk->full = true;
  agent.disk->limit = 50;
  for (std::uint64_t seq = 0; seq < 1'000; ++seq) agent.ring.write(seq);
  for (int i = 0; i < 20; ++i) CHECK_FALSE(agent.pump->turn());
  CHECK(agent.ring.records.size() == 1'000);
  agent.disk->full = false;
  while (!agent.ring.records.empty()) (void)agent.pump->turn();
  CHECK(agent.written.size() == 1'000);
  CHECK(agent.sinks.figures()[0].lost == 0);
}

TEST_CASE("the agent's own events take their place among the data plane's") {
  Fixture agent;
  agent.ring.write(0);
  agent.ring.write(1);
  agent.pump->tell(AgentStarted{"0.1.0", true, 5});  // 2: told before 0 and 1 are read
  CHECK(agent.pump->held() == 1);
  CHECK(agent.pump->turn());
  CHECK(agent.written == std::vector<std::uint64_t>{0, 1, 2});
  CHECK(agent.ring.consumed == 3);
}

TEST_CASE("while a number is missing the ring is kept; a crowded ring does not wait for it") {
  Fixture agent;
  agent.ring.write(0);
  agent.ring.write(2);
  CHECK_FALSE(agent.pump->turn());
  CHECK(agent.written == std::vector<std::uint64_t>{0});
  CHECK(agent.ring.consumed == 1);
  CHECK(agent.ring.records.size() == 2);

  SECTION("a second later it is a gap") {
    agent.clock.advance(1s);
    CHECK(agent.pump->turn());
    CHECK(agent.written == std::vector<std::uint64_t>{0, 1, 2});  // 1: the gap's own line
    CHECK(agent.pump->lost() == 1);
  }
  SECTION("a crowded ring") {
    agent.ring.crowded = true;
    CHECK(agent.pump->turn());
    CHECK(agent.ring.records.empty());
  }
  SECTION("it comes after all") {
    agent.ring.write(1);
    CHECK(agent.pump->turn());
    CHECK(agent.written == std::vector<std::uint64_t>{0, 1, 2});
    CHECK(agent.pump->lost() == 0);
  }
}

TEST_CASE("what is not read yet is not missing: the agent's own events behind a long, crowded ring make no gap",
          "[LOG-1]") {
  Fixture agent;
  agent.disk->limit = 1'000'000;
  constexpr std::uint64_t kRecords = 150'000;  // more than one turn takes
  for (std::uint64_t seq = 0; seq < kRecords; ++seq) agent.ring.write(seq);
  agent.ring.crowded = true;
  agent.pump->tell(AgentStopped{"behind them all"});
  CHECK(agent.pump->turn());
  CHECK_FALSE(agent.pump->is_level());
  agent.clock.advance(5s);  // a slow disk
  while (!agent.pump->is_level()) CHECK(agent.pump->turn());
  CHECK(agent.pump->lost() == 0);
  CHECK(agent.written.size() == kRecords + 1);
  CHECK(std::ranges::is_sorted(agent.written));
  CHECK(agent.ring.records.empty());
}

TEST_CASE("whoever tells very much is asked to let the ring be read in between") {
  Fixture agent;
  agent.ring.write(0);
  std::uint64_t told = 0;
  for (; agent.pump->may_tell() && told < 100'000; ++told) agent.pump->tell(AgentStopped{"one of many"});
  CHECK(told < 100'000);
  CHECK(agent.pump->turn());
  CHECK(agent.pump->may_tell());
  CHECK(agent.written.size() == told + 1);
}

TEST_CASE("a wall clock that is stepped back changes neither the order nor what lies between two events", "[LOG-2]") {
  struct Kept final : Sink {
    std::vector<Event>& got;
    explicit Kept(std::vector<Event>& got) : got(got) {}
    bool accept(const Event& event) override { return got.push_back(event), true; }
    Result<void> flush() override { return {}; }
    std::size_t room() const override { return 1'000; }
    void rename(const std::string&) override {}
    SinkFigures figures() const override { return {"kept", got.size(), 0, ""}; }
  };
  std::vector<Event> got;
  Fixture agent;
  agent.sinks.add(std::make_unique<Kept>(got));
  agent.pump->tell(AgentStopped{"before"});
  agent.clock.advance(2s);
  agent.clock.set_realtime(agent.clock.realtime() - std::chrono::hours(1));
  agent.clock.set_clock_error(Clock::kUndisciplined);
  agent.pump->tell(AgentStopped{"after"});
  CHECK(agent.pump->turn());

  REQUIRE(got.size() == 2);
  CHECK(got[0].seq + 1 == got[1].seq);
  CHECK(got[1].time < got[0].time);
  CHECK(got[1].monotonic_ns - got[0].monotonic_ns == 2'000'000'000u);
  CHECK(got[0].clock_error < Clock::kUndisciplined);
  CHECK(got[1].clock_error == Clock::kUndisciplined);
}

TEST_CASE("no sink writes an event before the first one has it on disk, and the ring keeps it", "[LOG-6]") {
  Fixture agent;
  std::vector<std::uint64_t> recorded;
  auto first = std::make_unique<Disk>(recorded);
  Disk* history = first.get();
  agent.sinks.add_first(std::move(first));
  history->full = true;
  for (std::uint64_t seq = 0; seq < 100; ++seq) agent.ring.write(seq);
  CHECK_FALSE(agent.pump->turn());
  CHECK(agent.written.empty());
  CHECK(agent.ring.records.size() == 100);
  history->full = false;
  CHECK(agent.pump->turn());
  CHECK(recorded.size() == 100);
  CHECK(agent.written == recorded);
  CHECK(agent.ring.records.empty());
  agent.sinks.keep_only({});
  CHECK(agent.sinks.figures().size() == 1);
}

TEST_CASE("an agent does not wait for the numbers that a dead one took", "[LOG-6]") {
  Fixture agent;
  agent.ring.write(7);  // 0 to 6 were an agent's own, and it was killed
  agent.ring.settled = 8;
  agent.start();
  CHECK(agent.pump->turn());
  CHECK(agent.written == std::vector<std::uint64_t>{0, 7});  // the gap, and the event
  CHECK(agent.ring.records.empty());
  CHECK(agent.ring.consumed == 8);

  // One that was taken since is waited for, as always.
  agent.ring.write(10);
  CHECK_FALSE(agent.pump->turn());
  CHECK(agent.ring.records.size() == 1);
}

TEST_CASE("a number is not missing while its record may still be in the ring", "[LOG-6]") {
  Fixture agent;
  agent.disk->limit = 100;  // little is read at once
  agent.ring.crowded = true;
  for (std::uint64_t seq = 0; seq < 5'000; ++seq) agent.ring.write(seq);
  agent.pump->tell(AgentStopped{"behind all of them"});
  for (int turns = 0; turns < 300 && !agent.ring.records.empty(); ++turns) {
    agent.clock.advance(2s);
    agent.pump->turn();
  }
  CHECK(agent.pump->lost() == 0);
  CHECK(agent.written.size() == 5'001);
  CHECK(std::ranges::is_sorted(agent.written));
}

TEST_CASE("more records behind a missing number than the sinks have room for: the stream goes on", "[LOG-6]") {
  Fixture agent;
  agent.disk->limit = 100;
  for (std::uint64_t seq = 1; seq < 1'000; ++seq) agent.ring.write(seq);  // 0 never comes
  for (int turns = 0; turns < 100 && !agent.ring.records.empty(); ++turns) {
    agent.clock.advance(2s);
    agent.pump->turn();
  }
  CHECK(agent.pump->lost() == 1);
  CHECK(agent.written.size() == 1'000);  // the gap, and all the others
  CHECK(std::ranges::is_sorted(agent.written));
}
