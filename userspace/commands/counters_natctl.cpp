// counters_natctl.cpp - the sentences are the contract's; the agent sends names and numbers.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <map>
#include <thread>

#include "commands/counters.h"
#include "commands/natctl.h"

namespace apnat {
namespace {

const std::map<std::string, std::string, std::less<>> kSentences = {
#define VERDICT(name, fate, icmp, sentence) {#name, sentence},
#include "apnat/verdicts.def"
#undef VERDICT
};

struct Watch {
  bool on = false;
  bool all = false;
};

Json rows_of(const Json& counters, const Json& before, bool all) {
  Json rows = Json::array();
  for (const auto& [name, count] : counters.items()) {
    const std::uint64_t now = count.get<std::uint64_t>();
    const std::uint64_t then = before.is_object() ? before.value(name, std::uint64_t{0}) : now;
    const auto sentence = kSentences.find(name);
    if (!all && now == 0) continue;
    rows.push_back({{"name", name},
                    {"count", now},
                    {"per_second", now - std::min(then, now)},
                    {"sentence", sentence == kSentences.end() ? "" : sentence->second}});
  }
  return rows;
}

std::vector<Column> columns(bool with_rate) {
  const auto number = [](const char* key) {
    return [key](const Json& row) { return grouped(row[key].get<std::uint64_t>()); };
  };
  std::vector<Column> all = {{"VERDICT", [](const Json& row) { return cell(row, "name"); }},
                             {"COUNT", number("count"), Column::Side::kRight}};
  if (with_rate) all.push_back({"PER SECOND", number("per_second"), Column::Side::kRight});
  all.push_back({"MEANING", [](const Json& row) { return cell(row, "sentence"); }, Column::Side::kLeft, true});
  return all;
}

void show(const Json& rows, bool with_rate) {
  Table table(columns(with_rate), terminal_width(), [](std::string_view line) { fmt::print("{}", line); });
  for (const Json& row : rows) table.add(row);
  table.finish();
}

// The second table: the slow path's datagrams are made of packets that the first one has counted.
ExitCode show_both(const Natctl& natctl) {
  const ExitCode packets =
      natctl.ask("counters", Json::object(), [](const Json& now) { show(rows_of(now, Json(), true), false); });
  if (packets != ExitCode::kDone || natctl.json) return packets;
  return natctl.ask("status", Json::object(), [](const Json& status) {
    const Json rows = rows_of(status["slow_path"]["verdicts"], Json(), false);
    if (rows.empty()) return;
    fmt::print("\nof datagrams that the agent has put together, and packets it looked at again:\n");
    show(rows, false);
  });
}

// Until the agent or the terminal goes.
ExitCode watch(const Natctl& natctl) {
  const bool is_terminal = ::isatty(STDOUT_FILENO);
  Json before;
  for (;;) {
    const auto now = natctl.call("counters", Json::object());
    if (!now) return complain(now.error());
    if (natctl.json) {
      fmt::print("{}\n", compact(*now));
    } else {
      fmt::print("{}", is_terminal ? "\033[H\033[2J" : "");
      show(rows_of(*now, before, false), true);
      fmt::print("{}", is_terminal ? "" : "\n");
    }
    std::fflush(stdout);
    if (std::ferror(stdout)) return ExitCode::kDone;
    before = *now;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace

void counters_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("counters", "every way a packet can end, and how many did");
  command->footer(
      "Every packet ends in exactly one: their sum is the number of packets seen.\n\n"
      "Example:\n  natctl counters --watch");
  auto chosen = std::make_shared<Watch>();
  command->add_flag("--watch", chosen->on, "again every second, with the rate; only those that are not 0");
  command->callback([&natctl, chosen] {
    natctl.run = [&natctl, chosen] {
      if (chosen->on) return watch(natctl);
      return show_both(natctl);
    };
  });
}

}  // namespace apnat
