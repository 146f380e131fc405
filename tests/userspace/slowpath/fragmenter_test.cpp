// A datagram in pieces, and the pieces a datagram again.
#include "slowpath/fragmenter.h"

#include <random>

#include "slow_lab.h"

using namespace apnat;
using namespace apnat::test;

namespace {

std::vector<Octets> pieces_of(Bytes frame, std::uint32_t mtu, std::uint16_t largest = 0) {
  auto fragmenter = Fragmenter::make(frame, mtu, largest);
  REQUIRE(fragmenter);
  std::vector<Octets> frames;
  while (const auto piece = fragmenter->next()) {
    frames.emplace_back(piece->headers.begin(), piece->headers.end());
    frames.back().insert(frames.back().end(), piece->payload.begin(), piece->payload.end());
  }
  CHECK_FALSE(fragmenter->next());
  return frames;
}

FragmenterFault fault_of(Bytes frame, std::uint32_t mtu, std::uint16_t largest = 0) {
  const auto fragmenter = Fragmenter::make(frame, mtu, largest);
  REQUIRE_FALSE(fragmenter);
  return fragmenter.error();
}

// Offsets tile, in order; each but the last a multiple of 8; none larger than `most`.
void check_tiles(const std::vector<Octets>& frames, const Piece& whole, std::size_t most) {
  std::size_t expected = 0;
  for (const Octets& frame : frames) {
    const auto parsed = parse_frame(frame);  // the header's checksum is right
    REQUIRE(parsed);
    CHECK(parsed->offset() == expected);
    CHECK(parsed->total_length() <= most);
    CHECK(parsed->more_fragments() == (&frame != &frames.back()));
    CHECK((!parsed->more_fragments() || parsed->payload.size() % 8 == 0));
    CHECK(load16(parsed->header.data() + 4) == whole.id);
    CHECK(parsed->dont_fragment() == whole.dont_fragment);
    expected += parsed->payload.size();
  }
  CHECK(expected == whole.payload.size());
}

}  // namespace

TEST_CASE("3,000 bytes leave in three fragments, in order", "[FRAG-19][UDP-24][ICMP-23][ID-10]") {
  const Piece whole = {.more = false, .payload = bytes_of(2980)};
  const auto frames = pieces_of(frame_of(whole), 1500);
  CHECK(frames.size() == 3);
  check_tiles(frames, whole, 1500);
  auto wanted = cut(whole, 1480);
  for (std::size_t i = 0; i < frames.size(); ++i) CHECK(frames[i] == frame_of(wanted[i]));
}

TEST_CASE("what fits goes on as it is", "[FRAG-19]") {
  const Octets frame = frame_of({.more = false, .payload = bytes_of(1480), .tags = {0x8100'0064}});
  CHECK(pieces_of(frame, 1500) == std::vector<Octets>{frame});
  CHECK(pieces_of(frame, 1499).size() == 2);
  const Octets padded = frame_of({.more = false, .payload = bytes_of(9), .padding = 17});
  CHECK(pieces_of(padded, 1500) == std::vector<Octets>{frame_of({.more = false, .payload = bytes_of(9)})});
  const Octets empty = frame_of({.more = false, .payload = {}});
  CHECK(pieces_of(empty, 68) == std::vector<Octets>{empty});
}

TEST_CASE("DF=1 is never cut smaller than it came, and never larger", "[FRAG-18][ID-4]") {
  const Piece whole = {.more = false, .dont_fragment = true, .payload = bytes_of(2600)};
  const Octets frame = frame_of(whole);
  // It came in fragments of at most 1,400 bytes.
  const auto frames = pieces_of(frame, 1500, 1400);
  check_tiles(frames, whole, 1400);
  CHECK(frames.size() == 2);
  CHECK(fault_of(frame, 1300, 1400) == FragmenterFault::kTooBig);
  CHECK(fault_of(frame, 1500) == FragmenterFault::kTooBig);  // it came whole
  CHECK(pieces_of(frame, 2620).size() == 1);
  // DF=0 is free to use the way out.
  Piece free = whole;
  free.dont_fragment = false;
  check_tiles(pieces_of(frame_of(free), 1500, 1400), free, 1500);
}

TEST_CASE("only options that say so are in later fragments", "[FRAG-21]") {
  // Record route (not copied), no-operation, router alert (copied), end.
  Piece whole = {.more = false, .payload = bytes_of(3000), .options = {7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0, 0}};
  const auto frames = pieces_of(frame_of(whole), 1500);
  check_tiles(frames, whole, 1500);
  CHECK(parse_frame(frames[0])->header.size() == 36);
  for (std::size_t i = 1; i < frames.size(); ++i) {
    const auto frame = parse_frame(frames[i]);
    const Octets options(frame->header.begin() + 20, frame->header.end());
    CHECK(options == Octets{0x94, 4, 0, 0});
  }
}

TEST_CASE("what cannot be cut is refused with the reason") {
  CHECK(fault_of(frame_of({.payload = bytes_of(3000)}), 1500) == FragmenterFault::kNotWhole);
  CHECK(fault_of(frame_of({.more = false, .payload = bytes_of(30)}), 27) == FragmenterFault::kNarrow);
  CHECK(fault_of(Octets(60), 1500) == FragmenterFault::kMalformed);
  for (const Octets& options : {Octets{0x94, 1, 0, 0}, Octets{0x94, 5, 0, 0}, Octets{1, 1, 1, 0x94}}) {
    CHECK(fault_of(frame_of({.more = false, .payload = bytes_of(3000), .options = options}), 1500) ==
          FragmenterFault::kMalformed);
  }
}

TEST_CASE("cut and put together again is the same, whatever the sizes and the order", "[FRAG-1][FRAG-31][ID-11]") {
  std::mt19937 random(4);
  for (int i = 0; i < 1500; ++i) {
    FragmentsConfig config = fragments_config();
    SlowLab lab(config);
    Piece whole{.id = static_cast<std::uint16_t>(random()),
                .more = false,
                .tos = static_cast<std::uint8_t>(random()),
                .payload = bytes_of(16 + random() % (i % 20 ? 5000 : 65000), static_cast<std::uint32_t>(i))};
    if (random() % 4 == 0) whole.options = Octets{0x94, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0};
    if (whole.payload.size() + 60 > 65535) whole.options.clear();
    const Octets frame = frame_of(whole);
    const auto least = static_cast<std::uint32_t>(whole.payload.size() / 60 + 60);
    auto frames = pieces_of(frame, least + static_cast<std::uint32_t>(random()) % 3000);
    std::ranges::shuffle(frames, random);
    if (frames.size() == 1) {
      CHECK(frames[0] == frame);
      continue;
    }
    for (const Octets& piece : frames) {
      const Reassembled result = lab.reassembler.add(*parse_fragment(piece, {}), lab.now_ns, lab.room);
      REQUIRE((result.fate == Reassembled::Fate::kWhole) == (&piece == &frames.back()));
      if (result.datagram) CHECK(std::ranges::equal(result.datagram->frame, frame));
    }
  }
}
