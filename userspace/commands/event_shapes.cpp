// event_shapes.cpp - member by member, in the order a reader wants them.
#include "commands/event_shapes.h"

#include <algorithm>

#include "events/time_text.h"

namespace apnat {
namespace {

bool has_waiting(const SinkFigures& figures) { return figures.waiting > 0 && figures.oldest_waiting != WallTime{}; }

Json oldest_of(const SinkFigures& figures) {
  return has_waiting(figures) ? Json(rfc3339(figures.oldest_waiting)) : Json();
}

// A clock that was set back makes nothing younger than now.
Json age_of(const SinkFigures& figures, WallTime now) {
  if (!has_waiting(figures)) return {};
  const auto age = std::chrono::floor<std::chrono::seconds>(now - figures.oldest_waiting).count();
  return std::max<std::int64_t>(0, age);
}

Json error_of(const SinkFigures& figures) { return figures.error.empty() ? Json() : Json(figures.error); }

}  // namespace

Json shape(const FanOut::Figures& sink, WallTime now) {
  return Json{{"name", sink.sink.name},
              {"written", sink.sink.written},
              {"waiting", sink.sink.waiting},
              {"lost", sink.lost},
              {"oldest_waiting", oldest_of(sink.sink)},
              {"oldest_waiting_seconds", age_of(sink.sink, now)},
              {"retries", sink.sink.retries},
              {"errors", sink.sink.errors},
              {"spool_bytes", sink.sink.spool_bytes},
              {"error", error_of(sink.sink)}};
}

Json shape(const HistoryFigures& history, WallTime covered_until, WallTime now) {
  return Json{{"folder", history.folder.string()},
              {"files", history.files},
              {"bytes", history.bytes},
              {"covered_from", history.files ? Json(rfc3339(to_wall(history.covered_from))) : Json()},
              {"covered_until", rfc3339(covered_until)},
              {"gaps", history.gaps},
              {"files_set_aside", history.files_set_aside},
              {"waiting", history.writing.waiting},
              {"oldest_waiting", oldest_of(history.writing)},
              {"oldest_waiting_seconds", age_of(history.writing, now)},
              {"retries", history.writing.retries},
              {"errors", history.writing.errors},
              {"error", error_of(history.writing)}};
}

}  // namespace apnat
