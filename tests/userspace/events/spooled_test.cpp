// spooled_test.cpp - a receiver that fails, hangs, dies and comes back; the agent's thread never waits for it.
#include "events/sinks/spooled.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <set>

#include "events/fan_out.h"
#include "events/sinks/stream.h"
#include "samples.h"
#include "temp_folder.h"

using namespace apnat;
using namespace apnat::test;
using namespace std::chrono_literals;

namespace {

// What a scripted receiver does, and what it has got.
struct Script {
  std::mutex mutex;
  std::vector<std::uint64_t> sent;       // not confirmed
  std::vector<std::uint64_t> confirmed;  // in its order, with repetitions
  bool away = false;
  bool confirms = true;
  bool hangs = false;
  std::size_t attempts = 0;
  std::vector<std::chrono::steady_clock::time_point> failures;

  std::vector<std::uint64_t> got() {
    std::lock_guard lock(mutex);
    return confirmed;
  }
};

class ScriptedTransport final : public Transport {
 public:
  ScriptedTransport(Script& script, const Interrupt& interrupt) : script_(script), interrupt_(interrupt) {}
  Pace pace() const override { return {.records = 100, .age = 20ms}; }
  Result<void> send(std::span<const SpoolRecord> records) override {
    while (is_hanging() && !interrupt_.is_due()) std::this_thread::sleep_for(1ms);
    std::lock_guard lock(script_.mutex);
    ++script_.attempts;
    if (script_.away) {
      script_.failures.push_back(std::chrono::steady_clock::now());
      return fail(ECONNREFUSED, "connect");
    }
    for (const SpoolRecord& record : records) script_.sent.push_back(record.seq);
    return {};
  }
  Result<void> confirm() override {
    std::lock_guard lock(script_.mutex);
    if (script_.away || !script_.confirms) return fail("nobody confirms");
    script_.confirmed.insert(script_.confirmed.end(), script_.sent.begin(), script_.sent.end());
    script_.sent.clear();
    return {};
  }
  void close() override {
    std::lock_guard lock(script_.mutex);
    script_.sent.clear();
  }

 private:
  bool is_hanging() {
    std::lock_guard lock(script_.mutex);
    return script_.hangs;
  }
  Script& script_;
  const Interrupt& interrupt_;
};

Event numbered(std::uint64_t seq) { return {seq, kTime, 0, AgentStopped{"n"}, {}}; }

SpooledSink::Settings settings_in(const std::filesystem::path& folder) {
  SpooledSink::Settings settings;
  settings.name = "scripted";
  settings.node = "cgn1";
  settings.folder = folder / "spool";
  settings.limits = {.bytes = 1 << 20, .segment_bytes = 0};
  settings.first_backoff = 2ms;
  settings.longest_backoff = 20ms;
  settings.grace = 50ms;
  return settings;
}

std::unique_ptr<SpooledSink> open(const SpooledSink::Settings& settings, Script& script) {
  auto sink = SpooledSink::open(settings, json_encoder(JsonFormat::kApnat), [&script](const Interrupt& interrupt) {
    return std::make_unique<ScriptedTransport>(script, interrupt);
  });
  REQUIRE(sink);
  return std::move(*sink);
}

std::unique_ptr<SpooledSink> open_stream(const SpooledSink::Settings& settings, const StreamTarget& target) {
  auto sink = SpooledSink::open(settings, json_encoder(JsonFormat::kApnat), [target](const Interrupt& interrupt) {
    return target.is_datagram ? datagram_transport(target, interrupt)
                              : stream_transport(target, Framing::kLine, interrupt);
  });
  REQUIRE(sink);
  return std::move(*sink);
}

template <typename Condition>
bool within_seconds(int seconds, Condition condition) {
  for (int i = 0; i < seconds * 200; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

bool is_done(SpooledSink& sink) {
  (void)sink.flush();
  return sink.figures().waiting == 0;
}

std::vector<std::uint64_t> range(std::uint64_t count) {
  std::vector<std::uint64_t> seqs(count);
  for (std::uint64_t i = 0; i < count; ++i) seqs[i] = i;
  return seqs;
}

// A receiver on a unix socket that can die with what it has not read.
class UnixReceiver {
 public:
  explicit UnixReceiver(std::filesystem::path path, int type = SOCK_STREAM) : path_(std::move(path)) {
    ::unlink(path_.c_str());
    listener_.reset(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    if (type == SOCK_STREAM) REQUIRE(::listen(listener_.get(), 8) == 0);
  }
  int fd() const { return listener_.get(); }

  // Reads until `bytes` are there, or the connection ends; then goes on, or dies with the rest unread.
  std::string accept_and_read(std::size_t bytes, bool dies) {
    pollfd ready{.fd = listener_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 5'000) <= 0) return {};
    UniqueFd connection(::accept(listener_.get(), nullptr, nullptr));
    std::string got;
    char buffer[4096];
    while (got.size() < bytes || !dies) {
      const ssize_t n = ::recv(connection.get(), buffer, sizeof(buffer), 0);
      if (n <= 0) break;
      got.append(buffer, static_cast<std::size_t>(n));
    }
    return got;
  }

 private:
  std::filesystem::path path_;
  UniqueFd listener_;
};

std::set<std::uint64_t> seqs_in(const std::string& lines) {
  std::set<std::uint64_t> seqs;
  for (std::size_t at = 0; (at = lines.find("{\"seq\":", at)) != lines.npos; ++at) {
    if (lines.find('\n', at) != lines.npos) seqs.insert(std::stoull(lines.substr(at + 7, 20)));
  }
  return seqs;
}

}  // namespace

TEST_CASE("events reach a receiver in order, and the figures say so") {
  TempFolder temp;
  Script script;
  auto sink = open(settings_in(temp.path), script);
  for (std::uint64_t seq = 0; seq < 5'000; ++seq) REQUIRE(sink->accept(numbered(seq)));
  CHECK(sink->figures().waiting == 5'000);
  REQUIRE(sink->flush());
  REQUIRE(within_seconds(10, [&] { return is_done(*sink); }));
  CHECK(script.got() == range(5'000));
  CHECK(sink->figures().written == 5'000);
  CHECK(sink->figures().error.empty());
}

TEST_CASE("a receiver that is away is tried again, ever less often; then it gets all, in order") {
  TempFolder temp;
  Script script;
  script.away = true;
  auto sink = open(settings_in(temp.path), script);
  for (std::uint64_t seq = 0; seq < 1'000; ++seq) REQUIRE(sink->accept(numbered(seq)));
  REQUIRE(sink->flush());
  REQUIRE(within_seconds(10, [&] {
    (void)sink->flush();
    return sink->figures().errors >= 8;
  }));
  CHECK(sink->figures().error == "connect: Connection refused");
  CHECK(sink->figures().waiting == 1'000);
  CHECK(sink->figures().retries >= 8);
  CHECK(sink->figures().oldest_waiting == kTime);
  CHECK(sink->figures().spool_bytes > 0);
  {
    std::lock_guard lock(script.mutex);
    const auto first_pause = script.failures[1] - script.failures[0];
    const auto late_pause = script.failures[7] - script.failures[6];
    CHECK(first_pause < 15ms);
    CHECK(late_pause >= 10ms);
    script.away = false;
  }
  REQUIRE(within_seconds(10, [&] { return is_done(*sink); }));
  CHECK(script.got() == range(1'000));
  CHECK(sink->figures().error.empty());
}

TEST_CASE("two collectors get the same events in the same order, each at its own time, over a restart", "[LOG-11]") {
  TempFolder temp;
  Script one;
  Script other;
  other.away = true;
  const auto settings_of = [&](const char* name) {
    SpooledSink::Settings settings = settings_in(temp.path);
    settings.name = name;
    settings.folder = temp.path / name;
    return settings;
  };
  const auto no_report = [](const std::string&, const std::string&) {};
  for (const std::uint64_t run : {0, 1}) {
    FanOut fan;
    fan.add(open(settings_of("one"), one));
    fan.add(open(settings_of("other"), other));
    for (std::uint64_t seq = 0; seq < 500; ++seq) fan.accept(numbered(500 * run + seq));
    REQUIRE(fan.flush(no_report));
    const auto has_all = [&](Script& script) { return script.got().size() >= 500 * (run + 1); };
    REQUIRE(within_seconds(10, [&] { return has_all(one); }));
    if (run == 1) {
      CHECK(other.got().empty());
      {
        std::lock_guard lock(other.mutex);
        other.away = false;
      }
      REQUIRE(within_seconds(10, [&] { return has_all(other); }));
    }
  }
  CHECK(one.got() == range(1'000));
  CHECK(other.got() == range(1'000));
}

TEST_CASE("what has not come as far as the spool is counted as waiting, too", "[LOG-6]") {
  TempFolder temp;
  Script script;
  auto sink = open(settings_in(temp.path), script);
  CHECK(sink->figures().waiting == 0);
  CHECK(sink->figures().oldest_waiting == WallTime{});
  REQUIRE(sink->accept({1, kTime + 5s, 0, AgentStopped{"n"}, {}}));  // and no flush: the history's disk is full
  REQUIRE(sink->accept({2, kTime + 6s, 0, AgentStopped{"n"}, {}}));
  CHECK(sink->figures().waiting == 2);
  CHECK(sink->figures().oldest_waiting == kTime + 5s);
  REQUIRE(sink->flush());
  REQUIRE(within_seconds(10, [&] {
    sink->look();
    return sink->figures().written == 2;
  }));
  CHECK(sink->figures().waiting == 0);
}

TEST_CASE("what nobody confirmed is sent again, so nothing is lost; a copy has the same seq") {
  TempFolder temp;
  Script script;
  script.confirms = false;
  auto sink = open(settings_in(temp.path), script);
  for (std::uint64_t seq = 0; seq < 300; ++seq) REQUIRE(sink->accept(numbered(seq)));
  REQUIRE(sink->flush());
  REQUIRE(within_seconds(10, [&] {
    (void)sink->flush();
    return sink->figures().retries >= 2;
  }));
  {
    std::lock_guard lock(script.mutex);
    CHECK(script.confirmed.empty());
    script.confirms = true;
  }
  REQUIRE(within_seconds(10, [&] { return is_done(*sink); }));
  CHECK(script.got() == range(300));
}

TEST_CASE("an agent that is killed with its receiver away leaves everything to the next") {
  TempFolder temp;
  Script script;
  script.away = true;
  for (std::uint64_t life = 0; life < 3; ++life) {
    auto sink = open(settings_in(temp.path), script);
    CHECK(sink->figures().waiting == life * 100);
    for (std::uint64_t i = 0; i < 100; ++i) REQUIRE(sink->accept(numbered(life * 100 + i)));
    REQUIRE(sink->flush());
  }
  script.away = false;
  auto sink = open(settings_in(temp.path), script);
  REQUIRE(within_seconds(10, [&] { return is_done(*sink); }));
  CHECK(script.got() == range(300));
}

TEST_CASE("a receiver that hangs never holds up the agent, and is left within the grace", "[LOG-6]") {
  TempFolder temp;
  Script script;
  script.hangs = true;
  auto sink = open(settings_in(temp.path), script);
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t seq = 0; seq < 1'000; ++seq) {
    REQUIRE(sink->accept(numbered(seq)));
    REQUIRE(sink->flush());
  }
  sink.reset();
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
}

TEST_CASE("a full spool pushes back by default, and loses countably where the operator wants that", "[LOG-6]") {
  TempFolder temp;
  Script script;
  script.away = true;
  auto settings = settings_in(temp.path);
  settings.limits.bytes = 3 << 20;
  SECTION("refuse: flush fails, room is gone, nothing is lost") {
    auto sink = open(settings, script);
    std::uint64_t seq = 0;
    while (sink->accept(numbered(seq))) {
      ++seq;
      if (seq % 100 == 0) (void)sink->flush();
    }
    CHECK(sink->room() == 0);
    const auto flushed = sink->flush();
    REQUIRE_FALSE(flushed);
    CHECK(flushed.error().code == ENOSPC);
    script.away = false;
    REQUIRE(within_seconds(20, [&] { return is_done(*sink); }));
    CHECK(script.got() == range(seq));
  }
  SECTION("continue: what found no place is a gap") {
    settings.lose_when_full = true;
    FanOut fan;
    fan.add(open(settings, script));
    const auto no_report = [](const std::string&, const std::string&) {};
    for (std::uint64_t seq = 0; seq < 100'000; ++seq) {
      fan.accept(numbered(seq));
      if (seq % 1'000 == 0) CHECK(fan.flush(no_report));
    }
    CHECK(fan.room() > 0);
    const std::uint64_t lost = fan.figures()[0].lost;
    CHECK(lost > 10'000);
    script.away = false;
    // And the gap, which is told once there is room: nothing waits for a moment before that.
    const std::size_t told = 100'000 - lost + 1;
    REQUIRE(within_seconds(20, [&] { return fan.flush(no_report) && script.got().size() >= told; }));
    CHECK(script.got().size() == told);
  }
}

TEST_CASE("a receiver that dies with bytes unread gets them again from its successor") {
  TempFolder temp;
  auto settings = settings_in(temp.path);
  StreamTarget target;
  target.unix_path = temp.path / "receiver";
  UnixReceiver receiver(target.unix_path);
  auto sink = open_stream(settings, target);
  for (std::uint64_t seq = 0; seq < 2'000; ++seq) REQUIRE(sink->accept(numbered(seq)));
  REQUIRE(sink->flush());
  const std::string first = receiver.accept_and_read(10'000, true);
  CHECK(seqs_in(first).size() < 2'000);
  std::string all = first.substr(0, first.rfind('\n') + 1);
  for (int life = 0; life < 3 && !is_done(*sink); ++life) {
    all += receiver.accept_and_read(1'000'000'000, false);
    within_seconds(1, [&] { return is_done(*sink); });
  }
  CHECK(is_done(*sink));
  CHECK(seqs_in(all).size() == 2'000);
}

TEST_CASE("datagrams to a unix socket arrive one an event") {
  TempFolder temp;
  StreamTarget target;
  target.unix_path = temp.path / "receiver";
  target.is_datagram = true;
  UnixReceiver receiver(target.unix_path, SOCK_DGRAM);
  auto sink = open_stream(settings_in(temp.path), target);
  for (std::uint64_t seq = 0; seq < 500; ++seq) REQUIRE(sink->accept(numbered(seq)));
  REQUIRE(sink->flush());
  char buffer[4096];
  for (std::uint64_t seq = 0; seq < 500; ++seq) {
    const ssize_t n = ::recv(receiver.fd(), buffer, sizeof(buffer), 0);
    REQUIRE(n > 0);
    CHECK(std::string_view(buffer, static_cast<std::size_t>(n)).starts_with("{\"seq\":" + std::to_string(seq) + ","));
  }
  CHECK(within_seconds(5, [&] { return is_done(*sink); }));
}
