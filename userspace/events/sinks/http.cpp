// http.cpp - POST by libcurl, on the sink's own thread.
#include "events/sinks/http.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <zlib.h>

#include <fstream>
#include <memory>
#include <mutex>

namespace apnat {
namespace {

constexpr std::size_t kMostAnswerBytes = 4 * 1024 * 1024;

struct FreeHandle {
  void operator()(CURL* handle) const { ::curl_easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using Headers = std::unique_ptr<curl_slist, FreeList>;

void append(Headers& headers, const std::string& line) {
  headers.reset(::curl_slist_append(headers.release(), line.c_str()));
}

std::size_t keep_answer(char* bytes, std::size_t one, std::size_t count, void* into) {
  auto& answer = *static_cast<std::string*>(into);
  if (answer.size() + count <= kMostAnswerBytes) answer.append(bytes, one * count);
  return one * count;
}

// libcurl asks this about once a second, and more often while bytes flow.
int is_interrupted(void* interrupt, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const Interrupt*>(interrupt)->is_due();
}

Result<std::string> gzipped(const std::string& body) {
  z_stream stream{};
  constexpr int kGzip = 15 + 16;
  if (::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) return fail("gzip");
  std::string out(::deflateBound(&stream, body.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool is_whole = ::deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (!is_whole) return fail("gzip");
  return out;
}

class HttpTransport final : public Transport {
 public:
  HttpTransport(HttpSettings settings, const Interrupt& interrupt)
      : settings_(std::move(settings)), interrupt_(interrupt), batch_(settings_.body, settings_.node, settings_.index) {
    static std::once_flag once;
    std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
  }

  Pace pace() const override { return {.records = settings_.batch_events, .age = settings_.batch_age}; }

  Result<void> send(std::span<const SpoolRecord> records) override {
    for (const SpoolRecord& record : records) {
      batch_.add(record);
      if (batch_.records() >= settings_.batch_events) TRY_VOID(post());
    }
    return {};
  }

  Result<void> confirm() override {
    if (batch_.records() > 0) TRY_VOID(post());
    return {};
  }

  void close() override {
    handle_.reset();
    batch_.take();
  }

 private:
  Result<void> post() {
    std::string body = batch_.take();
    if (settings_.gzip) body = TRY(gzipped(body));
    const Headers headers = TRY(make_headers());
    std::string answer;
    CURL* curl = TRY(prepare(body, headers.get(), answer));
    char reason[CURL_ERROR_SIZE] = {};
    ::curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    const CURLcode code = ::curl_easy_perform(curl);
    long status = 0;
    ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    ::curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
    if (code != CURLE_OK) {
      return fail(fmt::format("{}: {}", settings_.url, reason[0] ? reason : ::curl_easy_strerror(code)));
    }
    if (status < 200 || status >= 300) return fail(fmt::format("{}: answers {}", settings_.url, status));
    if (const std::string refusal = refusal_in(settings_.body, answer); !refusal.empty()) {
      return fail(fmt::format("{}: {}", settings_.url, refusal));
    }
    return {};
  }

  Result<Headers> make_headers() const {
    Headers headers;
    append(headers, fmt::format("Content-Type: {}", content_type(settings_.body)));
    append(headers, "Expect:");  // no pause before the body
    if (settings_.gzip) append(headers, "Content-Encoding: gzip");
    for (const std::string& header : settings_.headers) append(headers, header);
    if (settings_.token_file.empty()) return headers;
    std::ifstream file(settings_.token_file);
    std::string token;
    if (!(file >> token)) return fail("no token in " + settings_.token_file.string());
    append(headers, fmt::format("Authorization: {} {}", settings_.token_scheme, token));
    return headers;
  }

  Result<CURL*> prepare(const std::string& body, curl_slist* headers, std::string& answer) {
    if (!handle_) handle_.reset(::curl_easy_init());
    CURL* curl = handle_.get();
    if (!curl) return fail("libcurl has no handle");
    ::curl_easy_setopt(curl, CURLOPT_URL, settings_.url.c_str());
    ::curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    ::curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    ::curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
    ::curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    ::curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.patience.count()));
    ::curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings_.patience.count() / 2));
    ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_answer);
    ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    ::curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    ::curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_interrupted);
    ::curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &interrupt_);
    // The certificate and its name are checked: libcurl's defaults, said so that nobody wonders.
    ::curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    ::curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!settings_.ca.empty()) ::curl_easy_setopt(curl, CURLOPT_CAINFO, settings_.ca.c_str());
    if (!settings_.certificate.empty()) {
      ::curl_easy_setopt(curl, CURLOPT_SSLCERT, settings_.certificate.c_str());
      ::curl_easy_setopt(curl, CURLOPT_SSLKEY, settings_.key.c_str());
    }
    return curl;
  }

  HttpSettings settings_;
  const Interrupt& interrupt_;
  HttpBatch batch_;
  std::unique_ptr<CURL, FreeHandle> handle_;
};

}  // namespace

std::unique_ptr<Transport> http_transport(HttpSettings settings, const Interrupt& interrupt) {
  return std::make_unique<HttpTransport>(std::move(settings), interrupt);
}

}  // namespace apnat
