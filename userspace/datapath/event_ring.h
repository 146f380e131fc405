// event_ring.h - the program's events, read from the kernel's ring buffer.
//
// libbpf's reader gives a record's room back as soon as it was seen. Ours gives it
// back when the reader says that the events are where they must be: what an agent
// read but did not release, the next one reads again.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "apnat/events.h"
#include "base/result.h"

namespace apnat {

// Pure: the reader, over the ring's memory wherever that is.
class RingReader {
 public:
  struct Memory {
    std::uint64_t* consumer = nullptr;        // ours; the kernel reads it
    const std::uint64_t* producer = nullptr;  // the kernel's
    const std::byte* data = nullptr;          // `size` bytes, mapped twice in a row
    std::uint64_t size = 0;                   // a power of two
  };

  RingReader() = default;
  explicit RingReader(const Memory& memory);

  // Hands on what is complete, oldest first. Returns how many records it handed on.
  std::size_t read(const std::function<void(const event_record&)>& each, std::size_t at_most);

  // Everything read so far is done with.
  void release();

  std::uint64_t waiting_bytes() const;  // not released yet
  std::uint64_t size() const { return memory_.size; }

 private:
  Memory memory_;
  std::uint64_t position_ = 0;
};

// Owns the mapping of the kernel's ring.
class EventRing {
 public:
  static Result<EventRing> open(int map_fd, std::uint64_t size);
  EventRing(EventRing&& other) noexcept;
  EventRing& operator=(EventRing&& other) noexcept;
  ~EventRing();

  RingReader& reader() { return reader_; }
  const RingReader& reader() const { return reader_; }

 private:
  EventRing() = default;
  void unmap();

  void* consumer_ = nullptr;
  void* producer_ = nullptr;  // its page, then the data twice
  std::size_t producer_bytes_ = 0;
  RingReader reader_;
};

}  // namespace apnat
