// pools_natctl.cpp - one line a pool.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "commands/filter.h"
#include "commands/natctl.h"
#include "commands/pools.h"

namespace apnat {
namespace {

const std::vector<Column> kColumns = {
    {"POOL", [](const Json& row) { return cell(row, "name"); }, Column::Side::kLeft, true},
    {"ASSIGNMENT", [](const Json& row) { return cell(row, "assignment"); }},
    {"ADDRESSES", [](const Json& row) { return cell(row, "external_addresses"); }, Column::Side::kRight},
    {"SUBSCRIBERS", [](const Json& row) { return cell(row, "active_subscribers") + "/" + cell(row, "subscribers"); },
     Column::Side::kRight},
    {"BLOCKS", [](const Json& row) { return cell(row, "blocks_assigned") + "/" + cell(row, "blocks"); },
     Column::Side::kRight},
    {"FULL", [](const Json& row) { return cell(row, "full_percent") + " %"; }, Column::Side::kRight},
    {"MAPPINGS", [](const Json& row) { return cell(row, "mappings"); }, Column::Side::kRight},
    {"SHARING", [](const Json& row) { return cell(row, "sharing_ratio"); }, Column::Side::kRight},
};

}  // namespace

void pools_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("pools", "the pools, and how full they are");
  command->footer(
      "SUBSCRIBERS and BLOCKS: in use / there can be. SHARING: active subscribers an address.\n\n"
      "Example:\n  natctl pools --pool residential");
  auto words = std::make_shared<FilterWords>();
  words->add_to(*command, "pool");
  command->callback([&natctl, words] {
    natctl.run = [&natctl, words] { return natctl.list("pools", words->arguments(), kColumns); };
  });
}

}  // namespace apnat
