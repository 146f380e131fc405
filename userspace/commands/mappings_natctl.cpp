// mappings_natctl.cpp - one line a mapping.
#include <CLI/CLI.hpp>

#include "commands/filter.h"
#include "commands/mappings.h"
#include "commands/natctl.h"

namespace apnat {
namespace {

const std::vector<Column> kColumns = {
    {"PROTOCOL", [](const Json& row) { return cell(row, "protocol"); }},
    {"INTERNAL", [](const Json& row) { return endpoint_cell(row, "internal"); }},
    {"EXTERNAL", [](const Json& row) { return endpoint_cell(row, "external"); }},
    {"STATE", [](const Json& row) { return cell(row, "state"); }},
    {"IDLE", [](const Json& row) { return cell(row, "idle_seconds") + " s"; }, Column::Side::kRight},
    {"POOL", [](const Json& row) { return cell(row, "pool"); }, Column::Side::kLeft, true},
};

}  // namespace

void mappings_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("mappings", "the mappings that live now");
  command->footer(
      "For ICMP queries the port is the identifier. STATE of TCP is RFC 7857's.\n\n"
      "Example:\n  natctl mappings --subscriber 100.64.3.7 --protocol tcp --limit 20");
  auto words = std::make_shared<FilterWords>();
  words->add_to(*command, "pool subscriber external protocol");
  command->callback([&natctl, words] {
    natctl.run = [&natctl, words] { return natctl.list("mappings", words->arguments(), kColumns); };
  });
}

}  // namespace apnat
