// file.h - events appended to a file, one JSON object a line.
#pragma once

#include <filesystem>
#include <memory>

#include "base/unique_fd.h"
#include "events/sink.h"
#include "events/sinks/line_queue.h"

namespace apnat {

class FileSink final : public Sink {
 public:
  // As many events as a full ring holds: while the disk refuses them they wait here, and the ring keeps them too.
  static constexpr std::size_t kMostWaiting = 256 * 1024;

  // Makes the file (0640) and its directory (0750) where they are missing.
  static Result<std::unique_ptr<FileSink>> open(std::filesystem::path path, std::string node,
                                                std::size_t most_waiting = kMostWaiting);

  bool accept(const Event& event) override;
  Result<void> flush() override;
  std::size_t room() const override { return queue_.room(); }
  void rename(const std::string& node) override { node_ = node; }
  SinkFigures figures() const override;
  Result<void> reopen() override;

 private:
  FileSink(std::filesystem::path path, std::string node, std::size_t most_waiting)
      : path_(std::move(path)), node_(std::move(node)), queue_(most_waiting) {}

  Result<void> write_waiting();

  std::filesystem::path path_;
  std::string node_;
  UniqueFd file_;
  bool ends_in_half_a_line_ = false;
  LineQueue queue_;
  std::string error_;
};

}  // namespace apnat
