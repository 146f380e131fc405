// http.h - events in batches to an HTTP API: what Elastic, Splunk, Loki, Vector and their like accept.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "events/sinks/transport.h"

namespace apnat {

enum class HttpBody { kNdjson, kArray, kElasticBulk, kSplunkHec, kLoki };

struct HttpSettings {
  std::string url;
  HttpBody body = HttpBody::kNdjson;
  std::string node;   // Splunk's host, Loki's label
  std::string index;  // Elastic
  std::vector<std::string> headers;
  std::filesystem::path token_file;  // read anew for each request: tokens are rotated
  std::string token_scheme = "Bearer";
  std::filesystem::path ca;
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::size_t batch_events = 1'000;
  std::chrono::milliseconds batch_age{1'000};
  std::chrono::milliseconds patience{30'000};
  bool gzip = false;
};

// The body of one request; records' payloads are JSON objects. Pure.
class HttpBatch {
 public:
  HttpBatch(HttpBody form, std::string node, std::string index);
  void add(const SpoolRecord& record);
  std::string take();  // and begin anew
  std::size_t records() const { return records_; }

 private:
  HttpBody form_;
  std::string node_;
  std::string index_;
  std::string body_;
  std::size_t records_ = 0;
};
std::string_view content_type(HttpBody form);

// A receiver that answers 200 may still have refused some: Elastic's and Splunk's answers say so. Empty: all is well.
std::string refusal_in(HttpBody form, std::string_view answer);

std::unique_ptr<Transport> http_transport(HttpSettings settings, const Interrupt& interrupt);

}  // namespace apnat
