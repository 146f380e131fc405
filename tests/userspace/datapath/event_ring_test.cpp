// event_ring_test.cpp - the reader over a ring of plain memory.
#include "datapath/event_ring.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "base/unique_fd.h"

using namespace apnat;

namespace {

// A ring as the kernel keeps it: 4096 bytes, mapped twice in a row.
class FakeRing {
 public:
  static constexpr std::uint64_t kSize = 4096;

  FakeRing() : file_(::memfd_create("ring", 0)) {
    REQUIRE(::ftruncate(file_.get(), kSize) == 0);
    data_ = static_cast<std::byte*>(::mmap(nullptr, 2 * kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (std::uint64_t half : {std::uint64_t{0}, kSize}) {
      REQUIRE(::mmap(data_ + half, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_.get(), 0) !=
              MAP_FAILED);
    }
  }
  ~FakeRing() { ::munmap(data_, 2 * kSize); }

  RingReader reader() {
    return RingReader({.consumer = &consumer_, .producer = &producer_, .data = data_, .size = kSize});
  }

  // Reserves a record; what it returns is for finish().
  std::uint64_t reserve(std::uint64_t seq, std::uint32_t length = sizeof(event_record)) {
    const std::uint64_t at = producer_;
    event_record record{};
    record.seq = seq;
    set_header(at, length | BPF_RINGBUF_BUSY_BIT);
    std::memcpy(data_ + at % kSize + BPF_RINGBUF_HDR_SZ, &record, std::min<std::size_t>(length, sizeof(record)));
    producer_ += (length + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
    return at;
  }
  void finish(std::uint64_t at, std::uint32_t flags = 0, std::uint32_t length = sizeof(event_record)) {
    set_header(at, length | flags);
  }
  void submit(std::uint64_t seq) { finish(reserve(seq)); }
  std::uint64_t consumer() const { return consumer_; }

 private:
  void set_header(std::uint64_t at, std::uint32_t header) { std::memcpy(data_ + at % kSize, &header, sizeof(header)); }

  UniqueFd file_;
  std::byte* data_ = nullptr;
  std::uint64_t consumer_ = 0;
  std::uint64_t producer_ = 0;
};

std::vector<std::uint64_t> read_all(RingReader& reader, std::size_t at_most = 1000) {
  std::vector<std::uint64_t> seqs;
  reader.read([&](const event_record& record) { seqs.push_back(record.seq); }, at_most);
  return seqs;
}

using Seqs = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("what was read but not released is read again by the next agent", "[event_ring][LOG-3]") {
  FakeRing ring;
  ring.submit(1);
  ring.submit(2);
  RingReader first = ring.reader();
  CHECK(read_all(first) == Seqs{1, 2});
  CHECK(read_all(first).empty());
  CHECK(first.waiting_bytes() == 2 * 88);

  RingReader second = ring.reader();
  CHECK(read_all(second) == Seqs{1, 2});
  second.release();
  CHECK(second.waiting_bytes() == 0);
  RingReader third = ring.reader();
  CHECK(read_all(third).empty());
}

TEST_CASE("a record that is still being written holds back those behind it", "[event_ring]") {
  FakeRing ring;
  ring.submit(1);
  const auto slow = ring.reserve(2);
  ring.submit(3);
  RingReader reader = ring.reader();
  CHECK(read_all(reader) == Seqs{1});
  reader.release();
  CHECK(ring.consumer() == slow);
  ring.finish(slow);
  CHECK(read_all(reader) == Seqs{2, 3});
}

TEST_CASE("discarded records and records of no known size are passed over", "[event_ring]") {
  FakeRing ring;
  ring.finish(ring.reserve(1), BPF_RINGBUF_DISCARD_BIT);
  ring.finish(ring.reserve(2, 24), 0, 24);
  ring.submit(3);
  RingReader reader = ring.reader();
  CHECK(read_all(reader) == Seqs{3});
  reader.release();
  CHECK(reader.waiting_bytes() == 0);
}

TEST_CASE("the ring is read round and round, a batch at a time", "[event_ring]") {
  FakeRing ring;
  RingReader reader = ring.reader();
  Seqs wanted, got;
  for (std::uint64_t seq = 0; seq < 500; ++seq) {
    ring.submit(seq);
    wanted.push_back(seq);
    if (seq % 20 != 19) continue;
    for (Seqs batch = read_all(reader, 7); !batch.empty(); batch = read_all(reader, 7)) {
      CHECK(batch.size() <= 7);
      got.insert(got.end(), batch.begin(), batch.end());
    }
    reader.release();
  }
  CHECK(got == wanted);
}
