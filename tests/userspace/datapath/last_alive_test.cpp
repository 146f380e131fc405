// last_alive_test.cpp - was a data plane here a moment ago?
#include "datapath/last_alive.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

using namespace apnat;
using namespace std::chrono_literals;

TEST_CASE("ports of a data plane that ran here just now are at risk after a cold start", "[CGN-19][last_alive]") {
  char name[] = "/tmp/apnat-alive-XXXXXX";
  REQUIRE(::mkdtemp(name));
  const LastAlive alive(name);
  const WallTime now(std::chrono::seconds(1'700'000'000));

  CHECK_FALSE(alive.within(120s, now));
  alive.mark(now, {7, 7}, false);
  CHECK(alive.within(120s, now + 1s));
  CHECK(alive.within(120s, now + 119s));
  CHECK_FALSE(alive.within(120s, now + 120s));
  CHECK(alive.within(120s, now - 1h));  // the clock was set back: we cannot know

  std::ofstream(std::string(name) + "/last_alive") << "not a number";
  CHECK_FALSE(alive.within(120s, now));
  std::filesystem::remove_all(name);
  alive.mark(now, {7, 7}, false);  // no state directory: no mark, and no complaint
}

TEST_CASE("a number that may have been given is not given again by new tables", "[LOG-6][last_alive]") {
  char name[] = "/tmp/apnat-alive-XXXXXX";
  REQUIRE(::mkdtemp(name));
  const LastAlive alive(name);
  const WallTime now(std::chrono::seconds(1'700'000'000));

  CHECK(alive.numbers().next == 0);
  alive.mark(now, {41, 41}, true);  // ended in good order: go on as if nothing had been
  CHECK(alive.numbers().next == 41);
  CHECK(alive.numbers().told == 41);
  alive.mark(now, {41, 39}, true);  // taken off with two events in the ring that nobody read: these are confessed
  CHECK(alive.numbers().next == 41);
  CHECK(alive.numbers().told == 39);
  alive.mark(now, {41, 41}, false);  // the machine went down: what was given since the mark is a gap that is confessed
  CHECK(alive.numbers().next > 41);
  CHECK(alive.numbers().told == 41);
  std::ofstream(std::string(name) + "/last_alive") << "1700000000 41 ended\n";  // an older agent's
  CHECK(alive.numbers().next == 41);
  CHECK(alive.numbers().told == 41);
  std::filesystem::remove_all(name);
}

TEST_CASE("a full disk leaves the mark that is there", "[LOG-6][CGN-19][last_alive]") {
  char name[] = "/tmp/apnat-alive-XXXXXX";
  REQUIRE(::mkdtemp(name));
  const std::filesystem::path folder(name);
  const LastAlive alive(folder);
  const WallTime now(std::chrono::seconds(1'700'000'000));

  alive.mark(now, {41, 41}, false);
  std::filesystem::create_symlink("/dev/full", folder / "last_alive.next");
  alive.mark(now + 5s, {77, 77}, false);
  CHECK(alive.within(120s, now + 1s));
  CHECK(alive.numbers().told == 41);
  std::filesystem::remove_all(folder);
}
