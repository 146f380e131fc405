// trace_natctl.cpp - the answer as a document that can be filed, as CSV, or as JSON.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "commands/natctl.h"
#include "commands/trace.h"

namespace apnat {
namespace {

struct TraceWords {
  std::string endpoint;
  std::string at;
  std::string skew;
  std::string subscriber;
  std::string from;
  std::string to;
  std::string format = "text";

  Json arguments() const {
    Json json = Json::object();
    const auto put = [&](const char* name, const std::string& text) {
      if (!text.empty()) json[name] = text;
    };
    put("endpoint", endpoint);
    put("at", at);
    put("skew", skew);
    put("subscriber", subscriber);
    put("from", from);
    put("to", to);
    return json;
  }
};

std::string run_text(const Json& run) {
  const std::string first = cell(run, "port_start"), last = cell(run, "port_end");
  return first == last ? first : first + "-" + last;
}

std::string ports_cell(const Json& row) {
  const std::string protocol = cell(row, "protocol") == "-" ? "" : "/" + cell(row, "protocol");
  const auto runs = row.find("ports");
  std::string text = run_text(runs == row.end() ? row : runs->front());
  if (runs != row.end()) text += fmt::format(" and {} more runs", runs->size() - 1);
  return text + protocol;
}

std::string end_cell(const Json& row) {
  if (row["to"].is_null()) return "still";
  return (row.value("end_recorded", true) ? "" : "at the latest ") + cell(row, "to");
}

const std::vector<Column> kColumns = {
    {"SUBSCRIBER", [](const Json& row) { return cell(row, "subscriber"); }},
    {"EXTERNAL", [](const Json& row) { return cell(row, "external_address"); }},
    {"PORTS", ports_cell},
    {"FROM", [](const Json& row) { return cell(row, "from"); }},
    {"TO", end_cell},
    {"BASIS", [](const Json& row) { return cell(row, "basis"); }},
    {"POOL", [](const Json& row) { return cell(row, "pool"); }, Column::Side::kLeft, true},
};

// One sentence for each verdict.
std::string answer_text(const Json& answer) {
  const std::string verdict = cell(answer, "verdict");
  const auto found = answer.value("candidates_found", std::uint64_t{0});
  if (answer.contains("subscriber")) {
    if (verdict == "none") return "none: the subscriber had no ports in this time";
    if (verdict == "unknown") return "unknown: the history does not cover this time, and knows of no ports in it";
    return fmt::format("{} record(s)", found);
  }
  if (verdict == "unique") return "unique: " + cell(answer["candidates"].front(), "subscriber");
  if (verdict == "ambiguous") return fmt::format("ambiguous: one of those in the {} records below", found);
  if (verdict == "none") return "none: nobody had this address and port then";
  return "unknown: the history does not cover this time whole";
}

std::string question_text(const Json& answer) {
  if (answer.contains("subscriber")) {
    return fmt::format("What external ports did {} have\nfrom {} to {}?", cell(answer, "subscriber"),
                       cell(answer, "from"), cell(answer, "to"));
  }
  const std::string port = answer["external_port"].is_null() ? "" : ", port " + cell(answer, "external_port");
  const std::string protocol = answer["protocol"].is_null() ? "" : ", " + cell(answer, "protocol");
  return fmt::format("Who had {}{}{}\nat {}, give or take {} s?", cell(answer, "external_address"), port, protocol,
                     cell(answer, "at"), cell(answer, "skew_seconds"));
}

void show_signature(const Json& answer) {
  const Json& by = answer["asked_by"];
  const std::string error = answer["clock_error_seconds"].is_null()
                                ? "not known"
                                : fmt::format("at most {} s, as estimated then", cell(answer, "clock_error_seconds"));
  fmt::print("Clock error  {}\n", error);
  fmt::print("Node         {}, apnatd {}\n", cell(answer, "node"), cell(answer, "version"));
  fmt::print("Asked        {}, by {} (user id {})\n", cell(answer, "asked_at"), cell(by, "user"), cell(by, "uid"));
}

std::string missing_text(const Json& missing) {
  return fmt::format("{} to {}: {}", cell(missing, "from"), cell(missing, "to"), cell(missing, "reason"));
}

void show_text(const Json& answer) {
  fmt::print("{}\n\nAnswer       {}\n\n", question_text(answer), answer_text(answer));
  const Json& candidates = answer["candidates"];
  if (!candidates.empty()) {
    Table table(kColumns, terminal_width(), [](std::string_view line) { fmt::print("{}", line); });
    for (const Json& row : candidates) table.add(row);
    table.finish();
    const bool is_cut = std::ranges::any_of(candidates, [](const Json& row) { return row.contains("ports"); });
    if (is_cut) fmt::print("All runs of ports: natctl trace --format csv, or json.\n");
    const auto found = answer.value("candidates_found", std::uint64_t{0});
    if (found > candidates.size()) fmt::print("... and {} more\n", found - candidates.size());
    fmt::print("\n");
  }
  const Json& coverage = answer["coverage"];
  fmt::print("Coverage     {}; the history reaches from {} to {}\n",
             coverage.value("complete", false) ? "complete for the time asked" : "NOT complete for the time asked",
             cell(coverage, "from"), cell(coverage, "until"));
  for (const Json& missing : coverage["missing"]) {
    fmt::print("             missing {}\n", missing_text(missing));
  }
  for (const Json& remark : answer["remarks"]) fmt::print("Remark       {}\n", remark.get<std::string>());
  show_signature(answer);
}

// RFC 4180; null is empty.
std::string csv_cell(const Json& object, const char* key) {
  const auto value = object.find(key);
  if (value == object.end() || value->is_null()) return "";
  std::string text = value->is_string() ? value->get<std::string>() : compact(*value);
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2) text.insert(at, 1, '"');
  return '"' + text + '"';
}

// All of them: with port_layout scattered or psid the first and the last say nothing of what lies between.
std::string all_ports(const Json& row) {
  const auto runs = row.find("ports");
  if (runs == row.end()) return row.contains("port_start") ? run_text(row) : "";
  std::string text;
  for (const Json& run : *runs) text += (text.empty() ? "" : " ") + run_text(run);
  return text;
}

// In one cell.
std::string joined(const Json& list, std::string (*text_of)(const Json&)) {
  std::string text;
  for (const Json& one : list) text += (text.empty() ? "" : "; ") + text_of(one);
  return text;
}
std::string remark_text(const Json& remark) { return remark.get<std::string>(); }

// One line a candidate, the question repeated on each; a question without candidates has one line.
void show_csv(const Json& answer) {
  static constexpr const char* kOfAnswer[] = {"query", "verdict"};
  static constexpr const char* kOfCandidate[] = {"subscriber",
                                                 "pool",
                                                 "external_address",
                                                 "port_start",
                                                 "port_end",
                                                 "protocol",
                                                 "from",
                                                 "to",
                                                 "end_recorded",
                                                 "basis",
                                                 "internal_address",
                                                 "internal_port",
                                                 "destination_address",
                                                 "destination_port"};
  static constexpr const char* kAfter[] = {"clock_error_seconds", "node", "version", "asked_at"};
  std::string head;
  for (const char* key : kOfAnswer) head += fmt::format("{},", key);
  for (const char* key : kOfCandidate) head += fmt::format("{},", key);
  for (const char* key : kAfter) head += fmt::format("{},", key);
  fmt::print("{}coverage_complete,asked_by,ports,coverage_from,coverage_until,missing,remarks\r\n", head);
  const Json about = {{"missing", joined(answer["coverage"]["missing"], missing_text)},
                      {"remarks", joined(answer["remarks"], remark_text)}};
  const Json none = Json::array({Json::object()});
  const Json& rows = answer["candidates"].empty() ? none : answer["candidates"];
  for (const Json& row : rows) {
    for (const char* key : kOfAnswer) fmt::print("{},", csv_cell(answer, key));
    for (const char* key : kOfCandidate) fmt::print("{},", csv_cell(row, key));
    for (const char* key : kAfter) fmt::print("{},", csv_cell(answer, key));
    fmt::print("{},{},", csv_cell(answer["coverage"], "complete"), csv_cell(answer["asked_by"], "uid"));
    fmt::print("{},{},{},", all_ports(row), csv_cell(answer["coverage"], "from"),
               csv_cell(answer["coverage"], "until"));
    fmt::print("{},{}\r\n", csv_cell(about, "missing"), csv_cell(about, "remarks"));
  }
}

ExitCode run(const Natctl& natctl, const TraceWords& words) {
  const auto answer = natctl.call("trace", words.arguments());
  if (!answer) return complain(answer.error());
  if (natctl.json || words.format == "json") {
    fmt::print("{}\n", answer->dump(2, ' ', false, Json::error_handler_t::replace));
  } else if (words.format == "csv") {
    show_csv(*answer);
  } else {
    show_text(*answer);
  }
  return ExitCode::kDone;
}

}  // namespace

void trace_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("trace", "who had this address and port then; what a subscriber had");
  command->footer(
      "Verdict: unique, ambiguous (all who may have had it), none, or unknown (the history does not cover the time).\n"
      "TIME is RFC 3339. Every question is itself an event.\n\n"
      "Examples:\n  natctl trace 203.0.113.5:40001/tcp --at 2026-03-01T10:00:00Z --skew 2\n"
      "  natctl trace --subscriber 100.64.3.7 --from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z");
  auto words = std::make_shared<TraceWords>();
  command->add_option("endpoint", words->endpoint, "the external address, its port, the protocol")
      ->type_name("ADDRESS[:PORT[/PROTOCOL]]");
  command->add_option("--at", words->at, "when")->type_name("TIME");
  command->add_option("--skew", words->skew, "how wrong that time may be, either way")->type_name("SECONDS");
  command->add_option("--subscriber", words->subscriber, "a subscriber, instead of an address")->type_name("PREFIX");
  command->add_option("--from", words->from, "the first moment, with --subscriber")->type_name("TIME");
  command->add_option("--to", words->to, "the last moment, with --subscriber")->type_name("TIME");
  command->add_option("--format", words->format, "text, json or csv")
      ->check(CLI::IsMember({"text", "json", "csv"}))
      ->capture_default_str();
  command->callback([&natctl, words] { natctl.run = [&natctl, words] { return run(natctl, *words); }; });
}

}  // namespace apnat
