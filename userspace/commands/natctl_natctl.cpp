// natctl_natctl.cpp - calls, lists and how numbers look.
#include <fmt/format.h>

#include <cstdio>

#include "commands/natctl.h"
#include "control/client.h"

namespace apnat {
namespace {

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// Rows as one JSON array, a row a line, without holding them.
struct JsonArray {
  bool empty = true;
  void add(const Json& row) {
    print(empty ? "[\n" : ",\n");
    print(compact(row));
    empty = false;
  }
  void finish() const { print(empty ? "[]\n" : "\n]\n"); }
};

}  // namespace

ExitCode complain(const Refusal& refusal) {
  std::fflush(stdout);
  fmt::print(stderr, "natctl: {}\n", refusal.text);
  return refusal.code;
}

std::expected<Json, Refusal> Natctl::call(const std::string& command, const Json& arguments,
                                          const std::function<bool(Json&&)>& row) const {
  const auto ignore = [](Json&&) { return true; };
  return Client(socket).call({command, Arguments(arguments)}, row ? row : ignore);
}

ExitCode Natctl::ask(const std::string& command, const Json& arguments,
                     const std::function<void(const Json&)>& show) const {
  const auto result = call(command, arguments);
  if (!result) return complain(result.error());
  if (json) {
    print(result->dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  } else {
    show(*result);
  }
  return ExitCode::kDone;
}

ExitCode Natctl::list(const std::string& command, const Json& arguments, const std::vector<Column>& columns) const {
  JsonArray array;
  Table table(columns, terminal_width(), print);
  const auto result = call(command, arguments, [&](Json&& row) {
    json ? array.add(row) : table.add(row);
    return std::ferror(stdout) == 0;
  });
  if (!result) return complain(result.error());
  if (result->is_object() && result->contains("count")) {
    print(json ? compact(*result) + "\n" : cell(*result, "count") + "\n");
  } else {
    json ? array.finish() : table.finish();
  }
  return ExitCode::kDone;
}

std::string cell(const Json& row, const char* key) {
  const auto value = row.find(key);
  if (value == row.end() || value->is_null()) return "-";
  return value->is_string() ? value->get<std::string>() : compact(*value);
}

std::string endpoint_cell(const Json& row, const std::string& side) {
  return cell(row, (side + "_address").c_str()) + ":" + cell(row, (side + "_port").c_str());
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string duration_text(std::uint64_t seconds) {
  struct Unit {
    std::uint64_t seconds;
    const char* name;
  };
  static constexpr Unit kUnits[] = {{86'400, "d"}, {3'600, "h"}, {60, "min"}, {1, "s"}};
  for (std::size_t i = 0; i + 1 < std::size(kUnits); ++i) {
    const std::uint64_t whole = seconds / kUnits[i].seconds;
    const std::uint64_t rest = seconds % kUnits[i].seconds / kUnits[i + 1].seconds;
    if (whole) return fmt::format("{} {} {} {}", whole, kUnits[i].name, rest, kUnits[i + 1].name);
  }
  return fmt::format("{} s", seconds);
}

}  // namespace apnat
