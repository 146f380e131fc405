// sinks_test.cpp - sinks that fail, fill up and come back.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "events/fan_out.h"
#include "events/follow.h"
#include "events/json.h"
#include "events/sinks/file.h"
#include "events/sinks/line_queue.h"
#include "events/sinks/stdout.h"
#include "samples.h"
#include "temp_folder.h"

using namespace apnat;
using namespace apnat::test;
using namespace std::chrono_literals;

namespace {

std::vector<nlohmann::json> lines_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

Event numbered(std::uint64_t seq) { return {seq, kTime, 0, AgentStopped{"n"}, {}}; }

Event at(WallTime time) { return {0, time, 0, AgentStopped{"n"}, {}}; }

// Room for so many, written only when told.
struct SmallSink final : Sink {
  std::vector<Event>& got;
  std::size_t limit;
  std::vector<Event> queue;
  bool broken = false;
  int looks = 0;
  SmallSink(std::vector<Event>& got, std::size_t limit) : got(got), limit(limit) {}
  bool accept(const Event& event) override {
    if (queue.size() == limit) return false;
    queue.push_back(event);
    return true;
  }
  Result<void> flush() override {
    if (broken) return fail(ENOSPC, "write");
    got.insert(got.end(), queue.begin(), queue.end());
    queue.clear();
    return {};
  }
  std::size_t room() const override { return limit - queue.size(); }
  void rename(const std::string&) override {}
  void look() override { ++looks; }
  SinkFigures figures() const override { return {"small", got.size(), queue.size(), broken ? "no space" : ""}; }
};

const auto kNoReport = [](const std::string&, const std::string&) {};

}  // namespace

TEST_CASE("a line queue goes on in the middle of a line, and never repeats a byte") {
  LineQueue queue(10);
  REQUIRE(queue.add("first", kTime));
  REQUIRE(queue.add("second", kTime + 1s));
  std::string out;
  int turns = 0;
  const LineQueue::Write stuttering = [&](std::string_view bytes) -> ssize_t {
    if (++turns % 2 == 0) {
      errno = ENOSPC;
      return -1;
    }
    out += bytes.substr(0, 4);
    return static_cast<ssize_t>(std::min<std::size_t>(4, bytes.size()));
  };
  while (!queue.drain(stuttering)) {
  }
  CHECK(out == "first\nsecond\n");
  CHECK(queue.written() == 2);
  CHECK(queue.lines() == 0);
}

TEST_CASE("a line that was half written begins again in a new file") {
  LineQueue queue(10);
  REQUIRE(queue.add("first", kTime));
  REQUIRE(queue.add("second", kTime + 1s));
  int turns = 0;
  const LineQueue::Write once = [&](std::string_view) -> ssize_t {
    if (turns++ == 0) return 9;  // "first\n" and "sec"
    errno = ENOSPC;
    return -1;
  };
  REQUIRE_FALSE(queue.drain(once));
  queue.restart_line();
  std::string out;
  REQUIRE(queue.drain([&](std::string_view bytes) -> ssize_t {
    out += bytes;
    return static_cast<ssize_t>(bytes.size());
  }));
  CHECK(out == "second\n");
}

TEST_CASE("a file sink appends, with mode 0640, and makes its directory") {
  TempFolder temp;
  const auto path = temp.path / "log" / "events.jsonl";
  ::umask(022);
  auto sink = FileSink::open({.path = path, .node = "cgn1"});
  REQUIRE(sink);
  for (const Event& event : every_event()) REQUIRE((*sink)->accept(event));
  CHECK((*sink)->figures().waiting == every_event().size());
  REQUIRE((*sink)->flush());
  CHECK(lines_of(path).size() == every_event().size());
  CHECK((*sink)->figures().written == every_event().size());
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
}

TEST_CASE("a rotated file is left, a new one begun") {
  TempFolder temp;
  const auto path = temp.path / "events.jsonl";
  auto sink = *FileSink::open({.path = path, .node = "cgn1"});
  sink->accept(numbered(1));
  REQUIRE(sink->flush());
  std::filesystem::rename(path, temp.path / "events.1");
  sink->accept(numbered(2));
  REQUIRE(sink->reopen());
  REQUIRE(sink->flush());
  CHECK(lines_of(temp.path / "events.1").size() == 1);
  CHECK(lines_of(path).at(0)["seq"] == 2);
}

TEST_CASE("a line cut by a crash is not glued to the next") {
  TempFolder temp;
  const auto path = temp.path / "events.jsonl";
  std::ofstream(path) << "{\"seq\":1";
  auto sink = *FileSink::open({.path = path, .node = "cgn1"});
  sink->accept(numbered(2));
  REQUIRE(sink->flush());
  std::ifstream in(path);
  std::string first;
  std::string second;
  std::getline(in, first);
  std::getline(in, second);
  CHECK(first == "{\"seq\":1");
  CHECK(nlohmann::json::parse(second)["seq"] == 2);
}

TEST_CASE("a disk that is full loses nothing: the events wait, and are written when there is room", "[LOG-6]") {
  auto sink = FileSink::open({.path = "/dev/full", .node = "cgn1", .most_waiting = 3});
  REQUIRE(sink);
  CHECK((*sink)->accept(numbered(1)));
  CHECK((*sink)->accept(numbered(2)));
  auto flushed = (*sink)->flush();
  REQUIRE_FALSE(flushed);
  CHECK(flushed.error().text == "write events: No space left on device");
  CHECK((*sink)->figures().waiting == 2);
  CHECK((*sink)->figures().written == 0);
  CHECK((*sink)->figures().error == "write events: No space left on device");
  CHECK((*sink)->room() == 1);
  CHECK((*sink)->accept(numbered(3)));
  CHECK_FALSE((*sink)->accept(numbered(4)));
}

TEST_CASE("what waits for a disk or a reader says since when, and how often it was tried", "[LOG-6]") {
  auto file = *FileSink::open({.path = "/dev/full", .node = "cgn1"});
  CHECK(file->figures().oldest_waiting == WallTime{});
  REQUIRE(file->accept(at(kTime + 1s)));
  REQUIRE(file->accept(at(kTime + 2s)));
  CHECK(file->figures().oldest_waiting == kTime + 1s);
  CHECK(file->figures().errors == 0);
  REQUIRE_FALSE(file->flush());
  REQUIRE_FALSE(file->flush());
  CHECK(file->figures().oldest_waiting == kTime + 1s);
  CHECK(file->figures().errors == 2);
  CHECK(file->figures().retries == 1);

  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  StdoutSink sink("cgn1", json_encoder(JsonFormat::kApnat), writer.get());
  for (int i = 0; i < 2'000; ++i) REQUIRE(sink.accept(at(kTime + std::chrono::seconds(i))));
  REQUIRE_FALSE(sink.flush());
  const SinkFigures stuck = sink.figures();
  CHECK(stuck.oldest_waiting == kTime + std::chrono::seconds(stuck.written));  // one a second, in order
  CHECK(stuck.errors == 1);
  char buffer[65536];
  while (!sink.flush()) REQUIRE(::read(reader.get(), buffer, sizeof(buffer)) > 0);
  CHECK(sink.figures().waiting == 0);
  CHECK(sink.figures().oldest_waiting == WallTime{});
  CHECK(sink.figures().retries >= 1);
  REQUIRE(sink.accept(at(kTime + 1h)));
  CHECK(sink.figures().oldest_waiting == kTime + 1h);
}

TEST_CASE("a file that has grown large is left for a new one, so many are kept, and no line is lost on the way") {
  TempFolder temp;
  const auto path = temp.path / "events.jsonl";
  auto sink = *FileSink::open({.path = path, .node = "cgn1", .rotate_size = 1'000, .rotate_keep = 2});
  for (std::uint64_t seq = 0; seq < 100; ++seq) {
    REQUIRE(sink->accept(numbered(seq)));
    REQUIRE(sink->flush());
  }
  const auto newest = lines_of(path.string() + ".1");
  const auto oldest = lines_of(path.string() + ".2");
  CHECK_FALSE(std::filesystem::exists(path.string() + ".3"));
  CHECK(std::filesystem::file_size(path.string() + ".1") >= 1'000);
  REQUIRE_FALSE(newest.empty());
  CHECK(oldest.back()["seq"].get<int>() + 1 == newest.front()["seq"].get<int>());
  const auto now = lines_of(path);
  const int next = now.empty() ? 100 : now.front()["seq"].get<int>();
  CHECK(newest.back()["seq"].get<int>() + 1 == next);
}

TEST_CASE("a file that cannot be opened is refused with its name") {
  auto sink = FileSink::open({.path = "/proc/no/such/events.jsonl", .node = "cgn1"});
  REQUIRE_FALSE(sink);
  CHECK(sink.error().text.find("/proc/no/such") != std::string::npos);
}

TEST_CASE("standard output that nobody reads does not stop the agent") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  StdoutSink sink("cgn1", json_encoder(JsonFormat::kApnat), writer.get());
  for (int i = 0; i < 2'000; ++i) REQUIRE(sink.accept(numbered(static_cast<std::uint64_t>(i))));
  CHECK_FALSE(sink.flush());  // a pipe holds 64 KiB
  CHECK(sink.figures().waiting > 0);
  CHECK(sink.figures().written > 0);
  std::string got;
  char buffer[4096];
  ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  for (bool done = false; !done;) {
    done = sink.flush().has_value();
    for (ssize_t n; (n = ::read(reader.get(), buffer, sizeof(buffer))) > 0;)
      got.append(buffer, static_cast<std::size_t>(n));
  }
  CHECK(std::count(got.begin(), got.end(), '\n') == 2'000);
}

TEST_CASE("every sink gets every event; one that is full loses countably and is told where") {
  std::vector<Event> all;
  std::vector<Event> some;
  FanOut fan;
  fan.add(std::make_unique<SmallSink>(all, 100));
  auto small = std::make_unique<SmallSink>(some, 2);
  SmallSink& full = *small;
  full.broken = true;
  fan.add(std::move(small));

  for (std::uint64_t seq = 1; seq <= 5; ++seq) fan.accept(numbered(seq));
  CHECK(fan.room() == 0);
  std::vector<std::string> reports;
  const auto report = [&](const std::string& sink, const std::string& what) { reports.push_back(sink + ": " + what); };
  CHECK_FALSE(fan.flush(report));
  CHECK_FALSE(fan.flush(report));
  CHECK(reports == std::vector<std::string>{"small: write: No space left on device"});
  CHECK(fan.figures()[1].lost == 3);
  CHECK(fan.figures()[0].lost == 0);

  full.broken = false;
  CHECK(fan.flush(report));
  CHECK(reports.back() == "small: writes again");
  fan.accept(numbered(6));
  CHECK(fan.flush(kNoReport));
  CHECK(all.size() == 6);
  REQUIRE(some.size() == 4);
  CHECK(std::get<Gap>(some[2].body).first_seq == 3);
  CHECK(std::get<Gap>(some[2].body).last_seq == 5);
  CHECK(some[3].seq == 6);
}

TEST_CASE("what must be written first holds the others up, who still say how it is with them", "[LOG-6]") {
  std::vector<Event> recorded;
  std::vector<Event> told;
  FanOut fan;
  auto history = std::make_unique<SmallSink>(recorded, 10);
  auto other = std::make_unique<SmallSink>(told, 10);
  SmallSink& first = *history;
  const SmallSink& second = *other;
  fan.add_first(std::move(history));
  fan.add(std::move(other));
  first.broken = true;
  fan.accept(numbered(1));
  CHECK_FALSE(fan.flush(kNoReport));
  CHECK(told.empty());
  CHECK(second.looks == 1);
  first.broken = false;
  CHECK(fan.flush(kNoReport));
  CHECK(told.size() == 1);
  CHECK(second.looks == 1);
}

TEST_CASE("a slow follower gets a gap line, and does not slow the others") {
  Followers followers("cgn1");
  std::vector<std::string> quick;
  std::vector<std::string> slow;
  std::size_t room = 2;
  followers.add([&](std::string_view line) { return quick.emplace_back(line), true; });
  const auto id = followers.add([&](std::string_view line) {
    if (slow.size() >= room) return false;
    slow.emplace_back(line);
    return true;
  });
  for (std::uint64_t seq = 1; seq <= 5; ++seq) followers.accept(numbered(seq));
  room = 100;
  followers.accept(numbered(6));
  CHECK(quick.size() == 6);
  REQUIRE(slow.size() == 4);
  const auto gap = nlohmann::json::parse(slow[2]);
  CHECK(gap["event"] == "gap");
  CHECK(gap["first_seq"] == 3);
  CHECK(gap["last_seq"] == 5);
  CHECK(nlohmann::json::parse(slow[3])["seq"] == 6);
  followers.remove(id);
  followers.accept(numbered(7));
  CHECK(slow.size() == 4);
  CHECK(quick.size() == 7);
}
