// table_test.cpp - tables align, and fit the terminal.
#include "commands/table.h"

#include <catch2/catch.hpp>

#include "commands/natctl.h"

using namespace apnat;

namespace {

std::vector<Column> columns() {
  return {{"NAME", [](const Json& row) { return cell(row, "name"); }, Column::Side::kLeft, true},
          {"COUNT", [](const Json& row) { return cell(row, "count"); }, Column::Side::kRight},
          {"MEANING", [](const Json& row) { return cell(row, "meaning"); }, Column::Side::kLeft, true}};
}

std::string printed(std::size_t width, const std::vector<Json>& rows) {
  std::string out;
  Table table(columns(), width, [&](std::string_view line) { out += line; });
  for (const Json& row : rows) table.add(row);
  table.finish();
  return out;
}

}  // namespace

TEST_CASE("columns are as wide as their widest cell, numbers to the right") {
  CHECK(printed(0, {Json{{"name", "a"}, {"count", 5}, {"meaning", "short"}},
                    Json{{"name", "longer name"}, {"count", 12345678}, {"meaning", "x"}}}) ==
        "NAME            COUNT  MEANING\n"
        "a                   5  short\n"
        "longer name  12345678  x\n");
}

TEST_CASE("an empty table prints its titles") { CHECK(printed(80, {}) == "NAME  COUNT  MEANING\n"); }

TEST_CASE("in a narrow terminal the last column is wrapped at blanks, others are cut") {
  const std::string out = printed(
      30, {Json{{"name", "a very long name of a pool"}, {"count", 5}, {"meaning", "inbound, and no mapping for it"}}});
  std::size_t from = 0;
  for (std::size_t end; (end = out.find('\n', from)) != std::string::npos; from = end + 1) {
    INFO(out);
    CHECK(end - from <= 30 + 2);  // an ellipsis is one character of three bytes
  }
  CHECK(out.find("…") != std::string::npos);
  CHECK(out.find("inbound,\n") != std::string::npos);
}

TEST_CASE("characters count, not bytes") {
  CHECK(printed(0, {Json{{"name", "käse"}, {"count", 1}, {"meaning", ""}},
                    Json{{"name", "abcd"}, {"count", 1}, {"meaning", ""}}}) ==
        "NAME  COUNT  MEANING\nkäse      1\nabcd      1\n");
}

TEST_CASE("of very many rows only the first are held back") {
  std::size_t lines = 0;
  Table table(columns(), 0, [&](std::string_view) { ++lines; });
  for (std::size_t i = 0; i < Table::kSample - 1; ++i) table.add(Json{{"name", "x"}, {"count", 1}});
  CHECK(lines == 0);
  table.add(Json{{"name", "x"}, {"count", 1}});
  CHECK(lines == Table::kSample + 1);
  table.add(Json{{"name", "wider than all before"}, {"count", 1}});
  CHECK(lines == Table::kSample + 2);
}

TEST_CASE("numbers and times are for people") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1234567) == "1,234,567");
  CHECK(duration_text(0) == "0 s");
  CHECK(duration_text(59) == "59 s");
  CHECK(duration_text(60) == "1 min 0 s");
  CHECK(duration_text(11'520) == "3 h 12 min");
  CHECK(duration_text(90'000) == "1 d 1 h");
}
