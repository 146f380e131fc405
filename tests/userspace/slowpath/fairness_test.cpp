// Memory is bounded whatever comes, and who floods pays for it.
#include <cstdlib>
#include <new>

#include "slow_lab.h"

using namespace apnat;
using namespace apnat::test;

namespace {

std::uint64_t allocations = 0;

std::uint64_t memory_of(const SlowLab& lab) {
  return lab.reassembler.gauges(REALM_INTERNAL, lab.now_ns).memory +
         lab.reassembler.gauges(REALM_EXTERNAL, lab.now_ns).memory;
}

// A first fragment that nothing will ever follow, of the nth source and ID.
Piece garbage(std::uint32_t source, std::uint32_t n, std::size_t size = 1480) {
  return {.source = source,
          .destination = 0xcb007100 + (n >> 16),
          .id = static_cast<std::uint16_t>(n),
          .payload = bytes_of(size)};
}

// Both fragments, with `count` fragments of garbage between them.
bool gets_through(SlowLab& lab, const Piece& whole, enum realm realm, int count, auto next_garbage,
                  enum realm garbage_realm) {
  const auto pieces = cut(whole, (whole.payload.size() / 2 + 7) / 8 * 8);
  lab.add(pieces[0], realm);
  for (int i = 0; i < count; ++i) lab.add(next_garbage(), garbage_realm);
  return lab.payload_after(pieces[1], realm) == whole.payload;
}

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
// The whole family, or a sanitizer sees one half meet the other half's memory.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

TEST_CASE("all memory is taken at the start, within what was given", "[FRAG-3][SEC-9]") {
  for (const std::uint64_t mebibytes : {4, 5, 64, 300}) {
    FragmentsConfig config = fragments_config();
    config.memory = mebibytes << 20;
    SlowLab lab(config);
    CHECK(memory_of(lab) <= config.memory);
    CHECK(memory_of(lab) > config.memory * 85 / 100);
  }
}

TEST_CASE("a flood grows nothing, and every fragment of it is accounted for", "[FRAG-2][FRAG-3][SEC-9]") {
  SlowLab lab;
  std::vector<Fragment> fragments;
  std::vector<Octets> frames;
  for (std::uint32_t n = 0; n < 3000; ++n)
    frames.push_back(frame_of(garbage(0xc6000000 + n * 7919, n, 8 + n % 180 * 8)));
  for (const Octets& frame : frames) fragments.push_back(*parse_fragment(frame, {.realm = REALM_EXTERNAL}));
  const std::uint64_t before = allocations;
  std::uint64_t most = 0;
  for (int round = 0; round < 20; ++round) {
    for (Fragment& fragment : fragments) {
      ++fragment.key.destination;
      lab.reassembler.add(fragment, lab.now_ns += 1000, lab.room);
      most = std::max(most, lab.reassembler.gauges(REALM_EXTERNAL, lab.now_ns).bytes);
    }
  }
  CHECK(allocations == before);
  CHECK(most <= lab.reassembler.gauges(REALM_EXTERNAL, lab.now_ns).memory);
  CHECK(lab.reassembler.counters().limit_memory > 50000);
  lab.check_balance();
  lab.wait(5);
  lab.reassembler.expire(lab.now_ns);
  CHECK(lab.datagrams_held() == 0);
  CHECK(lab.reassembler.gauges(REALM_EXTERNAL, lab.now_ns).bytes == 0);
  CHECK(lab.reassembler.counters().lost == lab.reassembler.counters().received);
}

TEST_CASE("one source opens 100,000 datagrams, and others notice nothing", "[FRAG-2][FRAG-3][SEC-9][UDP-26]") {
  FragmentsConfig config = fragments_config();
  config.per_source = GENERATE(64, 65535);  // with and without the help of the quota
  SlowLab lab(config);
  std::uint32_t n = 0;
  auto flood = [&] { return garbage(kS2, n++); };
  // Larger than all that the flooder has, and as slow as can be.
  CHECK(gets_through(lab, {.source = kS1, .payload = bytes_of(60000)}, REALM_INTERNAL, 0, flood, REALM_INTERNAL));
  auto big = cut({.source = kS1, .id = 9, .payload = bytes_of(60000)}, 1480);
  for (const Piece& piece : big) {
    if (&piece != &big.back()) CHECK(lab.add(piece).fate == Reassembled::Fate::kHeld);
    for (int i = 0; i < 2500; ++i) lab.add(flood());
  }
  CHECK(n > 100'000);
  CHECK(lab.payload_after(big.back()) == bytes_of(60000));
}

TEST_CASE("a flood of forged sources outside leaves subscribers' own fragments alone",
          "[FRAG-2][FRAG-3][SEC-9][UDP-26]") {
  SlowLab lab;
  std::uint32_t n = 0;
  auto forged = [&] {
    ++n;
    return garbage(0xc6000000 + n * 7919 % 0xffffff, n);
  };
  // Between the two halves outside's memory is filled many times over.
  CHECK(gets_through(lab, {.payload = bytes_of(3000)}, REALM_INTERNAL, 20000, forged, REALM_EXTERNAL));
  CHECK(lab.reassembler.counters().limit_memory > 10000);
  // And outside itself what arrives together becomes whole.
  CHECK(gets_through(lab, {.source = kR1, .destination = 0xcb007101, .payload = bytes_of(3000)}, REALM_EXTERNAL, 300,
                     forged, REALM_EXTERNAL));
}

TEST_CASE("a lost fragment now and then does not shut a busy source out", "[FRAG-3]") {
  SlowLab lab;
  std::uint32_t whole = 0;
  for (std::uint16_t id = 0; id < 2000; ++id) {
    const auto pieces = cut({.id = id, .payload = bytes_of(3000, id)}, 1504);
    lab.add(pieces[0]);
    lab.now_ns += 100'000;
    if (id % 10 != 0) whole += !lab.payload_after(pieces[1]).empty();  // one in ten is lost
  }
  CHECK(whole == 1800);
}

TEST_CASE("when memory is full its owner is named", "[FRAG-28]") {
  FragmentsConfig config = fragments_config();
  config.per_source = 65535;
  SlowLab lab(config);
  std::optional<QuotaHit> hit;
  for (std::uint32_t n = 0; !hit; ++n) hit = lab.add(garbage(kS2, n)).quota;
  CHECK(hit->limit == QuotaHit::Limit::kMemory);
  CHECK(hit->value == config.memory);
  CHECK(hit->source == Ip4(kS2));
}

TEST_CASE("tombstones forgotten too early are counted", "[FRAG-5]") {
  SlowLab lab;
  for (std::uint32_t n = 0; n < 60000; ++n) lab.add(garbage(0xc6000000 + n, n, 16), REALM_EXTERNAL);
  CHECK(lab.reassembler.gauges(REALM_EXTERNAL, lab.now_ns).tombstones_forgotten > 10000);
  CHECK(lab.reassembler.gauges(REALM_INTERNAL, lab.now_ns).tombstones_forgotten == 0);
}
