// natctl.h - what natctl's end of every command has at hand: the options before
// the command, the way to the agent, and how an answer is shown.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "commands/table.h"
#include "control/protocol.h"

namespace apnat {

struct Natctl {
  std::filesystem::path socket = "/run/apnat/apnatd.sock";
  bool json = false;

  // What the command line asked for; set while it is parsed, run afterwards.
  std::function<ExitCode()> run;

  std::expected<Json, Refusal> call(const std::string& command, const Json& arguments,
                                    const std::function<bool(Json&&)>& row = {}) const;

  // Asks, and hands the result to `show`; with --json the result is printed as it is.
  ExitCode ask(const std::string& command, const Json& arguments, const std::function<void(const Json&)>& show) const;

  // Asks for rows and shows them: a table, or with --json one JSON array.
  ExitCode list(const std::string& command, const Json& arguments, const std::vector<Column>& columns) const;
};

// Says why on stderr.
ExitCode complain(const Refusal& refusal);

// A row's member as a table shows it: text bare, null as "-".
std::string cell(const Json& row, const char* key);
// "203.0.113.5:8080" of a row's `side`_address and `side`_port.
std::string endpoint_cell(const Json& row, const std::string& side);
// 1234567 -> "1,234,567"
std::string grouped(std::uint64_t number);
// Seconds as two units at most: "3 h 12 min".
std::string duration_text(std::uint64_t seconds);

}  // namespace apnat
