// spool.h - what a receiver has not confirmed yet, on disk: files that are only appended to, and a mark of how far the
// receiver is. One thread appends, one other reads; records come out in order, at least once, over restarts.
//
// What it promises: appended and the agent killed, nothing is lost. After a loss of power up to the last sync (once a
// second, by the reader's thread) may be missing at the end; the history has those events, and `seq` shows the hole.
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>

#include "base/result.h"
#include "base/unique_fd.h"
#include "events/spool_format.h"

namespace apnat {

class Spool {
 public:
  struct Limits {
    std::uint64_t bytes = std::uint64_t{1} << 30;
    std::uint64_t segment_bytes = 0;  // 0: an eighth of `bytes`, 16 MiB at most
  };
  struct Figures {
    std::uint64_t bytes = 0;
    std::uint64_t waiting = 0;        // records that are not acknowledged
    std::int64_t oldest_time_ns = 0;  // of the oldest that is not; 0: none is
    std::uint64_t damaged_bytes = 0;  // cut off or passed over since this spool was opened
  };
  // What read() gives: records that point into bytes of its own.
  struct Piece {
    std::vector<char> bytes;
    std::vector<SpoolRecord> records;
    SpoolMark end;  // acknowledge() it once they have arrived
  };

  // Makes the folder (0750); files are 0640. A damaged end is cut off, and logged.
  static Result<std::unique_ptr<Spool>> open(std::filesystem::path folder, Limits limits);

  // ---- the thread that appends
  // ENOSPC: the bound, or the disk; nothing of the batch is kept. The batch is cleared on success.
  Result<void> append(SpoolBatch& batch);

  // ---- the thread that reads
  // The next batch; no records: there is none now.
  Result<Piece> read();
  // What was read and not acknowledged is read again.
  void rewind();
  Result<void> acknowledge(const SpoolMark& mark);
  Result<void> sync();

  // ---- either
  Figures figures() const;

 private:
  struct Segment {
    std::uint64_t id;
    std::uint64_t bytes;
  };
  struct Read {
    SpoolMark end;
    std::uint64_t records;
    std::int64_t time_ns;
  };

  Spool(std::filesystem::path folder, Limits limits) : folder_(std::move(folder)), limits_(limits) {}
  Result<void> recover();
  Result<void> recover_mark();
  Result<void> take_segment(std::uint64_t id, bool is_last);
  Result<void> count_waiting();
  Result<void> roll();
  std::filesystem::path path_of(std::uint64_t segment) const;
  bool find_place(std::uint64_t& segment_bytes);
  Result<std::vector<char>> read_at(std::uint64_t offset, std::size_t size);
  Result<void> read_batch(std::uint64_t segment_bytes, Piece& piece);
  void pass_over(std::uint64_t segment_bytes);
  void drop_segments_before(std::uint64_t segment);

  std::filesystem::path folder_;
  Limits limits_;

  // The appending thread's.
  UniqueFd write_file_;

  // The reading thread's.
  SpoolMark cursor_;
  std::deque<Read> read_;  // and not acknowledged
  UniqueFd read_file_;
  std::uint64_t read_segment_ = 0;
  UniqueFd mark_file_;
  std::uint64_t mark_generation_ = 0;
  std::uint64_t synced_segment_ = 0;

  mutable std::mutex mutex_;  // for what follows, and never held while the disk works
  std::deque<Segment> segments_;
  SpoolMark mark_;
  std::uint64_t bytes_ = 0;
  std::uint64_t waiting_ = 0;
  std::int64_t oldest_time_ns_ = 0;
  std::uint64_t damaged_bytes_ = 0;
  bool is_unsynced_ = false;
};

}  // namespace apnat
