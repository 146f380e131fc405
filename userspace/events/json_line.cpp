// json_line.cpp - the hot end of every event: digits are written, nothing is formatted.
#include "events/json_line.h"

#include "events/json.h"
#include "events/time_text.h"

namespace apnat {
namespace {

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

void append_address(std::string& out, Ip4 address) {
  char text[16];
  char* at = text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    at = std::to_chars(at, text + sizeof(text), (address.value() >> shift) & 0xff).ptr;
    if (shift) *at++ = '.';
  }
  out.append(text, at);
}

}  // namespace

void JsonLine::begin(std::string_view name) {
  if (!is_first_) text_ += ',';
  is_first_ = false;
  text_ += '"';
  text_ += name;
  text_ += "\":";
}

JsonLine& JsonLine::number(std::string_view name, std::uint64_t value) {
  begin(name);
  append_number(text_, value);
  return *this;
}

JsonLine& JsonLine::boolean(std::string_view name, bool value) { return json(name, value ? "true" : "false"); }

JsonLine& JsonLine::string(std::string_view name, std::string_view value) {
  begin(name);
  append_json_string(text_, value);
  return *this;
}

JsonLine& JsonLine::address(std::string_view name, Ip4 value) {
  begin(name);
  text_ += '"';
  append_address(text_, value);
  text_ += '"';
  return *this;
}

JsonLine& JsonLine::prefix(std::string_view name, const Prefix& value) {
  begin(name);
  text_ += '"';
  append_address(text_, value.first());
  if (value.length() != 32) {
    text_ += '/';
    append_number(text_, static_cast<std::uint64_t>(value.length()));
  }
  text_ += '"';
  return *this;
}

JsonLine& JsonLine::time(std::string_view name, WallTime value) {
  begin(name);
  text_ += '"';
  append_rfc3339(text_, value);
  text_ += '"';
  return *this;
}

JsonLine& JsonLine::ports(const std::vector<PortRange>& ranges) {
  if (ranges.empty()) return number("port_start", 0).number("port_end", 0);
  number("port_start", ranges.front().first).number("port_end", ranges.back().last);
  if (ranges.size() == 1) return *this;
  begin("ports");
  char separator = '[';
  for (const PortRange& range : ranges) {
    text_ += separator;
    JsonLine(text_).number("port_start", range.first).number("port_end", range.last).close();
    separator = ',';
  }
  text_ += ']';
  return *this;
}

JsonLine& JsonLine::json(std::string_view name, std::string_view value) {
  begin(name);
  text_ += value;
  return *this;
}

JsonLine& JsonLine::open(std::string_view name) {
  begin(name);
  text_ += '{';
  is_first_ = true;
  return *this;
}

JsonLine& JsonLine::close() {
  text_ += '}';
  is_first_ = false;
  return *this;
}

}  // namespace apnat
