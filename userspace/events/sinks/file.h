// file.h - events appended to a file, one JSON object a line.
#pragma once

#include <filesystem>
#include <memory>

#include "base/unique_fd.h"
#include "events/sink.h"
#include "events/sinks/encoder.h"
#include "events/sinks/line_queue.h"

namespace apnat {

class FileSink final : public Sink {
 public:
  // As many events as a full ring holds: while the disk refuses them they wait here, and the ring keeps them too.
  static constexpr std::size_t kMostWaiting = 256 * 1024;

  // Makes the file (0640) and its directory (0750) where they are missing.
  struct Settings {
    std::filesystem::path path;
    std::string node;
    Encoder encoder = json_encoder(JsonFormat::kApnat);
    std::uint64_t rotate_size = 0;  // bytes at which it becomes PATH.1; 0: never
    unsigned rotate_keep = 7;       // how many of those there are at most
    std::size_t most_waiting = kMostWaiting;
  };
  static Result<std::unique_ptr<FileSink>> open(Settings settings);

  bool accept(const Event& event) override;
  Result<void> flush() override;
  std::size_t room() const override { return queue_.room(); }
  void rename(const std::string& node) override { settings_.node = node; }
  SinkFigures figures() const override;
  Result<void> reopen() override;

 private:
  explicit FileSink(Settings settings) : settings_(std::move(settings)), queue_(settings_.most_waiting) {}

  Result<void> write_waiting();
  Result<void> rotate_if_large();

  Settings settings_;
  Encoded encoded_;
  UniqueFd file_;
  bool ends_in_half_a_line_ = false;
  LineQueue queue_;
  Attempts attempts_;
};

}  // namespace apnat
