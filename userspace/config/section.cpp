// section.cpp - values out of a TOML table, and the words for what is wrong with them.
#include "config/section.h"

#include <fmt/format.h>

namespace apnat {

std::string joined(const std::vector<std::string_view>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  std::string out = "\"";
  for (char c : text.substr(0, kLongest)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out + (text.size() > kLongest ? "...\"" : "\"");
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a fractional number";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

const toml::node* Section::find(std::string_view key) {
  known_.push_back(key);
  return table_.get(key);
}

std::optional<std::string> Section::string(std::string_view key, Where* at) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (at) *at = where_of(*node);
  auto text = node->value_exact<std::string>();
  if (!text) wrong_kind(key, *node, "a string in quotes");
  return text;
}

void Section::text(std::string_view key, std::string& out, Where* at) {
  if (auto text = string(key, at)) out = *text;
}

void Section::path(std::string_view key, std::filesystem::path& out, Where* at) {
  if (auto text = string(key, at)) out = *text;
}

void Section::boolean(std::string_view key, bool& out) {
  const toml::node* node = find(key);
  if (!node) return;
  if (auto value = node->value_exact<bool>()) {
    out = *value;
  } else {
    wrong_kind(key, *node, "true or false");
  }
}

std::optional<std::int64_t> Section::number(std::string_view key, Limits limits, Where* at) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (at) *at = where_of(*node);
  const std::string right = fmt::format("a whole number from {} to {}", limits.least, limits.most);
  const auto value = node->value_exact<std::int64_t>();
  if (!value) {
    wrong_kind(key, *node, right);
    return std::nullopt;
  }
  if (!limits.allow(*value)) {
    complain(where_of(*node), fmt::format("{} is {}; write {}", key, *value, right));
    return std::nullopt;
  }
  return value;
}

void Section::require(std::string_view key) {
  if (!table_.contains(key)) complain(where(), fmt::format("{} has no {}; it needs one", title_, key));
}

void Section::finish(const std::vector<std::string_view>& others) {
  known_.insert(known_.begin(), others.begin(), others.end());
  for (const auto& [key, node] : table_) {
    const std::string_view name = key.str();
    if (std::ranges::count(known_, name)) continue;
    const std::string_view meant = nearest(name, known_);
    complain(where_of(key.source()),
             fmt::format("unknown key {} in {}; {}", quoted(name), title_,
                         meant.empty() ? "it knows " + joined(known_) : fmt::format("did you mean {}?", meant)));
  }
}

void Section::wrong_kind(std::string_view key, const toml::node& node, std::string_view example) {
  complain(where_of(node), fmt::format("{} is {}; write {}", key, kind_of(node), example));
}

void Section::wrong_form(std::string_view key, std::string_view text, std::string_view form) {
  complain(where_of(*table_.get(key)), fmt::format("{} is {}; write {}", key, quoted(text), form));
}

void Section::word_of_later(std::string_view key, std::string_view text, const std::vector<std::string_view>& known) {
  complain(where_of(*table_.get(key)),
           fmt::format("{} is {}, which is not in this release; it has {}", key, quoted(text), joined(known)));
}

void Section::unknown_word(std::string_view key, std::string_view text, const std::vector<std::string_view>& known) {
  const std::string_view meant = nearest(text, known);
  complain(where_of(*table_.get(key)),
           fmt::format("{} is {}; {}it is one of {}", key, quoted(text),
                       meant.empty() ? "" : fmt::format("did you mean {}? ", meant), joined(known)));
}

}  // namespace apnat
