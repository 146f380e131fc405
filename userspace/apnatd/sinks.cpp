// sinks.cpp - one case a type of sink.
#include "apnatd/sinks.h"

#include "events/sinks/file.h"
#include "events/sinks/stdout.h"

namespace apnat {
namespace {

std::string name_of(const EventSinkConfig& sink) {
  return sink.type == SinkType::kFile ? "file " + sink.path.string() : "stdout";
}

Result<std::unique_ptr<Sink>> open_sink(const EventSinkConfig& sink, const std::string& node) {
  switch (sink.type) {
    case SinkType::kStdout:
      return std::make_unique<StdoutSink>(node);
    case SinkType::kFile:
      return std::unique_ptr<Sink>(TRY(FileSink::open(sink.path, node)));
  }
  std::abort();  // the enum has no other value
}

}  // namespace

Result<std::vector<std::unique_ptr<Sink>>> open_missing_sinks(const Config& config, const std::string& node,
                                                              const FanOut& running) {
  std::vector<std::unique_ptr<Sink>> opened;
  for (const EventSinkConfig& sink : config.event_sinks) {
    if (!running.has(name_of(sink))) opened.push_back(TRY(open_sink(sink, node)));
  }
  return opened;
}

std::vector<std::string> sink_names(const Config& config) {
  std::vector<std::string> names;
  for (const EventSinkConfig& sink : config.event_sinks) names.push_back(name_of(sink));
  return names;
}

}  // namespace apnat
