// translator.cpp - the translator without its agent, between the interfaces `inside`
// and `outside` of this namespace, until its standard input ends. For tuning the data
// plane: tools/bench --no-agent.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "gateway.h"

namespace {

using namespace apnat;
using namespace apnat::bench;

Result<void> serve(const std::string& pins) {
  Standalone standalone = TRY(Standalone::in_this_network());
  TRY_VOID(standalone.pin(pins));
  TRY_VOID(standalone.attach());
  fmt::print("ready\n");
  std::fflush(stdout);
  while (std::getchar() != EOF) continue;
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  std::string pins;
  CLI::App app{"The translator without an agent, until standard input ends."};
  app.add_option("--pins", pins, "where to leave program and tables, in a bpffs")->required();
  CLI11_PARSE(app, argc, argv);
  if (auto done = serve(pins); !done) {
    fmt::print(stderr, "translator: {}\n", done.error().text);
    return 1;
  }
  return 0;
}
