// Datagrams that wait for the program, and what it makes of them in their place.
#include "slowpath/batch.h"

#include <catch2/catch.hpp>

#include "support/fragments.h"

using namespace apnat;
using namespace apnat::test;

namespace {

constexpr std::size_t kHead = SLOW_PATH_HEAD;

// A frame of so many bytes, put where the batch wants it.
Original add(Batch& batch, std::size_t size) {
  const Octets bytes = bytes_of(size, size);
  std::ranges::copy(bytes, batch.room().begin());
  const Original original{.frame = batch.room().first(size)};
  batch.add(original);
  return original;
}

Octets octets(Bytes bytes) { return Octets(bytes.begin(), bytes.end()); }

// What the program makes of a head: other bytes, so many more of them.
Octets head_of(std::size_t growth) { return Octets(kHead + growth, 0xab); }

}  // namespace

TEST_CASE("datagrams lie in a batch one behind the other, none over another", "[slowpath]") {
  Batch batch;
  std::vector<Original> originals;
  for (std::size_t size = 28; !batch.is_full(); size += 401) originals.push_back(add(batch, size));
  CHECK(originals.size() == Batch::kMost);
  REQUIRE(batch.originals().size() == originals.size());
  for (const Original& original : batch.originals()) {
    CHECK(octets(original.frame) == bytes_of(original.frame.size(), original.frame.size()));
  }
  batch.clear();
  CHECK(batch.originals().empty());
  CHECK_FALSE(batch.is_full());
}

TEST_CASE("of the largest datagrams fewer make a batch full, and there was room for each", "[slowpath]") {
  Batch batch;
  std::size_t count = 0;
  for (; !batch.is_full(); ++count) {
    REQUIRE(batch.room().size() == Reassembler::kOutBytes);
    add(batch, Reassembler::kOutBytes);
  }
  CHECK(count > 1);
  CHECK(count < Batch::kMost);
}

TEST_CASE("a translated head takes the place of its own: longer, shorter, and what is behind stays", "[slowpath]") {
  Batch batch;
  const Original before = add(batch, 3000);
  const Original original = add(batch, 3000);
  const Original behind = add(batch, 3000);
  const std::size_t growth = GENERATE(-8, -4, 0, 4, 8);
  const Bytes translated = batch.put_translated(original, head_of(growth));
  Octets expected = head_of(growth);
  const Octets whole = bytes_of(3000, 3000);
  expected.insert(expected.end(), whole.begin() + kHead, whole.end());
  CHECK(octets(translated) == expected);
  CHECK(octets(before.frame) == whole);
  CHECK(octets(behind.frame) == whole);
  batch.put_back(original);
  CHECK(octets(original.frame) == whole);
}

TEST_CASE("a frame shorter than a head stays so", "[slowpath]") {
  Batch batch;
  const std::size_t size = GENERATE(42, 60, 255, 256, 257);
  const std::size_t growth = GENERATE(-8, 0, 8);
  const Original original = add(batch, size);
  const Original behind = add(batch, 100);
  const Bytes translated = batch.put_translated(original, head_of(growth));
  CHECK(translated.size() == size + growth);
  CHECK(octets(translated.first(std::min(size, kHead) + growth)) == Octets(std::min(size, kHead) + growth, 0xab));
  CHECK(octets(behind.frame) == bytes_of(100, 100));
  batch.put_back(original);
  CHECK(octets(original.frame) == bytes_of(size, size));
}
