// stdout.h - events to standard output, one JSON object a line: for a terminal,
// the journal, or whatever the agent is piped into.
#pragma once

#include "events/sink.h"
#include "events/sinks/encoder.h"
#include "events/sinks/line_queue.h"

namespace apnat {

class StdoutSink final : public Sink {
 public:
  static constexpr std::size_t kMostWaiting = 256 * 1024;

  explicit StdoutSink(std::string node, Encoder encoder = json_encoder(JsonFormat::kApnat), int fd = 1)
      : node_(std::move(node)), encoder_(std::move(encoder)), fd_(fd), queue_(kMostWaiting) {}

  bool accept(const Event& event) override;
  Result<void> flush() override;
  std::size_t room() const override { return queue_.room(); }
  void rename(const std::string& node) override { node_ = node; }
  SinkFigures figures() const override;

 private:
  std::string node_;
  Encoder encoder_;
  Encoded encoded_;
  int fd_;
  LineQueue queue_;
  Attempts attempts_;
};

}  // namespace apnat
