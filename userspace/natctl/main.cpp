// main.cpp - natctl's command line: the options before the command, and the commands.
#include <CLI/CLI.hpp>

#include "commands/command.h"
#include "commands/natctl.h"

using namespace apnat;

int main(int argc, char** argv) {
  Natctl natctl;
  std::string socket = natctl.socket.string();
  CLI::App app{"natctl, the operator's hand on the apnat address-sharing gateway", "natctl"};
  app.footer(
      "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 the agent is not reachable.\n"
      "natctl COMMAND --help shows an example of each.");
  app.add_option("--socket", socket, "the agent's control socket")->capture_default_str()->type_name("PATH");
  app.add_flag("--json", natctl.json, "one JSON document (events: one object a line)");
  app.require_subcommand(1);
  for (NatctlEnd add : kNatctlCommands) add(app, natctl);
  for (CLI::App* command : app.get_subcommands({})) command->fallthrough();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  natctl.socket = socket;
  return static_cast<int>(natctl.run());
}
