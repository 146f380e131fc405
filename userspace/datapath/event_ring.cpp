// event_ring.cpp - the layout of BPF_MAP_TYPE_RINGBUF as the kernel documents it
// (Documentation/bpf/ringbuf.rst): a page with the consumer's position, a page
// with the producer's, then the data, mapped twice so that no record is cut.
#include "datapath/event_ring.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace apnat {
namespace {

std::uint64_t load_position(const std::uint64_t* at) {
  return std::atomic_ref(*const_cast<std::uint64_t*>(at)).load(std::memory_order_acquire);
}

std::uint32_t load_header(const std::byte* at) {
  auto* header = reinterpret_cast<std::uint32_t*>(const_cast<std::byte*>(at));
  return std::atomic_ref(*header).load(std::memory_order_acquire);
}

std::uint64_t record_bytes(std::uint32_t length) { return (length + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8; }

}  // namespace

RingReader::RingReader(const Memory& memory) : memory_(memory), position_(load_position(memory.consumer)) {}

std::size_t RingReader::read(const std::function<void(const event_record&)>& each, std::size_t at_most) {
  std::size_t handed_on = 0;
  const std::uint64_t end = load_position(memory_.producer);
  while (position_ < end && handed_on < at_most) {
    const std::byte* record = memory_.data + (position_ & (memory_.size - 1));
    const std::uint32_t header = load_header(record);
    if (header & BPF_RINGBUF_BUSY_BIT) break;  // still being written; those behind it wait for their turn
    const std::uint32_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    if (!(header & BPF_RINGBUF_DISCARD_BIT) && length >= sizeof(event_record)) {
      event_record copy;
      std::memcpy(&copy, record + BPF_RINGBUF_HDR_SZ, sizeof(copy));
      each(copy);
      ++handed_on;
    }
    position_ += record_bytes(length);
  }
  return handed_on;
}

void RingReader::release() { std::atomic_ref(*memory_.consumer).store(position_, std::memory_order_seq_cst); }

std::uint64_t RingReader::waiting_bytes() const {
  return load_position(memory_.producer) - load_position(memory_.consumer);
}

Result<EventRing> EventRing::open(int map_fd, std::uint64_t size) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  EventRing ring;
  void* consumer = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumer == MAP_FAILED) return fail(errno, "map the event ring");
  ring.consumer_ = consumer;
  ring.producer_bytes_ = page + 2 * size;
  void* producer = ::mmap(nullptr, ring.producer_bytes_, PROT_READ, MAP_SHARED, map_fd, static_cast<off_t>(page));
  if (producer == MAP_FAILED) return fail(errno, "map the event ring's data");
  ring.producer_ = producer;
  ring.reader_ = RingReader({.consumer = static_cast<std::uint64_t*>(consumer),
                             .producer = static_cast<const std::uint64_t*>(producer),
                             .data = static_cast<const std::byte*>(producer) + page,
                             .size = size});
  return ring;
}

EventRing::EventRing(EventRing&& other) noexcept
    : consumer_(std::exchange(other.consumer_, nullptr)),
      producer_(std::exchange(other.producer_, nullptr)),
      producer_bytes_(other.producer_bytes_),
      reader_(other.reader_) {}

EventRing& EventRing::operator=(EventRing&& other) noexcept {
  if (this == &other) return *this;
  unmap();
  consumer_ = std::exchange(other.consumer_, nullptr);
  producer_ = std::exchange(other.producer_, nullptr);
  producer_bytes_ = other.producer_bytes_;
  reader_ = other.reader_;
  return *this;
}

EventRing::~EventRing() { unmap(); }

void EventRing::unmap() {
  if (consumer_) ::munmap(consumer_, static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
  if (producer_) ::munmap(producer_, producer_bytes_);
}

}  // namespace apnat
