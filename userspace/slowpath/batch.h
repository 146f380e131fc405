// batch.h - whole datagrams that wait to go through the program together, and the memory they lie in. Knows neither the
// program nor what becomes of them.
#pragma once

#include <array>
#include <vector>

#include "apnat/tables.h"
#include "slowpath/reassembler.h"

namespace apnat {

// A packet as its sender knows it: what an answer has to quote.
struct Original {
  MutableBytes frame = {};
  Arrival arrival = {};
  std::uint16_t largest_fragment = 0;  // 0: it came whole
  bool dont_fragment = false;          // it came in fragments, with DF
  bool is_cut_short = false;           // its end is not its sender's, so it can only be answered
};

class Batch {
 public:
  static constexpr std::size_t kMost = SLOW_PATH_BATCH;
  static constexpr std::size_t kBytes = std::size_t{256} << 10;

  Batch();

  // Where the next datagram's frame may be put together: Reassembler::kOutBytes.
  MutableBytes room() { return MutableBytes(memory_).subspan(next_, Reassembler::kOutBytes); }
  // The frame is the beginning of room().
  void add(const Original& original);
  // There is no room(): the batch has to be dealt with and cleared.
  bool is_full() const { return count_ == kMost || next_ + Reassembler::kOutBytes > memory_.size(); }
  void clear();

  std::span<const Original> originals() const { return std::span(originals_).first(count_); }
  // What the program made of it takes its place, until put_back(). `head` is what becomes of the frame's first
  // SLOW_PATH_HEAD bytes.
  MutableBytes put_translated(const Original& original, Bytes head);
  void put_back(const Original& original);

 private:
  std::vector<std::uint8_t> memory_;
  std::size_t next_ = 0;
  std::array<Original, kMost> originals_;
  std::size_t count_ = 0;
  std::array<std::uint8_t, SLOW_PATH_HEAD> own_head_{};  // of the one that was put last
};

}  // namespace apnat
