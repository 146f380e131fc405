// main.cpp - apnatd's command line; then Daemon.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "apnatd/daemon.h"
#include "apnatd/load_plan.h"
#include "base/log.h"

using namespace apnat;

namespace {

constexpr int kDetached = 4;  // deploy/apnatd.service does not start the agent again after this

struct Options {
  std::string config = "/etc/apnat/apnatd.toml";
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

int detach(const Options& options) {
  const auto plan = check_plan(options.config);
  if (!plan) return refused(plan.error());
  std::vector<std::string> interfaces;
  for (const PlannedInterface& interface : plan->interfaces) interfaces.push_back(interface.name);
  const auto detached = Datapath::detach(plan->config.paths, interfaces);
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
  app.add_flag("--detach", options.detach, "take a data plane without agent off its interfaces, and end");
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
