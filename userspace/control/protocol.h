// protocol.h - what natctl and the agent say to each other: one JSON object a
// line. Pure: text in, values out; nothing that arrives can do more than be refused.
//
//   request   {"command":"mappings","arguments":{"pool":"residential"}}
//   replies   {"row":...}  any number of them, then one of
//             {"done":true,"result":...}
//             {"error":"no such pool: x","code":1}
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace apnat {

using Json = nlohmann::ordered_json;

// natctl's exit codes; the agent chooses between the middle two.
enum class ExitCode { kDone = 0, kRefused = 1, kUsage = 2, kUnreachable = 3 };

struct Refusal {
  ExitCode code = ExitCode::kRefused;
  std::string text;
  bool nobody_listens = false;  // there is no agent at this socket: more than that it does not answer
};

constexpr std::size_t kMostRequestBytes = 64 * 1024;
constexpr std::size_t kMostReplyBytes = 4 * 1024 * 1024;

// What a command was asked. Every reader says what is wrong with a value that is not what it must be.
class Arguments {
 public:
  Arguments() : values_(Json::object()) {}
  explicit Arguments(Json values) : values_(std::move(values)) {}

  Result<std::optional<std::string>> text(std::string_view name) const;
  Result<std::optional<std::uint64_t>> number(std::string_view name) const;
  Result<std::vector<std::string>> list(std::string_view name) const;  // of strings; absent: empty
  Result<bool> flag(std::string_view name) const;                      // absent: false

  const Json& values() const { return values_; }

 private:
  const Json* find(std::string_view name) const;
  Json values_;  // an object
};

struct Request {
  std::string command;
  Arguments arguments;
};

struct Row {
  Json value;
};
struct Done {
  Json result;
};
using Reply = std::variant<Row, Done, Refusal>;

Result<Request> parse_request(std::string_view line);
Result<Reply> parse_reply(std::string_view line);

// Each with its line end.
std::string request_line(const Request& request);
std::string row_line(const Json& row);
std::string row_line_of_json(std::string_view json);  // of a row that is JSON text already
std::string done_line(const Json& result);
std::string refusal_line(const Refusal& refusal);

// `value` as one line of JSON; what is not UTF-8 in it is replaced.
std::string compact(const Json& value);

// Cuts a stream of bytes into lines of at most `most` bytes.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t most) : most_(most) {}
  void add(std::string_view bytes);
  std::optional<std::string> next();
  // A line has grown beyond the limit: nothing sensible can follow.
  bool is_too_long() const { return bytes_.size() - start_ > most_ && bytes_.find('\n', start_) == std::string::npos; }

 private:
  std::size_t most_;
  std::string bytes_;
  std::size_t start_ = 0;
};

}  // namespace apnat
