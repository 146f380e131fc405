// protocol.cpp - the only file of control/ that knows the JSON library can throw.
#include "control/protocol.h"

#include <algorithm>

namespace apnat {
namespace {

constexpr int kDeepest = 16;

// A value nested thousands deep is parsed without harm, but copied and printed by recursion.
bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kDeepest) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

Result<Json> parse_object(std::string_view line) {
  if (is_too_deep(line)) return fail("JSON nested too deep");
  Json value = Json::parse(line, nullptr, false);
  if (value.is_discarded()) return fail("not JSON");
  if (!value.is_object()) return fail("not a JSON object");
  return value;
}

}  // namespace

const Json* Arguments::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() || found->is_null() ? nullptr : &*found;
}

Result<std::optional<std::string>> Arguments::text(std::string_view name) const {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_string()) return fail(std::string(name) + " must be a string");
  return value->get<std::string>();
}

Result<std::optional<std::uint64_t>> Arguments::number(std::string_view name) const {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_number_unsigned()) return fail(std::string(name) + " must be a number, 0 or more");
  return value->get<std::uint64_t>();
}

Result<std::vector<std::string>> Arguments::list(std::string_view name) const {
  std::vector<std::string> words;
  const Json* value = find(name);
  if (!value) return words;
  const bool is_list = value->is_array() && std::ranges::all_of(*value, [](const Json& v) { return v.is_string(); });
  if (!is_list) return fail(std::string(name) + " must be a list of strings");
  for (const Json& word : *value) words.push_back(word.get<std::string>());
  return words;
}

Result<bool> Arguments::flag(std::string_view name) const {
  const Json* value = find(name);
  if (!value) return false;
  if (!value->is_boolean()) return fail(std::string(name) + " must be true or false");
  return value->get<bool>();
}

Result<Request> parse_request(std::string_view line) {
  auto parsed = parse_object(line);
  if (!parsed) return within("request", parsed.error());
  const auto command = parsed->find("command");
  if (command == parsed->end() || !command->is_string()) return fail("request: \"command\" must be a string");
  Request request{command->get<std::string>(), Arguments()};
  const auto arguments = parsed->find("arguments");
  if (arguments == parsed->end() || arguments->is_null()) return request;
  if (!arguments->is_object()) return fail("request: \"arguments\" must be an object");
  request.arguments = Arguments(*arguments);
  return request;
}

Result<Reply> parse_reply(std::string_view line) {
  auto parsed = parse_object(line);
  if (!parsed) return within("reply", parsed.error());
  if (const auto row = parsed->find("row"); row != parsed->end()) return Reply(Row{std::move(*row)});
  if (const auto error = parsed->find("error"); error != parsed->end() && error->is_string()) {
    const auto code = parsed->find("code");
    const bool usage = code != parsed->end() && *code == static_cast<int>(ExitCode::kUsage);
    return Reply(Refusal{usage ? ExitCode::kUsage : ExitCode::kRefused, error->get<std::string>()});
  }
  if (parsed->find("done") == parsed->end()) return fail("reply: neither a row, nor done, nor an error");
  const auto result = parsed->find("result");
  return Reply(Done{result == parsed->end() ? Json() : std::move(*result)});
}

std::string compact(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string request_line(const Request& request) {
  return compact(Json{{"command", request.command}, {"arguments", request.arguments.values()}}) + '\n';
}

std::string row_line(const Json& row) { return row_line_of_json(compact(row)); }

std::string row_line_of_json(std::string_view json) {
  std::string line = "{\"row\":";
  line += json;
  line += "}\n";
  return line;
}

std::string done_line(const Json& result) { return compact(Json{{"done", true}, {"result", result}}) + '\n'; }

std::string refusal_line(const Refusal& refusal) {
  return compact(Json{{"error", refusal.text}, {"code", static_cast<int>(refusal.code)}}) + '\n';
}

void LineSplitter::add(std::string_view bytes) {
  bytes_.erase(0, start_);
  start_ = 0;
  bytes_ += bytes;
}

std::optional<std::string> LineSplitter::next() {
  const std::size_t end = bytes_.find('\n', start_);
  if (end == std::string::npos || end - start_ > most_) return std::nullopt;
  std::string line = bytes_.substr(start_, end - start_);
  start_ = end + 1;
  return line;
}

}  // namespace apnat
