// store_test.cpp - what was acknowledged is there: over midnight, crashes, full disks, damage and clocks set back.
#include "history/store.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>

#include "history_world.h"

using namespace apnat;
using namespace apnat::test;
using namespace std::chrono_literals;

namespace {

std::string subscriber_of(int i) { return Ip4(ip("100.64.0.0").value() + static_cast<std::uint32_t>(i)).text(); }
std::string address_of_block(int i) {
  return Ip4(ip("203.0.113.0").value() + static_cast<std::uint32_t>(i / 100)).text();
}
PortBlockAssigned numbered_block(int i) {
  return HistoryWorld::block(subscriber_of(i).c_str(), 1024 + 512 * (i % 100), address_of_block(i).c_str());
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder, std::string_view ending) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().string().ends_with(ending)) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace

TEST_CASE("files are the agent's own, readable by its group", "[LOG-12]") {
  HistoryWorld history;
  history.started();
  history.write();
  struct stat status{};
  REQUIRE(::stat(history.history().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0750);
  for (const auto& entry : std::filesystem::directory_iterator(history.history())) {
    REQUIRE(::stat(entry.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0640);
  }
}

TEST_CASE("the same event told again changes nothing, in whatever order", "[LOG-3]") {
  HistoryWorld history;
  history.started();
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 50; ++i) {
      const PortBlockAssigned block = numbered_block(i);
      const PortBlockReleased released = HistoryWorld::released(block, at(9));
      const Event assigned{static_cast<std::uint64_t>(2 * i), at(9), 0, block};
      const Event gone{static_cast<std::uint64_t>(2 * i + 1), at(10), 0, released};
      history.store->accept(round % 2 ? gone : assigned);
      history.store->accept(round % 2 ? assigned : gone);
    }
    history.write();
  }
  history.wait_until(at(12));
  history.settle();
  for (int i = 0; i < 50; ++i) {
    const auto port = static_cast<std::uint16_t>(1024 + 512 * (i % 100));
    const Findings found = history.ask(at(9, 30), port, 0s, 6, address_of_block(i).c_str());
    REQUIRE(found.candidates.size() == 1);
    CHECK(found.candidates[0].subscriber.text() == subscriber_of(i));
    CHECK(found.candidates[0].to == to_micros(at(10)));
  }
}

TEST_CASE("a lease that is held over many midnights is found on every day, and so is its end", "[LOG-3][SHARE-38]") {
  HistoryWorld history;
  history.started();
  history.wait_until(at(9));
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.write();
  for (int day = 2; day <= 12; ++day) {
    history.wait_until(at(0, 0, 1, day));
    history.tell(AgentStopped{"tick"});
    history.write();
    CHECK(history.words(history.ask(at(0, 0, 0, day))) == "unique 100.64.0.1");  // before the day before is closed
    history.settle();
    CHECK(history.words(history.ask(at(0, 0, 0, day))) == "unique 100.64.0.1");
  }
  history.wait_until(at(5, 0, 0, 12));
  history.tell(HistoryWorld::released(HistoryWorld::block("100.64.0.1"), at(9)));
  history.write();
  for (int day = 13; day <= 20; ++day) {
    history.wait_until(at(0, 0, 1, day));
    history.tell(AgentStopped{"tick"});
    history.write();
    history.settle();
  }
  for (int day = 1; day <= 12; ++day) {
    const Findings found = history.ask(at(9, 30, 0, day));
    CHECK(history.words(found) == (day < 12 ? "unique 100.64.0.1" : "none"));
    if (day < 12) CHECK(found.candidates[0].from == to_micros(at(9)));
    if (day < 12) CHECK(found.candidates[0].to == to_micros(at(5, 0, 0, 12)));
  }
  CHECK(history.words(history.ask(at(6, 0, 0, 12))) == "none");
  CHECK(files_in(history.history(), ".sqlite").size() == 20);
}

TEST_CASE("a release told days later repairs the days before, though its assignment was lost", "[LOG-6]") {
  HistoryWorld history;
  history.started();
  for (int day = 1; day <= 3; ++day) {
    history.wait_until(at(12, 0, 0, day));
    history.tell(AgentStopped{"tick"});
    history.write();
    history.settle();
  }
  CHECK(history.words(history.ask(at(9, 0, 0, 2))) == "none");
  history.tell(HistoryWorld::released(HistoryWorld::block("100.64.0.1"), at(8, 30, 0, 2)));
  history.write();
  CHECK(history.words(history.ask(at(9, 0, 0, 2))) == "unique 100.64.0.1");
  history.wait_until(at(12, 0, 0, 4));
  history.tell(AgentStopped{"tick"});
  history.write();
  history.settle();
  CHECK(history.words(history.ask(at(9, 0, 0, 2))) == "unique 100.64.0.1");
}

TEST_CASE("days beyond retention are deleted, and what is still held since then is not forgotten", "[LOG-10]") {
  HistoryWorld history;
  history.retention = std::chrono::days(5);
  history.open();
  history.started();
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.tell(HistoryWorld::block("100.64.0.2", 2048));
  history.write();
  history.tell(HistoryWorld::released(HistoryWorld::block("100.64.0.2", 2048), at(8)));
  for (int day = 2; day <= 15; ++day) {
    history.wait_until(at(0, 0, 1, day));
    history.tell(AgentStopped{"tick"});
    history.write();
    history.settle();
  }
  CHECK(files_in(history.history(), ".sqlite").size() <= 7);
  CHECK(files_in(history.history(), "-wal").size() <= 1);
  CHECK(history.words(history.ask(at(9, 0, 0, 14))) == "unique 100.64.0.1");
  CHECK(history.words(history.ask(at(9, 0, 0, 2), 40'000)) == "unknown");
}

TEST_CASE("a clock that is set back makes the time that passed twice ambiguous, not wrong", "[LOG-2]") {
  HistoryWorld history;
  history.started();
  history.wait_until(at(10));
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.wait_until(at(10, 30));
  history.clock.set_realtime(at(9, 30));  // an hour back
  history.tell(HistoryWorld::released(HistoryWorld::block("100.64.0.1"), at(10)));
  history.wait_until(at(9, 45));
  history.tell(HistoryWorld::block("100.64.0.2"));
  history.wait_until(at(12));
  history.tell(HistoryWorld::released(HistoryWorld::block("100.64.0.2"), at(9, 45)));
  history.wait_until(at(13));
  history.write();
  const Findings twice = history.ask(at(10, 15));
  CHECK(history.words(twice) == "ambiguous 100.64.0.2 100.64.0.1");
  REQUIRE(twice.remarks.size() >= 1);
  CHECK(twice.remarks[0].starts_with("the node's clock was set back over this time"));
  CHECK(history.words(history.ask(at(11))) == "unique 100.64.0.2");
  CHECK(history.words(history.ask(at(12, 30))) == "none");
}

TEST_CASE("a clock that is set back while there is no agent makes the time that passed twice ambiguous", "[LOG-2]") {
  HistoryWorld history;
  history.started();
  history.wait_until(at(11, 50));
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.write();
  history.wait_until(at(12));
  history.store->work();
  const auto offset = history.store->clock_offset();
  REQUIRE(offset);
  history.store.reset();
  history.clock.set_realtime(at(11));
  history.open();
  history.store->expect_clock(*offset);
  history.tell(PoolExhausted{"residential", Prefix(ip("100.64.0.9"), 32), 7, 0});  // what the ring still held
  history.started();
  history.wait_until(at(11, 10));
  history.tell(HistoryWorld::released(HistoryWorld::block("100.64.0.1"), at(11, 50)));
  history.wait_until(at(11, 12));
  history.tell(HistoryWorld::block("100.64.0.2"));
  history.wait_until(at(13));
  history.write();
  CHECK(history.words(history.ask(at(11, 55))).starts_with("ambiguous"));
  CHECK(history.words(history.ask(at(12, 30))) == "unique 100.64.0.2");
}

TEST_CASE("a clock set back over midnight keeps to the newest file, and loses nothing", "[LOG-2]") {
  HistoryWorld history;
  history.started();
  history.wait_until(at(0, 10, 0, 2));
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.write();
  history.settle();
  history.clock.set_realtime(at(23, 50));
  history.tell(HistoryWorld::block("100.64.0.2", 2048));
  history.write();
  history.open();
  history.wait_until(at(1, 0, 0, 2));
  history.tell(AgentStopped{"tick"});
  history.write();
  CHECK(history.words(history.ask(at(0, 30, 0, 2), 2048)) == "unique 100.64.0.2");
  CHECK(history.words(history.ask(at(0, 30, 0, 2), 1100)) == "unique 100.64.0.1");
}

TEST_CASE("a data plane that began anew ends what was open, and the moments before are not covered", "[LOG-6]") {
  HistoryWorld history;
  history.started();
  history.wait_until(at(9));
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.write();
  history.wait_until(at(10));
  history.store->work();  // alive until now
  history.wait_until(at(11));
  history.open();
  history.started(false);
  history.wait_until(at(12));
  history.write();
  const Findings before = history.ask(at(9, 30));
  CHECK(history.words(before) == "unique 100.64.0.1");
  CHECK(before.candidates[0].end_unrecorded);
  CHECK(before.candidates[0].to == to_micros(at(11)));
  CHECK(history.words(history.ask(at(10, 30), 40'000)) == "unknown");
  CHECK(history.words(history.ask(at(11, 30))) == "none");
}

TEST_CASE("that a data plane began anew is known though the agent that began it died before it wrote",
          "[LOG-3][LOG-6]") {
  const bool is_behind = GENERATE(false, true);
  INFO("the clock is behind: " << is_behind);
  HistoryWorld history;
  history.store->follow(1, history.clock.realtime(), false);
  history.started();
  history.wait_until(at(9, 59));
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.write();
  history.wait_until(at(10));
  history.store->work();
  history.store.reset();

  const WallTime began = is_behind ? at(9, 30) : at(10, 30);
  history.clock.set_realtime(began);
  history.open();
  history.store->follow(2, began, false);
  history.started();
  history.store.reset();  // killed: nothing of it was written
  history.clock.advance(5min);
  history.open();
  history.store->follow(2, began, true);
  history.started();
  history.store->hold(HistoryWorld::block("100.64.0.2", 2048), began + 1min);
  history.write();
  history.open();
  history.store->follow(2, began, true);  // and that is all
  history.started();
  history.wait_until(at(12));
  history.write();

  const Findings before = history.ask(at(9, 59, 30));
  CHECK(history.words(before) == "unique 100.64.0.1");
  CHECK(before.candidates[0].end_unrecorded);
  CHECK(history.words(history.ask(at(11))) == "none");
  CHECK(history.words(history.ask(at(11), 2100)) == "unique 100.64.0.2");
  CHECK(history.words(history.ask(began + 2min, 2100)) == "unique 100.64.0.2");
  CHECK(history.store->history_figures().gaps == 1);
}

TEST_CASE("a machine that comes up in 1970 and is put right makes the moment in between uncertain, not all the years",
          "[LOG-2][LOG-4]") {
  const bool is_restarted = GENERATE(false, true);
  INFO("the agent is restarted in between: " << is_restarted);
  HistoryWorld history;
  history.started(false);
  history.wait_until(at(9));
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.wait_until(at(9, 30));
  history.tell(HistoryWorld::released(HistoryWorld::block("100.64.0.1"), at(9)));
  history.wait_until(at(10));
  history.tell(HistoryWorld::block("100.64.0.2"));
  history.write();
  history.wait_until(at(11));
  history.store->work();
  history.store.reset();

  history.clock.set_realtime(WallTime(20s));
  history.open();
  history.started(false);
  history.clock.advance(30s);
  history.tell(HistoryWorld::block("100.64.0.3", 2048));
  history.write();
  if (is_restarted) {
    const auto offset = history.store->clock_offset();
    history.open();
    history.store->expect_clock(*offset);
    history.started();
    history.write();
  }
  history.clock.advance(30s);
  history.clock.set_realtime(at(12));
  history.tell(HistoryWorld::block("100.64.0.4"));
  history.wait_until(at(13));
  history.write();

  for (const bool again : {false, true}) {
    INFO("asked after a restart: " << again);
    if (again) history.open();
    CHECK(history.words(history.ask(at(9, 15))) == "unique 100.64.0.1");
    CHECK(history.words(history.ask(at(9, 45))) == "none");
    CHECK(history.words(history.ask(at(10, 30))) == "unique 100.64.0.2");
    CHECK(history.words(history.ask(at(12, 30))) == "unique 100.64.0.4");
    CHECK(history.words(history.ask(at(12, 30), 2100)) == "unique 100.64.0.3");
    if (!is_restarted) CHECK(history.words(history.ask(at(11, 30))) == "unknown");  // when did it go down?
  }
}

TEST_CASE("a data plane that begins anew on another day ends what is open in a file that is not closed", "[LOG-3]") {
  HistoryWorld history;
  history.started();
  history.wait_until(at(23, 50));
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.write();
  history.wait_until(at(0, 10, 0, 2));
  history.open();
  history.started(false);
  history.wait_until(at(0, 20, 0, 2));
  history.write();  // and the day before is not closed yet
  CHECK(history.words(history.ask(at(0, 15, 0, 2))) == "none");
  history.settle();
  CHECK(history.words(history.ask(at(0, 15, 0, 2))) == "none");
}

TEST_CASE("a block whose assignment was missed is recorded when the data plane says that it is held", "[LOG-6]") {
  HistoryWorld history;
  history.started();
  history.wait_until(at(10));
  history.store->hold(HistoryWorld::block("100.64.0.1"), at(9));
  history.write();
  CHECK(history.words(history.ask(at(9, 30))) == "unique 100.64.0.1");
}

TEST_CASE("a damaged file is set aside, its day is not covered, and the days around it are", "[LOG-12]") {
  HistoryWorld history;
  history.started();
  for (int day = 1; day <= 3; ++day) {
    history.wait_until(at(9, 0, 0, day));
    history.tell(HistoryWorld::block("100.64.0.1", 1024 + 512 * day));
    history.wait_until(at(10, 0, 0, day));
    history.tell(HistoryWorld::released(HistoryWorld::block("100.64.0.1", 1024 + 512 * day), at(9, 0, 0, day)));
    history.write();
    history.settle();
  }
  history.store.reset();
  const auto files = files_in(history.history(), ".sqlite");
  REQUIRE(files.size() == 3);
  {
    std::fstream file(files[1], std::ios::in | std::ios::out | std::ios::binary);
    file << std::string(4096, 'x');
  }
  history.wait_until(at(12, 0, 0, 3));
  history.open();
  history.started();
  history.write();
  CHECK(history.store->history_figures().files_set_aside == 1);
  CHECK(files_in(history.history(), ".sqlite").size() == 2);
  CHECK(history.words(history.ask(at(9, 30, 0, 1), 1024 + 512)) == "unique 100.64.0.1");
  CHECK(history.words(history.ask(at(9, 30, 0, 3), 1024 + 3 * 512)) == "unique 100.64.0.1");
  const Findings lost = history.ask(at(9, 30, 0, 2), 1024 + 2 * 512);
  CHECK(history.words(lost) == "unknown");
  REQUIRE(lost.not_covered.size() == 1);
  CHECK(lost.not_covered[0].reason.find("was damaged") != std::string::npos);
  // The next agent knows of the gap too.
  history.open();
  CHECK(history.words(history.ask(at(9, 30, 0, 2), 1024 + 2 * 512)) == "unknown");
}

TEST_CASE("a page that is damaged is said to be, and is never read as leases", "[LOG-12]") {
  HistoryWorld history;
  history.started();
  history.wait_until(at(9));
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.write();
  const auto file = files_in(history.history(), ".sqlite").front();
  {
    Database database = Database::open(file, Database::Use::kWrite).value();
    REQUIRE(database.run("UPDATE page SET leases = CAST(leases || x'00' AS BLOB)"));
  }
  history.wait_until(at(10));
  const Findings found = history.ask(at(9, 30));
  CHECK(history.words(found) == "unknown");
  CHECK_FALSE(found.covered);
}

// Changes a file behind the back of whoever wrote it, as a disk may.
void spoil(const std::filesystem::path& file, const std::string& sql) {
  Database database = Database::open(file, Database::Use::kWrite).value();
  INFO(sql);
  REQUIRE(database.run(sql.c_str()));
}

TEST_CASE("a name, a shape or any other small row that is damaged is never read as if it were whole", "[LOG-12]") {
  const std::string spoiled = GENERATE(
      as<std::string>(), "UPDATE pool SET name = 'residentiam'", "UPDATE pool SET prefix_length = 24",
      "UPDATE pool SET id = 7", "DELETE FROM pool", "INSERT INTO pool VALUES(9, 'x', 32)",
      // the last port of the shape: 65535 becomes 65407
      "UPDATE space SET shape = CAST(substr(shape, 1, 6) || x'FF' || substr(shape, 8) AS BLOB) WHERE id >= 256",
      "DELETE FROM space WHERE id < 256", "UPDATE run SET state = 2", "UPDATE run SET level = level + 1",
      "DELETE FROM run", "UPDATE epoch SET from_us = from_us + 1", "DELETE FROM epoch", "DELETE FROM checksum",
      "UPDATE checksum SET sum = sum + 1 WHERE of_table = 'space'", "DELETE FROM reset",
      "UPDATE about SET value = value + 1 WHERE name = 'made_us'", "UPDATE page SET key = key - 1");
  HistoryWorld history;
  history.started(false);
  const PortBlockAssigned block = HistoryWorld::block("100.64.0.1");
  history.store->begin_epoch(Epoch{}, history.clock.realtime(), history.clock.realtime());
  history.tell(MappingCreated{.pool = "residential",
                              .subscriber = Prefix(ip("100.64.0.2"), 32),
                              .protocol = 6,
                              .internal = {ip("100.64.0.2"), 5'000},
                              .external = {ip("203.0.113.5"), 9'000},
                              .destination = std::nullopt});
  history.wait_until(at(8, 30));
  history.store->begin_anew(history.clock.realtime());
  history.wait_until(at(9));
  history.tell(block);
  history.write();
  history.wait_until(at(10));
  REQUIRE(history.words(history.ask(at(9, 30))) == "unique 100.64.0.1");
  spoil(files_in(history.history(), ".sqlite").front(), spoiled);

  const Findings found = history.ask(at(9, 30));
  CHECK(history.words(found) == "unknown");
  REQUIRE(found.not_covered.size() == 1);
  INFO(found.not_covered[0].reason);
  if (spoiled.find("page") != spoiled.npos) return;  // pages are looked at when they are asked for
  history.open();
  CHECK(history.store->history_figures().files_set_aside == 1);
  CHECK(history.words(history.ask(at(9, 30))) == "unknown");
}

TEST_CASE("what was not covered is not forgotten by a row that is damaged, in any day's file", "[LOG-12]") {
  const std::string spoiled = GENERATE(as<std::string>(), "UPDATE gap SET to_us = from_us", "DELETE FROM gap",
                                       "DELETE FROM clock_step", "UPDATE clock_step SET to_us = to_us - 1000000");
  HistoryWorld history;
  history.started();
  history.wait_until(at(9));
  history.tell(AgentStopped{"SIGTERM"});
  history.write();
  history.clock.advance(1h);
  history.tell(Gap{5, 7, "lost"});
  history.clock.set_realtime(history.clock.realtime() - 10min);
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.write();
  for (int day = 2; day <= 4; ++day) {
    history.wait_until(at(9, 0, 0, day));
    history.tell(HistoryWorld::block("100.64.0.2", 4096));
    history.write();
    history.settle();
  }
  history.store.reset();
  spoil(files_in(history.history(), ".sqlite").front(), spoiled);
  history.open();
  CHECK(history.store->history_figures().files_set_aside == 1);
  CHECK(history.words(history.ask(at(9, 30))) == "unknown");
}

TEST_CASE("files of the schema before are read, and one that is written on gets its checksums", "[LOG-12]") {
  HistoryWorld history;
  history.started();
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.write();
  history.settle();
  history.store.reset();
  const auto first = files_in(history.history(), ".sqlite").front();
  spoil(first, "DROP TABLE checksum; UPDATE about SET value = 1 WHERE name = 'schema'");
  history.open();
  CHECK(history.words(history.ask(at(8, 0, 10))) == "unique 100.64.0.1");
  history.started();
  history.write();
  CHECK(history.words(history.ask(at(8, 0, 10))) == "unique 100.64.0.1");
  spoil(first, "UPDATE pool SET name = 'x'");
  CHECK(history.words(history.ask(at(8, 0, 10))) == "unknown");
}

TEST_CASE("the history of a newer agent is refused and left alone, not taken for damage") {
  HistoryWorld history;
  history.started();
  history.write();
  history.store.reset();
  spoil(files_in(history.history(), ".sqlite").front(), "UPDATE about SET value = 99 WHERE name = 'schema'");
  const auto refused = HistoryStore::open({history.history(), "cgn1", history.retention}, history.clock);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("a newer apnatd") != std::string::npos);
  CHECK(files_in(history.history(), ".sqlite").size() == 1);
}

TEST_CASE("what the disk refuses is held, told, and written once it has room", "[LOG-6]") {
  if (::geteuid() != 0) return;
  TempFolder small;
  if (::mount("none", small.path().c_str(), "tmpfs", 0, "size=512k") != 0) return;  // no right to
  {
    HandWoundClock clock(at(8));
    auto store = HistoryStore::open({small.path() / "history", "cgn1", std::chrono::days(365), 20'000}, clock).value();
    store->accept(Event{0, clock.realtime(), 0, AgentStarted{"0.1.0", true, 0}});
    REQUIRE(store->flush());
    const auto ballast = small.path() / "ballast";
    std::ofstream(ballast) << std::string(512 * 1024, 'x');
    int accepted = 0;
    for (int i = 0; i < 20'000; ++i) {
      accepted += store->accept(Event{static_cast<std::uint64_t>(i), at(9), 0, numbered_block(i % 5'000)});
    }
    const auto refused = store->flush();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ENOSPC);
    CHECK_FALSE(store->figures().error.empty());
    CHECK(store->figures().waiting == 20'000);
    CHECK(store->figures().oldest_waiting == at(9));
    CHECK(store->figures().errors == 1);
    REQUIRE_FALSE(store->flush());
    CHECK(store->history_figures().writing.errors == 2);
    CHECK(store->history_figures().writing.retries == 1);
    CHECK(store->room() == 0);
    CHECK_FALSE(store->accept(Event{20'001, at(9), 0, numbered_block(1)}));  // the ring keeps it
    std::filesystem::remove(ballast);
    REQUIRE(store->flush());
    CHECK(store->figures().error.empty());
    CHECK(store->figures().waiting == 0);
    CHECK(store->figures().oldest_waiting == WallTime{});
    clock.advance(2h);
    Archive archive;
    for (int i : {0, 1, 4'321, 4'999}) {
      const auto port = static_cast<std::uint16_t>(1024 + 512 * (i % 100));
      const auto found = archive.who_had(store->view(clock.realtime()),
                                         {*Ip4::parse(address_of_block(i)), port, 6, to_micros(at(9, 30)), 0});
      REQUIRE(found.value().candidates.size() == 1);
      CHECK(found.value().candidates[0].subscriber.text() == subscriber_of(i));
    }
  }
  ::umount2(small.path().c_str(), MNT_DETACH);
}

namespace {

// Writes batches until it is killed, and says after each how many events are on the disk.
[[noreturn]] void write_for_ever(const std::filesystem::path& folder, int told) {
  HandWoundClock clock(at(8));
  auto store = HistoryStore::open({folder, "cgn1"}, clock).value();
  for (int written = 0; written < 2'000'000;) {
    for (int i = 0; i < 500; ++i, ++written) {
      store->accept(Event{static_cast<std::uint64_t>(written), at(9), 0, numbered_block(written % 20'000)});
      clock.advance(1ms);
    }
    if (store->flush() && ::write(told, &written, sizeof(written)) != sizeof(written)) break;
    store->work();
  }
  ::_exit(0);
}

}  // namespace

TEST_CASE("whoever is killed while writing has lost nothing that was acknowledged", "[LOG-3][LOG-6]") {
  TempFolder folder;
  for (int round = 0; round < 5; ++round) {
    const auto history = folder.path() / std::to_string(round);
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) write_for_ever(history, pipe[1]);
    ::close(pipe[1]);
    int acknowledged = 0;
    for (int word = 0, i = 0; i < 4 + 7 * round && ::read(pipe[0], &word, sizeof(word)) == sizeof(word); ++i) {
      acknowledged = word;
    }
    ::usleep(static_cast<useconds_t>(700 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (int word = 0; ::read(pipe[0], &word, sizeof(word)) == sizeof(word);) acknowledged = word;
    ::close(pipe[0]);

    HandWoundClock clock(at(12));
    auto store = HistoryStore::open({history, "cgn1"}, clock).value();
    CHECK(store->history_figures().files_set_aside == 0);
    REQUIRE(acknowledged > 0);
    Archive archive;
    const auto view = store->view(clock.realtime());
    int missing = 0;
    for (int i = 0; i < std::min(acknowledged, 20'000); i += 13) {
      const auto port = static_cast<std::uint16_t>(1024 + 512 * (i % 100));
      const auto found = archive.who_had(view, {*Ip4::parse(address_of_block(i)), port, 6, to_micros(at(11)), 0});
      missing += found.value().candidates.size() != 1 || found->candidates[0].subscriber.text() != subscriber_of(i);
    }
    CHECK(missing == 0);
  }
}
