// complaints.cpp - gathering, sorting, and guessing what was meant.
#include "config/complaints.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>

namespace apnat {
namespace {

// How many letters to insert, drop, replace or swap with the next to make one word of the other.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before(to.size() + 1);
  std::vector<std::size_t> above(to.size() + 1);
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(above.begin(), above.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = std::exchange(above, row);
  }
  return above[to.size()];
}

}  // namespace

void Complaints::add(Where where, std::string what) { all_.push_back({where, all_.size(), std::move(what)}); }

Result<void> Complaints::result(const std::filesystem::path& file) const {
  if (all_.empty()) return {};
  std::vector<Complaint> sorted = all_;
  std::ranges::sort(sorted, {}, [](const Complaint& complaint) {
    return std::tuple(complaint.where.line, complaint.where.column, complaint.order);
  });
  std::string text;
  for (const Complaint& complaint : sorted) {
    if (!text.empty()) text += '\n';
    text += file.string();
    if (complaint.where.line) text += fmt::format(":{}:{}", complaint.where.line, complaint.where.column);
    text += ": " + complaint.what;
  }
  return fail(std::move(text));
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
  // A longer word may have more slips in it. An absurdly long one is no slip, and not worth the time.
  const std::size_t limit = std::min<std::size_t>(word.size(), 48);
  std::size_t best = std::max<std::size_t>(1, limit / 3) + 1;
  std::string_view found;
  if (word.size() > 48) return found;
  for (std::string_view candidate : known) {
    const std::size_t there = distance(word, candidate);
    if (there >= best) continue;
    best = there;
    found = candidate;
  }
  return found;
}

}  // namespace apnat
