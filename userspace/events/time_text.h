// time_text.h - times as every output of ours writes them: RFC 3339, UTC,
// microseconds ("2026-03-01T10:00:00.000000Z"). Pure.
#pragma once

#include <string>

#include "base/clock.h"

namespace apnat {

std::string rfc3339(WallTime time);
void append_rfc3339(std::string& out, WallTime time);

}  // namespace apnat
