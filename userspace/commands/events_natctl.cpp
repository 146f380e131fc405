// events_natctl.cpp - line by line, at once.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

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

ExitCode follow(const Natctl& natctl) {
  const auto result = natctl.call("events", Json::object(), [&](Json&& event) {
    fmt::print("{}\n", natctl.json ? compact(event) : sentence(event));
    std::fflush(stdout);
    return std::ferror(stdout) == 0;
  });
  return result ? ExitCode::kDone : complain(result.error());
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
