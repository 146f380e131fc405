// section.h - one TOML table as read.cpp sees it: a value by its key, with every way that it can be wrong
// complained of, and whatever nobody asked for complained of at the end. Of read.cpp alone.
#pragma once

#include <toml++/toml.h>
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/complaints.h"
#include "config/config.h"
#include "config/limits.h"

namespace apnat {

inline Where where_of(const toml::source_region& region) {
  return {static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
}
inline Where where_of(const toml::node& node) { return where_of(node.source()); }

class Section {
 public:
  // `title` as the operator writes it: "[timeouts]", "[[pool]]".
  Section(const toml::table& table, std::string title, Complaints& complaints)
      : table_(table), title_(std::move(title)), complaints_(complaints) {}

  Where where() const { return where_of(table_); }

  // Each leaves `out` as it is where the key is missing or wrong, and `at` where the value stands if it is there.
  void text(std::string_view key, std::string& out, Where* at = nullptr);
  void path(std::string_view key, std::filesystem::path& out, Where* at = nullptr);
  void boolean(std::string_view key, bool& out);
  std::optional<std::int64_t> number(std::string_view key, Limits limits, Where* at = nullptr);
  template <typename T>
  void number(std::string_view key, T& out, Limits limits, Where* at = nullptr) {
    if (auto value = number(key, limits, at)) out = static_cast<T>(*value);
  }
  template <typename T>
  using Words = std::initializer_list<std::pair<std::string_view, T>>;
  // `later`: words of the contract that this release does not have yet.
  template <typename T>
  void word(std::string_view key, T& out, Words<T> words, Where* at = nullptr,
            std::initializer_list<std::string_view> later = {}) {
    const std::optional<std::string> text = string(key, at);
    if (!text) return;
    std::vector<std::string_view> known;
    for (const auto& [name, value] : words) {
      if (name == *text) {
        out = value;
        return;
      }
      known.push_back(name);
    }
    if (std::find(later.begin(), later.end(), *text) != later.end()) return word_of_later(key, *text, known);
    unknown_word(key, *text, known);
  }
  // A value of text that `parse` understands: Result or optional.
  template <typename T, typename Parse>
  void parsed(std::string_view key, T& out, Parse parse, std::string_view form, Where* at = nullptr) {
    const std::optional<std::string> text = string(key, at);
    if (!text) return;
    if (auto value = parse(*text)) {
      out = *value;
    } else {
      wrong_form(key, *text, form);
    }
  }
  // A list of strings; `each` gets the text and where it stands.
  template <typename Each>
  void list(std::string_view key, std::string_view example, Each each) {
    const toml::node* node = find(key);
    if (!node) return;
    const toml::array* array = node->as_array();
    if (!array) return wrong_kind(key, *node, example);
    for (const toml::node& element : *array) {
      if (auto text = element.value_exact<std::string>()) {
        each(*text, where_of(element));
      } else {
        wrong_kind(key, element, example);
      }
    }
  }

  // Where the key's value stands, if it is there.
  std::optional<Where> place(std::string_view key) const {
    const toml::node* node = table_.get(key);
    return node ? std::optional(where_of(*node)) : std::nullopt;
  }
  void require(std::string_view key);
  void complain(Where where, std::string what) { complaints_.add(where, std::move(what)); }
  // Whatever was not asked for by now, nor is in `others`, is unknown.
  void finish(const std::vector<std::string_view>& others = {});

 private:
  const toml::node* find(std::string_view key);
  std::optional<std::string> string(std::string_view key, Where* at);
  void wrong_kind(std::string_view key, const toml::node& node, std::string_view example);
  void wrong_form(std::string_view key, std::string_view text, std::string_view form);
  void word_of_later(std::string_view key, std::string_view text, const std::vector<std::string_view>& known);
  void unknown_word(std::string_view key, std::string_view text, const std::vector<std::string_view>& known);

  const toml::table& table_;
  std::string title_;
  Complaints& complaints_;
  std::vector<std::string_view> known_;
};

// "a, b, c"
std::string joined(const std::vector<std::string_view>& words);
// Text of the operator's as it may stand in a complaint: no control characters, no endless lines.
std::string quoted(std::string_view text);
// "a string", "a whole number"
std::string_view kind_of(const toml::node& node);

}  // namespace apnat
