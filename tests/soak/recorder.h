// recorder.h - the witness on the external side: every translated packet that arrives at
// an interface becomes part of a sighting. It knows nothing of the gateway.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "truth.h"

namespace apnat::soak {

class Recorder {
 public:
  struct Figures {
    std::uint64_t packets = 0;  // of ours
    std::uint64_t others = 0;
    std::uint64_t dropped = 0;  // by the kernel, before they were looked at: must be none
  };

  // `socket` is of the namespace in which it was made. `leases`: how many numbers there are.
  static Result<std::unique_ptr<Recorder>> start(UniqueFd socket, std::uint32_t leases);
  ~Recorder();

  bool has_seen(std::uint32_t lease) const { return seen_[lease].load(std::memory_order_acquire); }
  std::uint64_t seen() const { return seen_count_.load(std::memory_order_relaxed); }

  // Ends the watch and says what it saw.
  Figures stop();
  Result<void> write(const std::filesystem::path& file) const;

 private:
  Recorder(UniqueFd socket, std::uint32_t leases) : socket_(std::move(socket)), seen_(leases) {}
  Result<void> map_ring();
  void watch();
  void look_at(const std::uint8_t* frame, std::size_t length, std::int64_t time_ns);

  UniqueFd socket_;
  std::uint8_t* ring_ = nullptr;
  std::vector<std::atomic<bool>> seen_;
  std::atomic<std::uint64_t> seen_count_ = 0;
  std::vector<Sighting> sightings_;
  std::unordered_map<std::uint64_t, std::size_t> latest_;  // address, block -> its last in sightings_
  Figures figures_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace apnat::soak
