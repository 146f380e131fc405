// subscribers_natctl.cpp - one line a subscriber.
#include <CLI/CLI.hpp>

#include "commands/filter.h"
#include "commands/natctl.h"
#include "commands/subscribers.h"

namespace apnat {
namespace {

const std::vector<Column> kColumns = {
    {"SUBSCRIBER", [](const Json& row) { return cell(row, "subscriber"); }},
    {"EXTERNAL", [](const Json& row) { return cell(row, "external_address"); }},
    {"BLOCKS", [](const Json& row) { return cell(row, "blocks") + "/" + cell(row, "max_blocks"); },
     Column::Side::kRight},
    {"PORTS", [](const Json& row) { return cell(row, "ports"); }, Column::Side::kRight},
    {"MAPPINGS", [](const Json& row) { return cell(row, "mappings"); }, Column::Side::kRight},
    {"POOL", [](const Json& row) { return cell(row, "pool"); }, Column::Side::kLeft, true},
};

}  // namespace

void subscribers_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("subscribers", "who is active, and how much they hold");
  command->footer(
      "BLOCKS: held / may be held. PORTS: that they may use now, for each protocol.\n\n"
      "Example:\n  natctl subscribers --pool residential --count");
  auto words = std::make_shared<FilterWords>();
  words->add_to(*command, "pool subscriber external");
  command->callback([&natctl, words] {
    natctl.run = [&natctl, words] { return natctl.list("subscribers", words->arguments(), kColumns); };
  });
}

}  // namespace apnat
