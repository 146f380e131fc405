// config.cpp - the words of the configuration's choices.
#include "config/config.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

namespace apnat {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr Unit kUnits[] = {
    {"GiB", std::uint64_t{1} << 30}, {"MiB", std::uint64_t{1} << 20}, {"KiB", std::uint64_t{1} << 10}, {"B", 1}};

}  // namespace

std::string_view word_of(enum assignment assignment) {
  switch (assignment) {
    case ASSIGN_DYNAMIC:
      return "dynamic";
    case ASSIGN_DETERMINISTIC:
      return "deterministic";
    case ASSIGN_STATIC:
      return "static";
  }
  return "";
}

std::string_view word_of(enum port_layout layout) {
  switch (layout) {
    case LAYOUT_CONTIGUOUS:
      return "contiguous";
    case LAYOUT_PSID:
      return "psid";
    case LAYOUT_SCATTERED:
      return "scattered";
  }
  return "";
}

std::string_view word_of(enum log_level log) {
  switch (log) {
    case LOG_BLOCKS:
      return "blocks";
    case LOG_MAPPINGS:
      return "mappings";
    case LOG_MAPPINGS_WITH_DESTINATION:
      return "mappings_with_destination";
  }
  return "";
}

std::string_view word_of(AttachMode mode) {
  switch (mode) {
    case AttachMode::kAuto:
      return "auto";
    case AttachMode::kNative:
      return "native";
    case AttachMode::kGeneric:
      return "generic";
  }
  return "";
}

std::string_view word_of(AtomicId atomic) {
  switch (atomic) {
    case AtomicId::kKeep:
      return "keep";
    case AtomicId::kZero:
      return "zero";
    case AtomicId::kRandom:
      return "random";
    case AtomicId::kLow4:
      return "low4";
  }
  return "";
}

std::string_view word_of(OnIdRepeat on_repeat) {
  switch (on_repeat) {
    case OnIdRepeat::kCount:
      return "count";
    case OnIdRepeat::kMakeAtomic:
      return "make_atomic";
    case OnIdRepeat::kDrop:
      return "drop";
  }
  return "";
}

std::string_view word_of(Overlap overlap) {
  switch (overlap) {
    case Overlap::kKill:
      return "kill";
    case Overlap::kFirstWins:
      return "first_wins";
  }
  return "";
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view name(rest, text.data() + text.size());
  for (const Unit& unit : kUnits) {
    if (name != unit.name) continue;
    if (number > std::numeric_limits<std::uint64_t>::max() / unit.bytes) return std::nullopt;
    return number * unit.bytes;
  }
  return std::nullopt;
}

std::string text_of_bytes(std::uint64_t bytes) {
  for (const Unit& unit : kUnits) {
    if (bytes >= unit.bytes && bytes % unit.bytes == 0) return fmt::format("{}{}", bytes / unit.bytes, unit.name);
  }
  return "0B";
}

}  // namespace apnat
