// json_test.cpp - what a SIEM reads: the shapes of deploy/events.schema.json.
#include "events/json.h"

#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "events/time_text.h"
#include "samples.h"

using namespace apnat;
using namespace apnat::test;

TEST_CASE("times are RFC 3339, UTC, to the microsecond") {
  CHECK(rfc3339(kTime) == "2026-03-01T10:00:00.123456Z");
  CHECK(rfc3339(WallTime{}) == "1970-01-01T00:00:00.000000Z");
  CHECK(rfc3339(WallTime(std::chrono::nanoseconds(-1))) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("times are read as RFC 3339 writes them, with or without fraction and offset") {
  CHECK(parse_rfc3339("2026-03-01T10:00:00.123456789Z").value() == kTime);
  CHECK(parse_rfc3339("2026-03-01t11:30:00.123456789+01:30").value() == kTime);
  CHECK(parse_rfc3339("2026-02-28T23:00:00.1234567899999-11:00").value() == kTime);
  CHECK(rfc3339(parse_rfc3339("2026-03-01T10:00Z").value()) == "2026-03-01T10:00:00.000000Z");
  CHECK(rfc3339(parse_rfc3339("2016-12-31T23:59:60Z").value()) == "2017-01-01T00:00:00.000000Z");
  for (const char* wrong : {"", "now", "2026-03-01", "2026-03-01T10:00:00", "2026-02-30T10:00:00Z", "2026-13-01T10:00Z",
                            "2026-03-01T24:00:00Z", "2026-03-01T10:00:00.Z", "2026-03-01T10:00:00Zx",
                            "2026-03-01T10:00:00+1", "1899-03-01T10:00:00Z", "2026-03-01T10:61:00Z"}) {
    INFO(wrong);
    CHECK_FALSE(parse_rfc3339(wrong));
  }
  CHECK(parse_rfc3339("2026-03-01T10:00:00").error().text ==
        "\"2026-03-01T10:00:00\" does not say where it is that late (Z is UTC); write a time such as "
        "2026-03-01T10:00:00Z or 2026-03-01T11:00:00.5+01:00");
}

TEST_CASE("a block event says who, which address and which ports, since when", "[LOG-1]") {
  CHECK(to_json(every_event()[0], "cgn1") ==
        R"({"seq":40,"time":"2026-03-01T10:00:00.123456Z","node":"cgn1","monotonic_ns":1000,)"
        R"("clock_error_us":250,"event":"port_block_assigned",)"
        R"("pool":"residential","subscriber":"100.64.3.7","external_address":"203.0.113.5",)"
        R"("port_start":1024,"port_end":1535})");
}

TEST_CASE("a block that is not one run of ports lists its runs") {
  const auto event = nlohmann::json::parse(to_json(every_event()[1], "cgn1"));
  CHECK(event["subscriber"] == "100.64.4.0/24");
  CHECK(event["port_start"] == 1024);
  CHECK(event["port_end"] == 65535);
  REQUIRE(event["ports"].size() == 3);
  CHECK(event["ports"][1] == nlohmann::json{{"port_start", 2000}, {"port_end", 2003}});
}

TEST_CASE("a destination is told only where the operator asked for it", "[SHARE-37][LOG-5]") {
  const auto without = nlohmann::json::parse(to_json(every_event()[3], "cgn1"));
  const auto with = nlohmann::json::parse(to_json(every_event()[4], "cgn1"));
  CHECK_FALSE(without.contains("destination_address"));
  CHECK(with["destination_address"] == "198.51.100.53");
  CHECK(with["destination_port"] == 53);
}

TEST_CASE("text that is not plain cannot break a line or a JSON reader") {
  const std::string hostile = "a\"b\\c\nd\x01\xff\xc3\xa9";
  const std::string written = json_string(hostile);
  CHECK(written.find('\n') == std::string::npos);
  CHECK(nlohmann::json::parse(written).get<std::string>() == "a\"b\\c\nd\x01\xef\xbf\xbd\xc3\xa9");
}

TEST_CASE("every event there is satisfies the published schema") {
  const std::filesystem::path root = APNAT_SOURCE_DIR;
  const auto lines = std::filesystem::temp_directory_path() / ("apnat-events-" + std::to_string(::getpid()) + ".jsonl");
  std::set<std::size_t> kinds;
  {
    std::ofstream out(lines);
    for (const Event& event : every_event()) {
      kinds.insert(event.body.index());
      out << to_json(event, "cgn1") << '\n';
    }
  }
  REQUIRE(kinds.size() == std::variant_size_v<EventBody>);
  const std::string command = "python3 " + (root / "tests/userspace/events/validate_events.py").string() + " " +
                              (root / "deploy/events.schema.json").string() + " " + lines.string() + " 2>&1";
  const int status = std::system(command.c_str());
  std::filesystem::remove(lines);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
    WARN("skipped: python3-jsonschema is not installed");
    return;
  }
  CHECK(status == 0);
}
