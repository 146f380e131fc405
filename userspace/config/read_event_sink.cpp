// read_event_sink.cpp - which keys go with which type of sink, and what they say.
#include "config/read_event_sink.h"

#include <fmt/format.h>

#include <charconv>

namespace apnat {
namespace {

using Types = std::vector<SinkType>;

const Section::Words<SinkType> kTypes = {
    {"stdout", SinkType::kStdout}, {"file", SinkType::kFile}, {"unix", SinkType::kUnix},  {"syslog", SinkType::kSyslog},
    {"ipfix", SinkType::kIpfix},   {"http", SinkType::kHttp}, {"kafka", SinkType::kKafka}};

std::string_view word_of(SinkType type) {
  for (const auto& [word, value] : kTypes) {
    if (value == type) return word;
  }
  return "?";
}

struct Key {
  const char* name;
  Types types;  // that know it
  bool required = false;
};

const std::vector<Key>& all_keys() {
  using enum SinkType;
  static const std::vector<Key> keys = {
      {"path", {kFile, kUnix}, true},
      {"format", {kStdout, kFile, kUnix, kSyslog, kHttp, kKafka}},
      {"rotate_size", {kFile}},
      {"rotate_keep", {kFile}},
      {"socket", {kUnix}},
      {"address", {kSyslog, kIpfix}, true},
      {"protocol", {kSyslog, kIpfix}},
      {"ca", {kSyslog, kIpfix, kHttp}},
      {"certificate", {kSyslog, kIpfix, kHttp}},
      {"key", {kSyslog, kIpfix, kHttp}},
      {"server_name", {kSyslog, kIpfix}},
      {"facility", {kSyslog}},
      {"observation_domain", {kIpfix}},
      {"template_refresh", {kIpfix}},
      {"url", {kHttp}, true},
      {"body", {kHttp}},
      {"index", {kHttp}},
      {"headers", {kHttp}},
      {"token_file", {kHttp}},
      {"token_scheme", {kHttp}},
      {"batch_events", {kHttp}},
      {"batch_seconds", {kHttp}},
      {"gzip", {kHttp}},
      {"brokers", {kKafka}, true},
      {"topic", {kKafka}, true},
      {"options", {kKafka}},
      {"name", {kUnix, kSyslog, kIpfix, kHttp, kKafka}},
      {"spool", {kUnix, kSyslog, kIpfix, kHttp, kKafka}},
      {"on_spool_full", {kUnix, kSyslog, kIpfix, kHttp, kKafka}},
  };
  return keys;
}

std::string types_text(const Types& types) {
  std::string text;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const char* separator = i == 0 ? "" : i + 1 == types.size() ? " or " : ", ";
    text += fmt::format("{}\"{}\"", separator, word_of(types[i]));
  }
  return text;
}

void check_keys(Section& section, const EventSinkConfig& sink) {
  for (const Key& key : all_keys()) {
    const bool belongs = std::ranges::find(key.types, sink.type) != key.types.end();
    const std::optional<Where> at = section.place(key.name);
    if (at && !belongs) {
      section.complain(*at, fmt::format("{} is for a sink of type {}; take it out", key.name, types_text(key.types)));
    }
    if (!at && belongs && key.required) {
      section.complain(section.where(),
                       fmt::format("a sink of type \"{}\" needs {} {}", word_of(sink.type),
                                   std::string_view("aeiou").contains(key.name[0]) ? "an" : "a", key.name));
    }
  }
}

// "siem.example.net:6514", "192.0.2.7:514", "[2001:db8::7]:514"
struct HostPort {
  std::string text, host;
  std::uint16_t port;
};
std::optional<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.contains(':')) {
    return std::nullopt;
  }
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0 || host.empty()) return std::nullopt;
  for (const char c : host) {
    if (c <= ' ' || c == 0x7f || c == '/') return std::nullopt;
  }
  return HostPort{std::string(text), std::string(host), port};
}

// RFC 5424 table 1.
const Section::Words<int> kFacilities = {
    {"kern", 0},    {"user", 1},    {"mail", 2},    {"daemon", 3},    {"auth", 4},    {"syslog", 5},  {"lpr", 6},
    {"news", 7},    {"uucp", 8},    {"cron", 9},    {"authpriv", 10}, {"ftp", 11},    {"local0", 16}, {"local1", 17},
    {"local2", 18}, {"local3", 19}, {"local4", 20}, {"local5", 21},   {"local6", 22}, {"local7", 23}};

void read_receiver(Section& section, EventSinkConfig& sink) {
  HostPort address;
  section.parsed("address", address, &parse_host_port, "\"HOST:PORT\", such as \"siem.example.net:6514\"",
                 &sink.address_at);
  sink.address = address.text;
  sink.host = address.host;
  sink.port = address.port;
  SinkProtocol protocol = sink.protocol_used();
  section.word("protocol", protocol,
               {{"udp", SinkProtocol::kUdp}, {"tcp", SinkProtocol::kTcp}, {"tls", SinkProtocol::kTls}});
  sink.protocol = protocol;
  section.path("ca", sink.ca, &sink.ca_at);
  section.path("certificate", sink.certificate, &sink.certificate_at);
  section.path("key", sink.key, &sink.key_at);
  section.text("server_name", sink.server_name);
  section.word("facility", sink.facility, kFacilities);
  if (auto domain = section.number("observation_domain", limits::kObservationDomain)) {
    sink.observation_domain = static_cast<std::uint32_t>(*domain);
  }
  section.number("template_refresh", sink.template_refresh, limits::kTemplateRefresh);
}

void read_http(Section& section, EventSinkConfig& sink) {
  section.text("url", sink.url, &sink.url_at);
  section.word("body", sink.body,
               {{"ndjson", SinkBody::kNdjson},
                {"array", SinkBody::kArray},
                {"elastic_bulk", SinkBody::kElasticBulk},
                {"splunk_hec", SinkBody::kSplunkHec},
                {"loki", SinkBody::kLoki}});
  section.text("index", sink.index);
  section.list("headers", "a list such as [\"X-Scope-OrgID: isp\"]", [&](const std::string& header, Where where) {
    const bool clean = std::ranges::none_of(header, [](char c) { return static_cast<unsigned char>(c) < ' '; });
    if (!clean || header.find(": ") == header.npos || header.front() == ':') {
      section.complain(where, fmt::format("headers: {} is no header; write \"Name: value\"", apnat::quoted(header)));
    }
    sink.headers.push_back(header);
  });
  section.path("token_file", sink.token_file, &sink.token_file_at);
  section.text("token_scheme", sink.token_scheme);
  section.number("batch_events", sink.batch_events, limits::kBatchEvents);
  section.number("batch_seconds", sink.batch_seconds, limits::kBatchSeconds);
  section.boolean("gzip", sink.gzip);
}

void read_kafka(Section& section, EventSinkConfig& sink) {
  section.text("brokers", sink.brokers);
  section.text("topic", sink.topic);
  section.list("options", "a list such as [\"security.protocol=ssl\"]", [&](const std::string& option, Where where) {
    const std::size_t equals = option.find('=');
    if (equals == option.npos || equals == 0) {
      section.complain(where, fmt::format("options: {} is none; write \"name=value\"", apnat::quoted(option)));
      return;
    }
    sink.options[option.substr(0, equals)] = option.substr(equals + 1);
  });
}

}  // namespace

EventSinkConfig read_event_sink(Section section) {
  EventSinkConfig sink;
  sink.where = section.where();
  section.require("type");
  const bool is_known = section.place("type").has_value();
  section.word("type", sink.type, kTypes);
  if (is_known) check_keys(section, sink);
  section.text("name", sink.name, &sink.name_at);
  section.word("format", sink.format, {{"apnat", SinkFormat::kApnat}, {"ecs", SinkFormat::kEcs}});
  section.path("path", sink.path, &sink.path_at);
  section.parsed("rotate_size", sink.rotate_size, &parse_bytes, "a size such as \"1GiB\"", &sink.rotate_size_at);
  section.number("rotate_keep", sink.rotate_keep, limits::kRotateKeep);
  section.word("socket", sink.datagram, {{"stream", false}, {"datagram", true}});
  read_receiver(section, sink);
  read_http(section, sink);
  read_kafka(section, sink);
  section.parsed("spool", sink.spool, &parse_bytes, "a size such as \"1GiB\"", &sink.spool_at);
  section.word("on_spool_full", sink.lose_when_full, {{"refuse", false}, {"continue", true}});
  section.finish();
  return sink;
}

}  // namespace apnat
