// events_natctl.cpp - line by line, at once.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <thread>

#include "commands/events.h"
#include "commands/natctl.h"

namespace apnat {
namespace {

// time event name=value …
std::string sentence(const Json& event) {
  std::string text = fmt::format("{}  {:<20}", cell(event, "time"), cell(event, "event"));
  for (const auto& [name, value] : event.items()) {
    if (name == "time" || name == "event" || name == "node") continue;
    text += fmt::format(" {}={}", name, cell(event, name.c_str()));
  }
  return text;
}

// How long between two attempts to find the agent again.
constexpr auto kPause = std::chrono::milliseconds(200);

// An agent that was there once comes back: it is being restarted or upgraded, and the data plane goes on without it.
// What happens meanwhile waits in the ring for the next agent, which may hand it on before we have found it.
ExitCode follow(const Natctl& natctl) {
  const auto no_rows = [](Json&&) { return true; };
  if (auto there = natctl.call("version", Json::object(), no_rows); !there) return complain(there.error());
  bool is_away = false;
  std::uint64_t last_seq = 0;
  for (;;) {
    const auto result = natctl.call("events", Json::object(), [&](Json&& event) {
      const std::uint64_t seq = event.value("seq", std::uint64_t{0});
      if (is_away && seq > last_seq + 1) {
        fmt::print(stderr, "natctl: events {} to {} passed meanwhile; the sinks have them\n", last_seq + 1, seq - 1);
      }
      is_away = false;
      last_seq = seq;
      fmt::print("{}\n", natctl.json ? compact(event) : sentence(event));
      std::fflush(stdout);
      return std::ferror(stdout) == 0;
    });
    if (result) return ExitCode::kDone;
    if (result.error().code != ExitCode::kUnreachable) return complain(result.error());
    if (!is_away) fmt::print(stderr, "natctl: {}; waiting for it to come back\n", result.error().text);
    is_away = true;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

void events_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("events", "the stream of events, live");
  command->footer(
      "With --json the lines are exactly the sinks'. What has passed is in the sinks ([[event_sink]]).\n\n"
      "Example:\n  natctl --json events --follow | jq 'select(.event == \"pool_exhausted\")'");
  auto on = std::make_shared<bool>(false);
  command->add_flag("--follow", *on, "from now on, until interrupted")->required();
  command->callback([&natctl, on] { natctl.run = [&natctl] { return follow(natctl); }; });
}

}  // namespace apnat
