// main.cpp - apnatd's command line; then Daemon.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>

#include "apnatd/daemon.h"
#include "apnatd/load_plan.h"
#include "base/log.h"

using namespace apnat;

namespace {

constexpr int kNoAgentThere = 3;  // natctl's word for it: it becomes `apnatd --detach` where nobody listens
constexpr int kDetached = 4;      // deploy/apnatd.service does not start the agent again after this

struct Options {
  std::string config = "/etc/apnat/apnatd.toml";
  std::string socket;
  bool check = false;
  bool detach = false;
};

int refused(const Error& error) {
  fmt::print(stderr, "apnatd: {}\n", error.text);
  return 1;
}

int check_file(const Options& options) {
  const auto plan = check_plan(options.config);
  if (!plan) return refused(plan.error());
  fmt::print("{}: fine; {} pool(s), {} MiB of tables\n", options.config, plan->pools.size(),
             plan->memory_bytes() >> 20);
  return 0;
}

bool is_same_place(const std::filesystem::path& one, const std::filesystem::path& other) {
  std::error_code error;
  return std::filesystem::weakly_canonical(one, error) == std::filesystem::weakly_canonical(other, error);
}

// Whoever asked for the agent at one socket does not mean the gateway of another.
int not_of_this_socket(const Options& options, const std::string& socket) {
  fmt::print(stderr,
             "apnatd: nothing was done: there is no agent at {0}, and {1} is of another, at {2}. For that one: natctl "
             "--socket {2} detach. For {0}: --config with the file whose [paths] socket it is\n",
             options.socket, options.config, socket);
  return kNoAgentThere;
}

// An agent would attach again, over tables that have lost their pins.
int refused_at_work(const Error& error, const std::string& socket) {
  return refused({0, fmt::format("nothing was done: {}. Let it detach (natctl --socket {} detach), or stop it first "
                                 "(systemctl stop apnatd)",
                                 error.text, socket)});
}

int detach(const Options& options) {
  const auto plan = check_plan(options.config);
  if (!plan) return refused(plan.error());
  const std::filesystem::path& socket = plan->config.paths.socket;
  if (!options.socket.empty() && !is_same_place(options.socket, socket)) {
    return not_of_this_socket(options, socket.string());
  }
  std::vector<std::string> interfaces;
  for (const PlannedInterface& interface : plan->interfaces) interfaces.push_back(interface.name);
  const auto detached = Datapath::detach(plan->config.paths, interfaces);
  if (!detached && detached.error().code == EWOULDBLOCK) return refused_at_work(detached.error(), socket.string());
  if (!detached) return refused(detached.error());
  fmt::print("detached\n");
  return 0;
}

int run(const Options& options) {
  ::signal(SIGPIPE, SIG_IGN);
  auto daemon = Daemon::start(options.config);
  if (!daemon) return refused(daemon.error());
  const auto end = (*daemon)->run();
  if (!end) return refused(end.error());
  return *end == Daemon::End::kDetached ? kDetached : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"apnatd, the agent of the apnat address-sharing gateway", "apnatd"};
  app.footer(
      "SIGHUP: reload. SIGTERM: stop; the data plane goes on translating.\n\n"
      "Example:\n  apnatd --config /etc/apnat/apnatd.toml --check");
  app.add_option("--config", options.config, "the configuration")->capture_default_str()->type_name("FILE");
  app.add_flag("--check", options.check, "say whether the configuration is right, and end");
  auto* detach_flag =
      app.add_flag("--detach", options.detach, "take a data plane without agent off its interfaces, and end");
  app.add_option("--socket", options.socket, "with --detach: only if the configuration's control socket is this one")
      ->needs(detach_flag)
      ->type_name("PATH");
  app.set_version_flag("--version", "apnatd " APNAT_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (options.check) return check_file(options);
  if (options.detach) return detach(options);
  return run(options);
}
