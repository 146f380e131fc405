// http_batch.cpp - the bodies that receivers want, around lines of JSON that are ready.
#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "events/json.h"
#include "events/sinks/http.h"

namespace apnat {

HttpBatch::HttpBatch(HttpBody form, std::string node, std::string index)
    : form_(form), node_(std::move(node)), index_(std::move(index)) {}

void HttpBatch::add(const SpoolRecord& record) {
  const auto append = [this]<typename... Args>(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(body_), format, std::forward<Args>(args)...);
  };
  const bool is_first = records_++ == 0;
  switch (form_) {
    case HttpBody::kNdjson:
      append("{}\n", record.payload);
      break;
    case HttpBody::kArray:
      append("{}{}", is_first ? '[' : ',', record.payload);
      break;
    case HttpBody::kElasticBulk:
      // The same event again is the same document: node and seq name it, and `create` refuses the second.
      append("{{\"create\":{{\"_index\":{},\"_id\":{}}}}}\n{}\n", json_string(index_),
             json_string(fmt::format("{}-{}", node_, record.seq)), record.payload);
      break;
    case HttpBody::kSplunkHec:
      append("{{\"time\":{}.{:06},\"host\":{},\"source\":\"apnat\",\"sourcetype\":\"_json\",\"event\":{}}}\n",
             record.time_ns / 1'000'000'000, record.time_ns % 1'000'000'000 / 1'000, json_string(node_),
             record.payload);
      break;
    case HttpBody::kLoki:
      if (is_first)
        append("{{\"streams\":[{{\"stream\":{{\"job\":\"apnat\",\"node\":{}}},\"values\":[", json_string(node_));
      append("{}[\"{}\",{}]", is_first ? "" : ",", record.time_ns, json_string(record.payload));
      break;
  }
}

std::string HttpBatch::take() {
  if (records_ > 0 && form_ == HttpBody::kArray) body_ += ']';
  if (records_ > 0 && form_ == HttpBody::kLoki) body_ += "]}]}";
  records_ = 0;
  return std::exchange(body_, {});
}

std::string_view content_type(HttpBody form) {
  return form == HttpBody::kNdjson || form == HttpBody::kElasticBulk ? "application/x-ndjson" : "application/json";
}

// What answers may be anybody, a proxy too: nothing is taken to have the type it should have.
std::string refusal_in(HttpBody form, std::string_view answer) {
  const auto json = nlohmann::json::parse(answer, nullptr, false);
  if (!json.is_object()) return {};
  const auto field = [](const nlohmann::json& object, const char* name) {
    return object.contains(name) ? object[name] : nlohmann::json();
  };
  const auto whole = [&] { return "refused: " + json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); };
  if (form == HttpBody::kSplunkHec) {
    const auto code = field(json, "code");
    if (code.is_null() || code == 0) return {};
    const auto text = field(json, "text");
    return text.is_string() ? text.get<std::string>() : whole();
  }
  const auto errors = field(json, "errors");
  if (form != HttpBody::kElasticBulk || errors.is_null() || errors == false) return {};
  if (!errors.is_boolean()) return whole();
  const auto items = field(json, "items");
  if (!items.is_array()) return whole();
  for (const auto& item : items) {
    if (!item.is_object() || item.empty() || !item.front().is_object()) continue;
    // 409: it has this document from an earlier attempt, which is what we want.
    const auto status = field(item.front(), "status");
    if (!status.is_number_integer()) return whole();
    if (status >= 300 && status != 409) return fmt::format("a document was refused with status {}", status.dump());
  }
  return {};
}

}  // namespace apnat
