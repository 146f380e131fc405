// event_sink.cpp - what an event sink is called.
#include "config/event_sink.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace apnat {
namespace {

std::string_view word_of(SinkProtocol protocol) {
  switch (protocol) {
    case SinkProtocol::kUdp:
      return "udp";
    case SinkProtocol::kTcp:
      return "tcp";
    case SinkProtocol::kTls:
      return "tls";
  }
  return "?";
}

}  // namespace

SinkProtocol EventSinkConfig::protocol_used() const {
  return protocol.value_or(type == SinkType::kIpfix ? SinkProtocol::kUdp : SinkProtocol::kTls);
}

std::string sink_text(const EventSinkConfig& sink) {
  switch (sink.type) {
    case SinkType::kStdout:
      return "stdout";
    case SinkType::kFile:
      return "file " + sink.path.string();
    case SinkType::kUnix:
      return "unix " + sink.path.string();
    case SinkType::kSyslog:
      return fmt::format("syslog {}://{}", word_of(sink.protocol_used()), sink.address);
    case SinkType::kIpfix:
      return fmt::format("ipfix {}://{}", word_of(sink.protocol_used()), sink.address);
    case SinkType::kHttp:
      return "http " + sink.url;
    case SinkType::kKafka:
      return fmt::format("kafka {}/{}", sink.brokers, sink.topic);
  }
  return "?";
}

std::string sink_folder(const EventSinkConfig& sink) {
  if (!sink.name.empty()) return sink.name;
  std::string folder = sink_text(sink);
  std::ranges::replace_if(
      folder, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_'; }, '-');
  return folder.substr(0, 200);
}

std::string sink_fingerprint(const EventSinkConfig& s) {
  return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", sink_text(s), s.name,
                     static_cast<int>(s.format), s.rotate_size, s.rotate_keep, s.datagram, s.ca.string(),
                     s.certificate.string(), s.key.string(), s.server_name, s.facility,
                     s.observation_domain.value_or(0), s.template_refresh, static_cast<int>(s.body), s.index,
                     fmt::join(s.headers, "\n"), s.token_file.string(), s.token_scheme, s.batch_events, s.batch_seconds,
                     s.gzip, s.spool, s.lose_when_full, s.options);
}

}  // namespace apnat
