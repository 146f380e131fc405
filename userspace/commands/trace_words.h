// trace_words.h - a question to the history in words, and its answer as JSON. Pure.
#pragma once

#include <string>
#include <variant>

#include "control/protocol.h"
#include "history/query.h"

namespace apnat {

using TraceQuery = std::variant<WhoHad, WhatHad>;

// What natctl was asked: "endpoint", "at", "skew" or "subscriber", "from", "to". The error says which word is wrong.
Result<TraceQuery> parse_trace(const Arguments& arguments);

// "203.0.113.5:40001/tcp at 2026-03-01T10:00:00.000000Z, skew 0 s"
std::string query_text(const TraceQuery& query);

// {"external_address","external_port","protocol","at","skew_seconds","verdict","candidates":[...],...}, or
// {"subscriber","from","to",...}; then "coverage", "clock_error_seconds", "remarks". docs/traceability.md says all.
Json shape(const TraceQuery& query, const Findings& findings);

}  // namespace apnat
