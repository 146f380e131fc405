// spool_test.cpp - what goes in comes out, in order and at least once: over restarts, damage, and a bound.
#include "events/spool.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <random>
#include <thread>

#include "temp_folder.h"

using namespace apnat;
using namespace apnat::test;

namespace {

Result<void> append(Spool& spool, std::uint64_t first, std::uint64_t count) {
  SpoolBatch batch;
  for (std::uint64_t seq = first; seq < first + count; ++seq) {
    batch.add({seq, static_cast<std::int64_t>(1'000 + seq), "key", "event " + std::to_string(seq)});
  }
  return spool.append(batch);
}

// Reads all there is; acknowledges it if told to.
std::vector<std::uint64_t> drain(Spool& spool, bool acknowledge) {
  std::vector<std::uint64_t> seqs;
  for (;;) {
    const auto piece = spool.read();
    REQUIRE(piece);
    if (piece->records.empty()) return seqs;
    for (const SpoolRecord& record : piece->records) {
      REQUIRE(record.payload == "event " + std::to_string(record.seq));
      REQUIRE(record.key == "key");
      seqs.push_back(record.seq);
    }
    if (acknowledge) REQUIRE(spool.acknowledge(piece->end));
  }
}

std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint64_t> seqs(count);
  for (std::uint64_t i = 0; i < count; ++i) seqs[i] = first + i;
  return seqs;
}

std::filesystem::path last_segment(const std::filesystem::path& folder) {
  std::filesystem::path last;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".spool") last = std::max(last, entry.path());
  }
  return last;
}

std::size_t segments(const std::filesystem::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) count += entry.path().extension() == ".spool";
  return count;
}

}  // namespace

TEST_CASE("a spool gives back what it was given, in order, and forgets what has arrived") {
  TempFolder temp;
  auto spool = *Spool::open(temp.path / "siem", {.bytes = 1 << 20, .segment_bytes = 4'000});
  for (std::uint64_t seq = 0; seq < 1'000; seq += 50) REQUIRE(append(*spool, seq, 50));
  CHECK(spool->figures().waiting == 1'000);
  CHECK(spool->figures().oldest_time_ns == 1'000);
  CHECK(segments(temp.path / "siem") > 5);

  CHECK(drain(*spool, false) == range(0, 1'000));
  CHECK(spool->figures().waiting == 1'000);
  spool->rewind();
  CHECK(drain(*spool, true) == range(0, 1'000));
  CHECK(spool->figures().waiting == 0);
  CHECK(segments(temp.path / "siem") == 1);
  CHECK(spool->figures().bytes < 8'000);
}

TEST_CASE("an agent that is killed leaves its spool, and the next goes on behind what was confirmed") {
  TempFolder temp;
  for (std::uint64_t life = 0; life < 5; ++life) {
    auto spool = *Spool::open(temp.path / "siem", {.bytes = 1 << 20, .segment_bytes = 4'000});
    CHECK(spool->figures().waiting == (life ? 50u : 0u));
    CHECK(spool->figures().oldest_time_ns == (life ? static_cast<std::int64_t>(1'000 + life * 100 - 50) : 0));
    REQUIRE(append(*spool, life * 100, 50));
    const auto piece = spool->read();
    CHECK(piece->records.front().seq == (life ? life * 100 - 50 : 0));
    REQUIRE(spool->acknowledge(piece->end));
    if (life) {
      const auto own = spool->read();
      REQUIRE(spool->acknowledge(own->end));
    }
    REQUIRE(append(*spool, life * 100 + 50, 50));
  }
}

TEST_CASE("a spool is for the agent's user and group alone", "[LOG-12]") {
  TempFolder temp;
  ::umask(0);
  auto spool = *Spool::open(temp.path / "siem", {});
  REQUIRE(append(*spool, 0, 1));
  REQUIRE(spool->sync());
  for (const auto& entry : std::filesystem::directory_iterator(temp.path / "siem")) {
    struct stat status{};
    REQUIRE(::stat(entry.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0640);
  }
  struct stat status{};
  REQUIRE(::stat((temp.path / "siem").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0750);
}

TEST_CASE("a full spool refuses whole batches and says so, and takes them once there is room", "[LOG-6]") {
  TempFolder temp;
  auto spool = *Spool::open(temp.path / "siem", {.bytes = 20'000, .segment_bytes = 4'000});
  std::uint64_t seq = 0;
  Result<void> taken;
  while ((taken = append(*spool, seq, 50))) seq += 50;
  CHECK(taken.error().code == ENOSPC);
  CHECK(spool->figures().bytes <= 20'000);
  CHECK(spool->figures().waiting == seq);
  CHECK(drain(*spool, true) == range(0, seq));
  CHECK(append(*spool, seq, 50));
  CHECK(drain(*spool, true) == range(seq, 50));
}

TEST_CASE("a tail that a crash cut or garbled is cut off; everything before it is there") {
  TempFolder temp;
  const auto folder = temp.path / "siem";
  {
    auto spool = *Spool::open(folder, {});
    for (std::uint64_t seq = 0; seq < 100; seq += 10) REQUIRE(append(*spool, seq, 10));
  }
  const auto path = last_segment(folder);
  const auto size = std::filesystem::file_size(path);
  SECTION("cut in the last batch") { std::filesystem::resize_file(path, size - 7); }
  SECTION("zeros, as a loss of power leaves them") {
    std::filesystem::resize_file(path, size - 7);
    std::filesystem::resize_file(path, size + 500);
  }
  SECTION("a byte of the last batch is another") {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size - 3));
    file.put('!');
  }
  auto spool = *Spool::open(folder, {});
  CHECK(spool->figures().damaged_bytes > 0);
  CHECK(spool->figures().waiting == 90);
  CHECK(drain(*spool, true) == range(0, 90));
  REQUIRE(append(*spool, 100, 10));
  CHECK(drain(*spool, true) == range(100, 10));
}

TEST_CASE("damage in the middle costs the rest of its file, is counted, and stops nothing") {
  TempFolder temp;
  const auto folder = temp.path / "siem";
  auto spool = *Spool::open(folder, {.bytes = 1 << 20, .segment_bytes = 1'000});
  for (std::uint64_t seq = 0; seq < 200; seq += 10) REQUIRE(append(*spool, seq, 10));
  const std::filesystem::path victim = folder / "0000000000000002.spool";
  {
    std::fstream file(victim, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file.put('!');
  }
  const auto seqs = drain(*spool, true);
  CHECK(seqs.size() < 200);
  CHECK(seqs.size() > 150);
  CHECK(std::ranges::is_sorted(seqs));
  CHECK(seqs.back() == 199);
  CHECK(spool->figures().damaged_bytes > 0);
  CHECK(spool->figures().waiting == 0);
}

TEST_CASE("a position that is lost or garbled means: again, not: never") {
  TempFolder temp;
  const auto folder = temp.path / "siem";
  {
    auto spool = *Spool::open(folder, {});
    REQUIRE(append(*spool, 0, 10));
    REQUIRE(append(*spool, 10, 10));
    REQUIRE(spool->acknowledge(spool->read()->end));
  }
  SECTION("lost") { std::filesystem::remove(folder / "position"); }
  SECTION("garbled") { std::ofstream(folder / "position") << "position"; }
  auto spool = *Spool::open(folder, {});
  CHECK(drain(*spool, true) == range(0, 20));
}

TEST_CASE("of two positions the later undamaged one holds") {
  const std::string earlier = mark_bytes({3, 100}, 6);
  const std::string later = mark_bytes({3, 900}, 7);
  CHECK(stored_mark(earlier + later)->mark == SpoolMark{3, 900});
  CHECK(stored_mark(later + earlier)->mark == SpoolMark{3, 900});
  std::string torn = earlier + later;
  torn[40] = static_cast<char>(torn[40] ^ 1);
  CHECK(stored_mark(torn)->mark == SpoolMark{3, 100});
  CHECK_FALSE(stored_mark(""));
  CHECK_FALSE(stored_mark(std::string(64, 'x')));
}

TEST_CASE("no flipped bit is taken for a batch") {
  SpoolBatch batch;
  batch.add({7, 8, "k", "payload"});
  batch.add({8, 9, "", "more"});
  const std::string whole(batch.seal());
  REQUIRE(batch_records(whole)->size() == 2);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    CHECK_FALSE(batch_records(flipped));
  }
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(batch_records(whole.substr(0, size)));
}

TEST_CASE("one thread appends while another reads, and nothing is lost or doubled between them") {
  TempFolder temp;
  auto spool = *Spool::open(temp.path / "siem", {.bytes = 200'000, .segment_bytes = 10'000});
  constexpr std::uint64_t kEvents = 50'000;
  std::thread writer([&] {
    for (std::uint64_t seq = 0; seq < kEvents;) {
      if (append(*spool, seq, 100)) seq += 100;
    }
  });
  std::vector<std::uint64_t> got;
  std::mt19937 random(3);
  while (got.size() < kEvents) {
    const auto piece = spool->read();
    REQUIRE(piece);
    if (piece->records.empty()) continue;
    if (random() % 50 == 0) {
      spool->rewind();
      continue;
    }
    for (const SpoolRecord& record : piece->records) got.push_back(record.seq);
    REQUIRE(spool->acknowledge(piece->end));
  }
  writer.join();
  CHECK(got == range(0, kEvents));
  CHECK(spool->figures().waiting == 0);
}
