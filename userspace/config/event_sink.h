// event_sink.h - one [[event_sink]] as the operator writes it, with its defaults (docs/configuration.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/where.h"

namespace apnat {

enum class SinkType { kStdout, kFile, kUnix, kSyslog, kIpfix, kHttp, kKafka };
enum class SinkFormat { kApnat, kEcs };
enum class SinkProtocol { kUdp, kTcp, kTls };
enum class SinkBody { kNdjson, kArray, kElasticBulk, kSplunkHec, kLoki };

struct EventSinkConfig {
  SinkType type = SinkType::kStdout;
  std::string name;  // empty: made of type and receiver
  SinkFormat format = SinkFormat::kApnat;

  std::filesystem::path path;     // file, unix
  std::uint64_t rotate_size = 0;  // file; 0: never
  std::uint32_t rotate_keep = 7;
  bool datagram = false;  // unix

  std::string address;  // syslog, ipfix: "host:port", as it was written
  std::string host;
  std::uint16_t port = 0;
  std::optional<SinkProtocol> protocol;  // default: tls for syslog, udp for ipfix
  std::filesystem::path ca, certificate, key;
  std::string server_name;
  int facility = 16;  // local0
  std::optional<std::uint32_t> observation_domain;
  std::uint32_t template_refresh = 60;

  std::string url;  // http
  SinkBody body = SinkBody::kNdjson;
  std::string index = "apnat-events";
  std::vector<std::string> headers;
  std::filesystem::path token_file;
  std::string token_scheme = "Bearer";
  std::uint32_t batch_events = 1000;
  std::uint32_t batch_seconds = 1;
  bool gzip = false;

  std::string brokers;  // kafka
  std::string topic;
  std::map<std::string, std::string> options;

  std::uint64_t spool = std::uint64_t{1} << 30;
  bool lose_when_full = false;  // on_spool_full = "continue"

  Where where;
  Where path_at, name_at, address_at, url_at, spool_at, certificate_at, rotate_size_at, token_file_at, ca_at, key_at;

  bool has_spool() const { return type != SinkType::kStdout && type != SinkType::kFile; }
  SinkProtocol protocol_used() const;
};

// "syslog tls://siem.example.net:6514": how the sink is called in status, complaints and the log.
std::string sink_text(const EventSinkConfig& sink);
// The folder of its spool: `name`, or the text with everything but letters, digits, '.', '_' turned into '-'.
std::string sink_folder(const EventSinkConfig& sink);
// Everything about it that makes it another sink when it changes.
std::string sink_fingerprint(const EventSinkConfig& sink);

}  // namespace apnat
