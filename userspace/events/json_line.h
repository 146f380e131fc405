// json_line.h - one JSON object, field by field, into a string. By hand, not through a library: see json.h.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "events/event.h"

namespace apnat {

class JsonLine {
 public:
  // Appends to `out`, which must outlive it.
  explicit JsonLine(std::string& out) : text_(out) { text_ += '{'; }

  JsonLine& number(std::string_view name, std::uint64_t value);
  JsonLine& boolean(std::string_view name, bool value);
  JsonLine& string(std::string_view name, std::string_view value);
  JsonLine& address(std::string_view name, Ip4 value);
  JsonLine& prefix(std::string_view name, const Prefix& value);
  JsonLine& time(std::string_view name, WallTime value);
  // First and last port of the whole; the list where it is not one run.
  JsonLine& ports(const std::vector<PortRange>& ranges);
  // A value that is JSON already.
  JsonLine& json(std::string_view name, std::string_view value);
  JsonLine& open(std::string_view name);
  JsonLine& close();

 private:
  void begin(std::string_view name);
  std::string& text_;
  bool is_first_ = true;
};

}  // namespace apnat
