// event_shapes.h - the way of the events as JSON: each sink, and the history. Pure.
#pragma once

#include "control/protocol.h"
#include "events/fan_out.h"
#include "history/store.h"

namespace apnat {

// {"name","written","waiting","lost","oldest_waiting","oldest_waiting_seconds","retries","errors","spool_bytes","error"};
// the two of the oldest are null where nothing waits.
Json shape(const FanOut::Figures& sink, WallTime now);

// {"folder","files","bytes","covered_from","covered_until","gaps","files_set_aside","error"}, and how its own writing
// goes: {"waiting","oldest_waiting","oldest_waiting_seconds","retries","errors"}.
Json shape(const HistoryFigures& history, WallTime covered_until, WallTime now);

}  // namespace apnat
