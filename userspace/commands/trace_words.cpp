// trace_words.cpp - words to values, values to members.
#include "commands/trace_words.h"

#include <fmt/format.h>

#include <charconv>

#include "events/time_text.h"

namespace apnat {
namespace {

// Years of doubt are no question.
constexpr double kMostSkewSeconds = 7 * 86'400;
// Candidates beyond this many bytes are counted, not shown.
constexpr std::size_t kMostCandidateBytes = kMostReplyBytes - 512 * 1024;

// "203.0.113.5", "203.0.113.5:40001", "203.0.113.5:40001/tcp", "203.0.113.5/tcp"
Result<void> parse_endpoint(std::string_view text, WhoHad& query) {
  const auto wrong = [&] {
    return fail(fmt::format("\"{}\" is not ADDRESS[:PORT[/PROTOCOL]]; write 203.0.113.5:40001/tcp", text));
  };
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    query.protocol = parse_protocol(text.substr(slash + 1));
    if (!query.protocol) {
      return fail(fmt::format("\"{}\" is not a protocol; write tcp, udp, icmp or a number", text.substr(slash + 1)));
    }
  }
  const std::string_view place = text.substr(0, slash);
  if (const auto endpoint = Endpoint::parse(place)) {
    query.address = endpoint->address;
    query.port = endpoint->port;
    return {};
  }
  const auto address = Ip4::parse(place);
  if (!address) return wrong();
  query.address = *address;
  return {};
}

Result<Micros> parse_time(const Arguments& arguments, const char* name) {
  const auto text = TRY(arguments.text(name));
  if (!text) return fail(fmt::format("--{} is missing: which time?", name));
  const auto time = parse_rfc3339(*text);
  if (!time) return within(fmt::format("--{}", name), time.error());
  return to_micros(*time);
}

Result<Micros> parse_skew(const Arguments& arguments) {
  const auto text = TRY(arguments.text("skew"));
  if (!text) return 0;
  double seconds = 0;
  const auto [end, error] =
      std::from_chars(text->data(), text->data() + text->size(), seconds, std::chars_format::fixed);
  if (error != std::errc() || end != text->data() + text->size() || !(seconds >= 0 && seconds <= kMostSkewSeconds)) {
    return fail(fmt::format("--skew: \"{}\" is not a number of seconds from 0 to {:.0f}", *text, kMostSkewSeconds));
  }
  return static_cast<Micros>(seconds * 1e6);
}

Result<TraceQuery> parse_what_had(const Arguments& arguments, const std::string& subscriber) {
  for (const char* name : {"endpoint", "at", "skew"}) {
    if (arguments.values().contains(name)) {
      return fail(fmt::format("{} does not go with --subscriber: give --from and --to",
                              std::string_view(name) == "endpoint" ? "ADDRESS" : fmt::format("--{}", name)));
    }
  }
  WhatHad query;
  const auto prefix = Prefix::parse(subscriber);
  if (!prefix) return within("--subscriber", prefix.error());
  query.subscriber = *prefix;
  query.from = TRY(parse_time(arguments, "from"));
  query.to = TRY(parse_time(arguments, "to"));
  if (query.to < query.from) return fail("--to is before --from");
  return query;
}

std::string time_text(Micros time) { return rfc3339(to_wall(time)); }
double seconds_of(Micros time) { return static_cast<double>(time) / 1e6; }
Json error_shape(std::uint32_t clock_error_us) { return clock_error_us ? Json(clock_error_us / 1e6) : Json(); }

void put_ports(const std::vector<PortRange>& ports, Json& json) {
  json["port_start"] = ports.empty() ? 0 : ports.front().first;
  json["port_end"] = ports.empty() ? 0 : ports.back().last;
  if (ports.size() < 2) return;
  Json runs = Json::array();
  for (const PortRange& range : ports) runs.push_back({{"port_start", range.first}, {"port_end", range.last}});
  json["ports"] = runs;
}

Json shape(const Candidate& candidate) {
  Json json{{"subscriber", candidate.subscriber.text()},
            {"pool", candidate.pool},
            {"external_address", candidate.external_address.text()}};
  put_ports(candidate.ports, json);
  json["protocol"] = candidate.protocol ? Json(protocol_name(*candidate.protocol)) : Json();
  json["from"] = time_text(candidate.from);
  json["to"] = candidate.to ? Json(time_text(*candidate.to)) : Json();
  json["end_recorded"] = !candidate.end_unrecorded;
  json["basis"] = word_of(candidate.basis);
  json["clock_error_seconds"] = error_shape(candidate.clock_error_us);
  if (candidate.internal) {
    json["internal_address"] = candidate.internal->address.text();
    json["internal_port"] = candidate.internal->port;
  }
  if (candidate.destination) {
    json["destination_address"] = candidate.destination->address.text();
    json["destination_port"] = candidate.destination->port;
  }
  return json;
}

Json coverage_shape(const Findings& findings) {
  Json missing = Json::array();
  for (const HistoryView::Span& span : findings.not_covered) {
    missing.push_back({{"from", time_text(span.from)}, {"to", time_text(span.to)}, {"reason", span.reason}});
  }
  return Json{{"from", time_text(findings.covered_from)},
              {"until", time_text(findings.covered_until)},
              {"complete", findings.covered},
              {"missing", missing}};
}

Json head(const WhoHad& query) {
  return Json{{"external_address", query.address.text()},
              {"external_port", query.port ? Json(*query.port) : Json()},
              {"protocol", query.protocol ? Json(protocol_name(*query.protocol)) : Json()},
              {"at", time_text(query.at)},
              {"skew_seconds", seconds_of(query.skew)}};
}

Json head(const WhatHad& query) {
  return Json{{"subscriber", query.subscriber.text()}, {"from", time_text(query.from)}, {"to", time_text(query.to)}};
}

}  // namespace

Result<TraceQuery> parse_trace(const Arguments& arguments) {
  if (const auto subscriber = TRY(arguments.text("subscriber"))) return parse_what_had(arguments, *subscriber);
  for (const char* name : {"from", "to"}) {
    if (arguments.values().contains(name)) return fail(fmt::format("--{} goes with --subscriber", name));
  }
  const auto endpoint = TRY(arguments.text("endpoint"));
  if (!endpoint) return fail("trace what? Give ADDRESS[:PORT[/PROTOCOL]] --at TIME, or --subscriber S --from T --to T");
  WhoHad query;
  TRY_VOID(parse_endpoint(*endpoint, query));
  query.at = TRY(parse_time(arguments, "at"));
  query.skew = TRY(parse_skew(arguments));
  return query;
}

std::string query_text(const TraceQuery& query) {
  if (const auto* what = std::get_if<WhatHad>(&query)) {
    return fmt::format("subscriber {} from {} to {}", what->subscriber.text(), time_text(what->from),
                       time_text(what->to));
  }
  const WhoHad& who = std::get<WhoHad>(query);
  return fmt::format("{}{}{} at {}, skew {:g} s", who.address.text(), who.port ? fmt::format(":{}", *who.port) : "",
                     who.protocol ? "/" + protocol_name(*who.protocol) : "", time_text(who.at), seconds_of(who.skew));
}

Json shape(const TraceQuery& query, const Findings& findings) {
  Json json = std::visit([](const auto& asked) { return head(asked); }, query);
  json["verdict"] = word_of(findings.verdict);
  Json candidates = Json::array();
  std::size_t bytes = 0;
  for (const Candidate& candidate : findings.candidates) {
    Json one = shape(candidate);
    bytes += compact(one).size() + 1;
    if (bytes > kMostCandidateBytes) break;
    candidates.push_back(std::move(one));
  }
  json["candidates_found"] = findings.candidates.size();
  json["candidates"] = std::move(candidates);
  json["coverage"] = coverage_shape(findings);
  json["clock_error_seconds"] = error_shape(findings.clock_error_us);
  json["remarks"] = findings.remarks;
  json["query"] = query_text(query);
  return json;
}

}  // namespace apnat
