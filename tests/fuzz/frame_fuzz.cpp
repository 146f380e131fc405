// frame_fuzz.cpp - any bytes as a frame, under sanitizers, into the native core.
// Whatever they are: one verdict, a frame that is dropped or passed up is left as
// it came, and a subscriber's packet that leaves is translated.
#include <algorithm>
#include <cstdlib>

#include "core_native.h"
#include "fuzz/frame_world.h"

using namespace apnat::test;

namespace {

constexpr std::size_t kMappingsAtMost = 256;

std::unique_ptr<Translator> fresh() {
  auto nat = native(fuzzed_gateway());
  open_some(*nat);
  return nat;
}

void require(bool promise) {
  if (!promise) std::abort();
}

bool is_translated(enum verdict verdict) {
  return core_fate(verdict) == FATE_FORWARD || verdict == VERDICT_NEIGHBOUR_PENDING ||
         verdict == VERDICT_FRAGMENTED_BY_KERNEL || verdict == VERDICT_EGRESS_BY_KERNEL;
}

void check_translated(enum verdict verdict, const Bytes& frame) {
  const std::size_t tags = frame[12] == 0x81 || frame[12] == 0x88 ? 4 : 0;
  const std::size_t at = 14 + tags;
  const std::size_t header = (frame[at] & 15u) * 4;
  require(sum_of(frame, at, at + header) == 0xffff);
  const bool internal_source = frame[at + 12] == 100 && (frame[at + 13] & 0xc0) == 64;
  if (verdict == VERDICT_TRANSLATED_OUTBOUND || verdict == VERDICT_HAIRPINNED) require(!internal_source);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto nat = fresh();
  static std::size_t frames = 0;
  if (size < 15 || size > 2000) return 0;
  if (++frames % kMappingsAtMost == 0) nat = fresh();  // a full block must not end the search
  const Bytes original(data + 1, data + size);
  Bytes frame = original;
  const auto outcome = nat->frame(side_of(nat->world(), data[0]), frame);
  require(outcome.verdict > VERDICT_CONTINUE && outcome.verdict < VERDICT_COUNT);
  require(outcome.verdict != VERDICT_TABLE_MISSING);
  if (is_translated(outcome.verdict))
    check_translated(outcome.verdict, frame);
  else if (outcome.verdict != VERDICT_ARP_ANSWERED)
    require(frame == original);
  nat->take_events();
  return 0;
}
