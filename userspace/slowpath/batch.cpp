// batch.cpp - one stretch of memory, filled from its beginning: a batch of ordinary datagrams stays in the cache.
#include "slowpath/batch.h"

#include <algorithm>

namespace apnat {
namespace {

constexpr std::size_t kLine = 64;       // of a cache
constexpr std::size_t kBefore = kLine;  // each frame, for what its head may grow by
static_assert(kBefore >= SLOW_PATH_GROWTH);
static_assert(Batch::kBytes > kBefore + Reassembler::kOutBytes);

}  // namespace

Batch::Batch() : memory_(kBytes) { clear(); }

void Batch::clear() {
  count_ = 0;
  next_ = kBefore;
}

void Batch::add(const Original& original) {
  originals_[count_++] = original;
  next_ += (original.frame.size() + kBefore + kLine - 1) / kLine * kLine;
}

MutableBytes Batch::put_translated(const Original& original, Bytes head) {
  const auto before = MutableBytes(original.frame).first(std::min(original.frame.size(), own_head_.size()));
  std::ranges::copy(before, own_head_.begin());
  // Of a shorter frame the program saw zeros behind the end.
  const std::size_t size = original.frame.size() + head.size() - own_head_.size();
  const MutableBytes translated(original.frame.data() + own_head_.size() - head.size(), size);
  std::ranges::copy(head.first(std::min(head.size(), size)), translated.begin());
  return translated;
}

void Batch::put_back(const Original& original) {
  std::copy_n(own_head_.begin(), std::min(original.frame.size(), own_head_.size()), original.frame.begin());
}

}  // namespace apnat
