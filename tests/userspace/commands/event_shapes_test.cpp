// event_shapes_test.cpp - what `natctl status` says of sinks and of the history, member by member.
#include "commands/event_shapes.h"

#include <catch2/catch.hpp>

using namespace apnat;
using namespace std::chrono_literals;

namespace {

const WallTime kNow{std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + 10h};

}  // namespace

TEST_CASE("each sink says what is written and waits, since when, and how often it was tried", "[LOG-6]") {
  FanOut::Figures sink;
  sink.sink = {.name = "file /var/log/apnat/events.jsonl",
               .written = 7,
               .waiting = 2,
               .error = "write events: No space left on device",
               .oldest_waiting = kNow - 90s,
               .retries = 3,
               .errors = 4};
  CHECK(compact(shape(sink, kNow)) ==
        R"({"name":"file /var/log/apnat/events.jsonl","written":7,"waiting":2,"lost":0,)"
        R"("oldest_waiting":"2026-03-01T09:58:30.000000Z","oldest_waiting_seconds":90,"retries":3,"errors":4,)"
        R"("spool_bytes":0,"error":"write events: No space left on device"})");
  CHECK(shape(sink, kNow - 1h)["oldest_waiting_seconds"] == 0);  // a clock that was set back
  sink.sink.waiting = 0;
  CHECK(shape(sink, kNow)["oldest_waiting_seconds"].is_null());
}

TEST_CASE("the history says how large it is, what it covers, and how far behind it is", "[LOG-6]") {
  HistoryFigures history;
  history.folder = "/var/lib/apnat/history";
  history.files = 2;
  history.bytes = 4096;
  history.covered_from = to_micros(kNow - 48h);
  history.writing = {
      .name = "history", .waiting = 5, .error = "full", .oldest_waiting = kNow - 5s, .retries = 1, .errors = 2};
  CHECK(compact(shape(history, kNow - 5s, kNow)) ==
        R"({"folder":"/var/lib/apnat/history","files":2,"bytes":4096,"covered_from":"2026-02-27T10:00:00.000000Z",)"
        R"("covered_until":"2026-03-01T09:59:55.000000Z","gaps":0,"files_set_aside":0,"waiting":5,)"
        R"("oldest_waiting":"2026-03-01T09:59:55.000000Z","oldest_waiting_seconds":5,"retries":1,"errors":2,)"
        R"("error":"full"})");
}
