// detach_natctl.cpp - asks first. Where no agent is, apnatd itself is run to do it: natctl knows nothing of the data
// plane, nor of the configuration. An agent that is there and does not answer may be at work: then nothing is done.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/detach.h"
#include "commands/natctl.h"

namespace apnat {
namespace {

struct Words {
  bool yes = false;
  std::string config = "/etc/apnat/apnatd.toml";
};

bool is_agreed() {
  fmt::print(
      "This takes the gateway off its interfaces and forgets every mapping: subscribers lose their\n"
      "connections. Type yes to go on: ");
  std::fflush(stdout);
  std::string answer;
  return std::getline(std::cin, answer) && answer == "yes";
}

// The apnatd beside this natctl, else the one of PATH.
ExitCode detach_without_agent(const std::string& socket, const std::string& config) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string beside = (self.parent_path() / "apnatd").string();
  const char* const arguments[] = {"apnatd",   "--detach",     "--config", config.c_str(),
                                   "--socket", socket.c_str(), nullptr};
  std::fflush(stdout);
  ::execv(beside.c_str(), const_cast<char* const*>(arguments));
  ::execvp("apnatd", const_cast<char* const*>(arguments));
  return complain({ExitCode::kUnreachable, "apnatd is neither running nor installed where natctl can find it"});
}

ExitCode detach(const Natctl& natctl, const Words& words) {
  if (!words.yes && !is_agreed()) return complain({ExitCode::kRefused, "nothing was done"});
  const auto result = natctl.call("detach", Json::object());
  if (!result && result.error().nobody_listens) {
    fmt::print(stderr, "natctl: {}; running apnatd --detach --config {}\n", result.error().text, words.config);
    return detach_without_agent(natctl.socket.string(), words.config);
  }
  if (!result) return complain(result.error());
  if (natctl.json) {
    fmt::print("{}\n", result->dump(2));
  } else {
    std::vector<std::string> names;
    for (const Json& name : result->value("interfaces", Json::array())) names.push_back(name.get<std::string>());
    fmt::print("detached from {}; the agent ends\n", fmt::join(names, ", "));
  }
  return ExitCode::kDone;
}

}  // namespace

void detach_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("detach", "off the interfaces: nothing is translated any more");
  command->footer(
      "Where no agent listens, the interfaces and paths are those of the configuration file, if the socket is.\n\n"
      "Example:\n  natctl detach --yes");
  auto words = std::make_shared<Words>();
  command->add_flag("--yes", words->yes, "do not ask");
  command->add_option("--config", words->config, "used where no agent runs")->capture_default_str()->type_name("FILE");
  command->callback([&natctl, words] { natctl.run = [&natctl, words] { return detach(natctl, *words); }; });
}

}  // namespace apnat
