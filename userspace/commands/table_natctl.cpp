// table_natctl.cpp - widths counted in characters, not bytes.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "commands/table.h"

namespace apnat {
namespace {

constexpr std::string_view kBetween = "  ";
constexpr std::size_t kNarrowest = 8;

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_character));
}

// The first `count` characters' bytes.
std::size_t bytes_of(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  while (at < text.size() && (count > 0 || !starts_character(text[at]))) count -= starts_character(text[at++]);
  return at;
}

std::string padded(const std::string& text, std::size_t width, Column::Side side) {
  const std::size_t length = characters(text);
  if (length >= width) return text;
  const std::string blanks(width - length, ' ');
  return side == Column::Side::kRight ? blanks + text : text + blanks;
}

std::string cut(const std::string& text, std::size_t width) {
  return characters(text) <= width ? text : text.substr(0, bytes_of(text, width - 1)) + "…";
}

// At blanks where it can be.
std::vector<std::string> wrapped(std::string text, std::size_t width) {
  std::vector<std::string> lines;
  while (characters(text) > width) {
    std::size_t end = bytes_of(text, width);
    const std::size_t blank = text.rfind(' ', end);
    const bool at_blank = blank != std::string::npos && blank > 0;
    if (at_blank) end = blank;
    lines.push_back(text.substr(0, end));
    text.erase(0, end + at_blank);
  }
  lines.push_back(std::move(text));
  return lines;
}

}  // namespace

void Table::add(const Json& row) {
  std::vector<std::string> cells;
  for (const Column& column : columns_) cells.push_back(column.text(row));
  if (settled_) return print_row(cells);
  held_.push_back(std::move(cells));
  if (held_.size() == kSample) settle();
}

void Table::finish() {
  if (!settled_) settle();
}

void Table::settle() {
  settled_ = true;
  widths_.clear();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_[i].title.size();
    for (const auto& cells : held_) width = std::max(width, characters(cells[i]));
    widths_.push_back(width);
  }
  shrink_to_fit();
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  print_row(titles);
  for (const auto& cells : held_) print_row(cells);
  held_.clear();
}

void Table::shrink_to_fit() {
  if (width_ == 0) return;
  const std::size_t gaps = kBetween.size() * (columns_.size() - 1);
  std::size_t total = std::accumulate(widths_.begin(), widths_.end(), gaps);
  for (std::size_t i = columns_.size(); i-- > 0 && total > width_;) {
    if (!columns_[i].may_shrink || widths_[i] <= kNarrowest) continue;
    const std::size_t less = std::min(total - width_, widths_[i] - kNarrowest);
    widths_[i] -= less;
    total -= less;
  }
}

void Table::print_row(const std::vector<std::string>& cells) {
  const std::size_t last = columns_.size() - 1;
  std::string line;
  for (std::size_t i = 0; i < last; ++i) {
    const std::string text = columns_[i].may_shrink ? cut(cells[i], widths_[i]) : cells[i];
    line += padded(text, widths_[i], columns_[i].side);
    line += kBetween;
  }
  const std::string indent(characters(line), ' ');
  const auto lines = columns_[last].may_shrink ? wrapped(cells[last], widths_[last]) : std::vector{cells[last]};
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string whole = (i == 0 ? line : indent) + padded(lines[i], widths_[last], columns_[last].side);
    whole.erase(whole.find_last_not_of(' ') + 1);
    print_(whole + '\n');
  }
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace apnat
