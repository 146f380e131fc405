// time_text.h - times as every output of ours writes them: RFC 3339, UTC,
// microseconds ("2026-03-01T10:00:00.000000Z"). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace apnat {

std::string rfc3339(WallTime time);
void append_rfc3339(std::string& out, WallTime time);

// Any RFC 3339 time: fraction or none, "Z" or an offset. The seconds may be left out. The error says what would be
// right.
Result<WallTime> parse_rfc3339(std::string_view text);

}  // namespace apnat
