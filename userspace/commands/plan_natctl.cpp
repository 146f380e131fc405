// plan_natctl.cpp - asks nobody: the arithmetic is config/sizing.h.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "commands/natctl.h"
#include "commands/plan.h"
#include "config/sizing.h"

namespace apnat {
namespace {

struct Words {
  SizingQuestion question;
  std::string ports = "1024-65535";
  std::string assignment = "dynamic";
  std::string log = "blocks";
};

void add_options(CLI::App& command, Words& words) {
  SizingQuestion& question = words.question;
  command.add_option("--subscribers", question.subscribers, "how many there are")->required()->type_name("N");
  command.add_option("--addresses", question.external_addresses, "external addresses")->required()->type_name("N");
  command.add_option("--block-size", question.block_size, "ports in a block")->capture_default_str()->type_name("N");
  command.add_option("--max-blocks", question.max_blocks, "a subscriber's quota")
      ->capture_default_str()
      ->type_name("N");
  command.add_option("--ports", words.ports, "what subscribers may get")
      ->capture_default_str()
      ->type_name("FIRST-LAST");
  command.add_option("--assignment", words.assignment, "")
      ->capture_default_str()
      ->check(CLI::IsMember({"dynamic", "deterministic"}));
  command.add_option("--log", words.log, "")
      ->capture_default_str()
      ->check(CLI::IsMember({"blocks", "mappings", "mappings_with_destination"}));
  SizingAssumptions& assume = question.assume;
  command.add_option("--connections-per-day", assume.connections_per_subscriber_day, "of a subscriber")
      ->capture_default_str();
  command.add_option("--blocks-per-day", assume.blocks_per_subscriber_day, "given to a subscriber")
      ->capture_default_str();
  command.add_option("--blocks-in-use", assume.blocks_in_use, "by an active subscriber at the busy hour")
      ->capture_default_str();
  command.add_option("--active-share", assume.active_share, "of the subscribers, at the busy hour")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--record-bytes", assume.record_bytes, "one event as JSON")->capture_default_str();
}

std::string bytes_text(double bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < std::size(kUnits)) bytes /= 1000, ++unit;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, kUnits[unit]);
}

void show(const SizingQuestion& question, const Sizing& sizing) {
  const auto line = [](const char* what, const std::string& value) { fmt::print("{:<36}{}\n", what, value); };
  line("subscribers an address", fmt::format("{:.1f}", sizing.sharing_ratio));
  line("ports each, shared evenly", grouped(sizing.ports_each));
  if (question.assignment == ASSIGN_DYNAMIC) {
    line("ports each, at most", grouped(sizing.most_ports_each));
    line("blocks", fmt::format("{} ({} an address)", grouped(sizing.blocks), sizing.blocks_per_address));
    line("subscribers active at once", grouped(sizing.subscribers_at_once));
  }
  line("memory", bytes_text(static_cast<double>(sizing.memory_bytes)));
  line("log records a day",
       fmt::format("{:.0f} (mean {:.1f} a second)", sizing.records_per_day, sizing.mean_records_per_second));
  line("log a day", bytes_text(sizing.log_bytes_per_day));
  line("log a year", bytes_text(sizing.log_bytes_per_year));
  for (const std::string& remark : sizing.remarks) fmt::print("! {}\n", remark);
}

Json shape(const Sizing& sizing) {
  return Json{{"sharing_ratio", sizing.sharing_ratio},
              {"ports_each", sizing.ports_each},
              {"most_ports_each", sizing.most_ports_each},
              {"blocks_per_address", sizing.blocks_per_address},
              {"blocks", sizing.blocks},
              {"subscribers_at_once", sizing.subscribers_at_once},
              {"memory_bytes", sizing.memory_bytes},
              {"records_per_day", sizing.records_per_day},
              {"mean_records_per_second", sizing.mean_records_per_second},
              {"log_bytes_per_day", sizing.log_bytes_per_day},
              {"log_bytes_per_year", sizing.log_bytes_per_year},
              {"remarks", sizing.remarks}};
}

ExitCode plan_deployment(const Natctl& natctl, Words words) {
  const auto ports = PortRange::parse(words.ports);
  if (!ports) return complain({ExitCode::kUsage, "--ports: " + ports.error().text});
  words.question.ports = *ports;
  words.question.assignment = words.assignment == "dynamic" ? ASSIGN_DYNAMIC : ASSIGN_DETERMINISTIC;
  words.question.log = words.log == "blocks"     ? LOG_BLOCKS
                       : words.log == "mappings" ? LOG_MAPPINGS
                                                 : LOG_MAPPINGS_WITH_DESTINATION;
  const auto answer = sizing(words.question);
  if (!answer) return complain({ExitCode::kRefused, answer.error().text});
  if (natctl.json) {
    fmt::print("{}\n", shape(*answer).dump(2));
  } else {
    show(words.question, *answer);
  }
  return ExitCode::kDone;
}

}  // namespace

void plan_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("plan", "what so many subscribers would need; asks no agent");
  command->footer("Example:\n  natctl plan --subscribers 100000 --addresses 1600 --block-size 512");
  auto words = std::make_shared<Words>();
  add_options(*command, *words);
  command->callback([&natctl, words] { natctl.run = [&natctl, words] { return plan_deployment(natctl, *words); }; });
}

}  // namespace apnat
