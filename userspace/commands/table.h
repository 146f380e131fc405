// table.h - rows of text in aligned columns that fit the terminal. Pure: what is
// printed goes through a function.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control/protocol.h"

namespace apnat {

struct Column {
  enum class Side { kLeft, kRight };

  std::string title;
  std::function<std::string(const Json& row)> text;
  Side side = Side::kLeft;
  bool may_shrink = false;  // cut with an ellipsis where the terminal is narrow; the last column is wrapped instead
};

// Rows may be millions: widths are made from the first kSample rows, which are held back until then; a later cell
// that is wider pushes its own line.
class Table {
 public:
  static constexpr std::size_t kSample = 1000;
  using Print = std::function<void(std::string_view line)>;  // a line with its end

  // `width`: the terminal's columns; 0: no limit.
  Table(std::vector<Column> columns, std::size_t width, Print print)
      : columns_(std::move(columns)), width_(width), print_(std::move(print)) {}

  void add(const Json& row);
  // Prints what is held back; a table without rows prints its titles.
  void finish();

 private:
  void settle();
  void shrink_to_fit();
  void print_row(const std::vector<std::string>& cells);

  std::vector<Column> columns_;
  std::size_t width_;
  Print print_;
  std::vector<std::vector<std::string>> held_;
  std::vector<std::size_t> widths_;
  bool settled_ = false;
};

// The terminal's columns; 0 where stdout is none.
std::size_t terminal_width();

}  // namespace apnat
