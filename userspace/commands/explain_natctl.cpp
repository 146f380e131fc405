// explain_natctl.cpp - the steps numbered, the verdict last.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "commands/explain.h"
#include "commands/natctl.h"

namespace apnat {
namespace {

void show(const Json& explanation) {
  int number = 0;
  for (const Json& step : explanation["steps"]) fmt::print("{:>3}. {}\n", ++number, step.get<std::string>());
  fmt::print("\n{} ({}): {}\n", cell(explanation, "verdict"), cell(explanation, "fate"), cell(explanation, "sentence"));
}

}  // namespace

void explain_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("explain", "what would happen to this packet; nothing is changed");
  command->footer(
      "PACKET: tcp|udp|icmp SOURCE[:PORT] DESTINATION[:PORT] [ttl N] [length N] [id N] [df]\n"
      "        [mf] [offset N] [syn] [ack] [fin] [rst] [reply], or hex and the bytes of an Ethernet frame.\n"
      "        For icmp, id N is the query identifier.\n\n"
      "Example:\n  natctl explain --in eth0 tcp 100.64.3.7:5000 198.51.100.80:443 syn");
  auto interface = std::make_shared<std::string>();
  auto words = std::make_shared<std::vector<std::string>>();
  command->add_option("--in", *interface, "the interface it comes in by")->type_name("INTERFACE")->required();
  command->add_option("packet", *words, "the packet, in words")->type_name("PACKET")->required();
  command->callback([&natctl, interface, words] {
    natctl.run = [&natctl, interface, words] {
      return natctl.ask("explain", Json{{"interface", *interface}, {"packet", *words}}, show);
    };
  });
}

}  // namespace apnat
