// blocks_natctl.cpp - one line a block.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "commands/blocks.h"
#include "commands/filter.h"
#include "commands/natctl.h"

namespace apnat {
namespace {

// "1024-1535"; a block in several runs: the first, and how many more there are.
std::string ports_cell(const Json& row) {
  const auto runs = row.find("ports");
  const Json& first = runs == row.end() ? row : runs->front();
  const std::string text = cell(first, "port_start") + "-" + cell(first, "port_end");
  return runs == row.end() ? text : fmt::format("{} and {} more runs", text, runs->size() - 1);
}

const std::vector<Column> kColumns = {
    {"SUBSCRIBER", [](const Json& row) { return cell(row, "subscriber"); }},
    {"EXTERNAL", [](const Json& row) { return cell(row, "external_address"); }},
    {"PORTS", ports_cell},
    {"MAPPINGS", [](const Json& row) { return cell(row, "mappings"); }, Column::Side::kRight},
    {"ASSIGNED",
     [](const Json& row) {
       return row.value("assigned_at", Json()).is_null() ? std::string("by configuration") : cell(row, "assigned_at");
     }},
    {"POOL", [](const Json& row) { return cell(row, "pool"); }, Column::Side::kLeft, true},
};

}  // namespace

void blocks_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("blocks", "the port blocks, and whose they are");
  command->footer(
      "A block's ports serve every transport protocol.\n\n"
      "Example:\n  natctl blocks --external 203.0.113.5:40001");
  auto words = std::make_shared<FilterWords>();
  words->add_to(*command, "pool subscriber external");
  command->callback([&natctl, words] {
    natctl.run = [&natctl, words] { return natctl.list("blocks", words->arguments(), kColumns); };
  });
}

}  // namespace apnat
