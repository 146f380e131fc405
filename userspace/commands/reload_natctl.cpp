// reload_natctl.cpp - one line a change.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "commands/natctl.h"
#include "commands/reload.h"

namespace apnat {
namespace {

void show(const Json& result) {
  const bool applied = result.value("applied", false);
  if (result["changes"].empty()) {
    fmt::print("nothing {}\n", applied ? "changed" : "would change");
    return;
  }
  for (const Json& line : result["changes"]) fmt::print("{}\n", line.get<std::string>());
  if (!applied) fmt::print("nothing was changed: this was a dry run\n");
}

}  // namespace

void reload_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("reload", "apply the configuration file; mappings survive");
  command->footer(
      "A file with a mistake is refused as a whole, and the running configuration stays.\n\n"
      "Example:\n  natctl reload --dry-run");
  auto dry_run = std::make_shared<bool>(false);
  command->add_flag("--dry-run", *dry_run, "only say what would change");
  command->callback([&natctl, dry_run] {
    natctl.run = [&natctl, dry_run] { return natctl.ask("reload", Json{{"dry_run", *dry_run}}, show); };
  });
}

}  // namespace apnat
