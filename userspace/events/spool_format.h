// spool_format.h - the bytes of a spool: batches of records, and the mark of what is done. Pure; a damaged or cut
// batch is told from a whole one by its length and checksum. In the machine's byte order: a spool never travels.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace apnat {

// One event on its way to a receiver, in that receiver's own form.
struct SpoolRecord {
  std::uint64_t seq = 0;
  std::int64_t time_ns = 0;  // since 1970
  std::string_view key;      // records of one key stay together (kafka's partition)
  std::string_view payload;
};

// Records on their way into the spool, in one batch: written whole, believed whole.
class SpoolBatch {
 public:
  SpoolBatch() { clear(); }
  void add(const SpoolRecord& record);
  void clear();
  std::size_t records() const { return records_; }
  std::size_t size() const { return bytes_.size(); }
  // The batch as it is written; valid until the next add or clear.
  std::string_view seal();

 private:
  std::string bytes_;
  std::uint32_t records_ = 0;
};

inline constexpr std::size_t kBatchHeaderBytes = 16;
// More than any batch we write: a length beyond it is damage, not a reason to ask for memory.
inline constexpr std::size_t kMostBatchBytes = 16 * 1024 * 1024;

struct BatchHeader {
  std::size_t size = 0;  // of the batch, its header included
  std::uint32_t records = 0;
};

// What the first bytes say of the batch that begins there; nullopt: none begins there. Its checksum is not looked at.
std::optional<BatchHeader> batch_header(std::string_view bytes);

// The records of the batch that `bytes` begin with; nullopt: it is not whole, or damaged. They point into `bytes`.
std::optional<std::vector<SpoolRecord>> batch_records(std::string_view bytes);

// Up to where `bytes` hold whole batches.
std::size_t whole_batches(std::string_view bytes);

// Everything before it has arrived.
struct SpoolMark {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  auto operator<=>(const SpoolMark&) const = default;
};

// Two slots, written in turn, so that a write that was cut leaves the one before.
inline constexpr std::size_t kMarkBytes = 32;
std::string mark_bytes(const SpoolMark& mark, std::uint64_t generation);
struct StoredMark {
  SpoolMark mark;
  std::uint64_t generation = 0;
};
// The later one of the slots that are undamaged.
std::optional<StoredMark> stored_mark(std::string_view slots);

}  // namespace apnat
