// sinks.cpp - what the operator wrote becomes a sink: one case a type.
#include "apnatd/sinks.h"

#include <algorithm>

#include "events/sinks/file.h"
#include "events/sinks/http.h"
#include "events/sinks/ipfix.h"
#include "events/sinks/ipfix_transport.h"
#include "events/sinks/kafka.h"
#include "events/sinks/spooled.h"
#include "events/sinks/stdout.h"
#include "events/sinks/stream.h"
#include "events/sinks/syslog.h"

namespace apnat {
namespace {

using Opened = Result<std::unique_ptr<Sink>>;

JsonFormat format_of(const EventSinkConfig& sink) {
  return sink.format == SinkFormat::kEcs ? JsonFormat::kEcs : JsonFormat::kApnat;
}

StreamTarget target_of(const EventSinkConfig& sink) {
  StreamTarget target;
  target.host = sink.host;
  target.port = sink.port;
  if (sink.type == SinkType::kUnix) {
    target.unix_path = sink.path;
    target.is_datagram = sink.datagram;
  } else if (sink.protocol_used() == SinkProtocol::kTls) {
    target.tls = TlsSettings{sink.ca, sink.certificate, sink.key, sink.server_name};
  }
  return target;
}

HttpBody body_of(SinkBody body) {
  switch (body) {
    case SinkBody::kNdjson:
      return HttpBody::kNdjson;
    case SinkBody::kArray:
      return HttpBody::kArray;
    case SinkBody::kElasticBulk:
      return HttpBody::kElasticBulk;
    case SinkBody::kSplunkHec:
      return HttpBody::kSplunkHec;
    case SinkBody::kLoki:
      return HttpBody::kLoki;
  }
  std::abort();  // the enum has no other value
}

HttpSettings http_settings(const EventSinkConfig& sink, const std::string& node) {
  HttpSettings http;
  http.url = sink.url;
  http.body = body_of(sink.body);
  http.node = node;
  http.index = sink.index;
  http.headers = sink.headers;
  http.token_file = sink.token_file;
  http.token_scheme = sink.token_scheme;
  http.ca = sink.ca;
  http.certificate = sink.certificate;
  http.key = sink.key;
  http.batch_events = sink.batch_events;
  http.batch_age = std::chrono::seconds(sink.batch_seconds);
  http.gzip = sink.gzip;
  return http;
}

SpooledSink::MakeTransport transport_of(const EventSinkConfig& sink, const std::string& node) {
  switch (sink.type) {
    case SinkType::kIpfix:
      return [settings = IpfixSettings{target_of(sink), sink.protocol_used() == SinkProtocol::kUdp,
                                       sink.observation_domain.value_or(ipfix_domain_of(node)),
                                       std::chrono::seconds(sink.template_refresh)}](const Interrupt& interrupt) {
        return ipfix_transport(settings, interrupt);
      };
    case SinkType::kHttp:
      return [settings = http_settings(sink, node)](const Interrupt& interrupt) {
        return http_transport(settings, interrupt);
      };
    case SinkType::kKafka:
      return [settings = KafkaSettings{sink.brokers, sink.topic, node, sink.options}](const Interrupt& interrupt) {
        return kafka_transport(settings, interrupt);
      };
    default:
      break;
  }
  const bool datagrams = sink.type == SinkType::kUnix ? sink.datagram : sink.protocol_used() == SinkProtocol::kUdp;
  const Framing framing = sink.type == SinkType::kUnix ? Framing::kLine : Framing::kOctetCount;
  return [target = target_of(sink), datagrams, framing](const Interrupt& interrupt) {
    return datagrams ? datagram_transport(target, interrupt) : stream_transport(target, framing, interrupt);
  };
}

Encoder encoder_of(const EventSinkConfig& sink) {
  switch (sink.type) {
    case SinkType::kSyslog:
      return syslog_encoder(format_of(sink), sink.facility);
    case SinkType::kIpfix:
      return ipfix_encoder();
    case SinkType::kKafka:
      return keyed(json_encoder(format_of(sink)));
    default:
      return json_encoder(format_of(sink));
  }
}

Opened open_spooled(const EventSinkConfig& sink, const std::string& node, const std::filesystem::path& state) {
  SpooledSink::Settings settings;
  settings.name = sink_text(sink);
  settings.node = node;
  settings.folder = state / "spool" / sink_folder(sink);
  settings.limits.bytes = sink.spool;
  settings.lose_when_full = sink.lose_when_full;
  return std::unique_ptr<Sink>(TRY(SpooledSink::open(std::move(settings), encoder_of(sink), transport_of(sink, node))));
}

Opened open_sink(const EventSinkConfig& sink, const std::string& node, const std::filesystem::path& state) {
  switch (sink.type) {
    case SinkType::kStdout:
      return std::make_unique<StdoutSink>(node, json_encoder(format_of(sink)));
    case SinkType::kFile:
      return std::unique_ptr<Sink>(
          TRY(FileSink::open({sink.path, node, json_encoder(format_of(sink)), sink.rotate_size, sink.rotate_keep})));
    default:
      return open_spooled(sink, node, state);
  }
}

}  // namespace

Result<std::vector<std::unique_ptr<Sink>>> open_missing_sinks(const Config& config, const std::string& node,
                                                              const FanOut& running) {
  std::vector<std::unique_ptr<Sink>> opened;
  for (const EventSinkConfig& sink : config.event_sinks) {
    if (!running.has(sink_text(sink))) opened.push_back(TRY(open_sink(sink, node, config.paths.state)));
  }
  return opened;
}

std::vector<std::string> sink_names(const Config& config) {
  std::vector<std::string> names;
  for (const EventSinkConfig& sink : config.event_sinks) names.push_back(sink_text(sink));
  return names;
}

std::vector<std::string> unchanged_sink_names(const Config& before, const Config& after) {
  std::vector<std::string> names;
  for (const EventSinkConfig& is : after.event_sinks) {
    const bool was_so = std::ranges::any_of(
        before.event_sinks, [&](const EventSinkConfig& was) { return sink_fingerprint(was) == sink_fingerprint(is); });
    const bool is_new = std::ranges::none_of(
        before.event_sinks, [&](const EventSinkConfig& was) { return sink_text(was) == sink_text(is); });
    if (was_so || is_new) names.push_back(sink_text(is));
  }
  return names;
}

}  // namespace apnat
