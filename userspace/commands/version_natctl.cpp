// version_natctl.cpp - an agent that is not there is no mistake here.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "commands/natctl.h"
#include "commands/version.h"

namespace apnat {
namespace {

ExitCode show(const Natctl& natctl) {
  const auto agent = natctl.call("version", Json::object());
  if (natctl.json) {
    fmt::print("{}\n", Json{{"natctl", APNAT_VERSION}, {"agent", agent ? *agent : Json()}}.dump(2));
    return ExitCode::kDone;
  }
  fmt::print("natctl {}\n", APNAT_VERSION);
  if (agent) {
    fmt::print("apnatd {}, tables {}, kernel {}\n", cell(*agent, "version"), cell(*agent, "abi"),
               cell(*agent, "kernel"));
  } else {
    fmt::print("apnatd: {}\n", agent.error().text);
  }
  return ExitCode::kDone;
}

}  // namespace

void version_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("version", "natctl's version, and the agent's if there is one");
  command->footer("Example:\n  natctl --json version");
  command->callback([&natctl] { natctl.run = [&natctl] { return show(natctl); }; });
}

}  // namespace apnat
