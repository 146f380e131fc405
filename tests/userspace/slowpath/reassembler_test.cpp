// What becomes of fragments, case by case. reassembler_model_test.cpp goes through thousands of them.
#include "slowpath/reassembler.h"

#include <algorithm>
#include <map>

#include "slow_lab.h"

using namespace apnat;
using namespace apnat::test;

namespace {

std::vector<Piece> three_pieces(std::uint16_t id = 7) { return cut({.id = id, .payload = bytes_of(3000, id)}, 1000); }

Piece with(Piece piece, auto change) {
  change(piece);
  return piece;
}

}  // namespace

TEST_CASE("a datagram is whole in whatever order its fragments come", "[FRAG-1][UDP-25]") {
  std::vector<int> order = {0, 1, 2};
  do {
    SlowLab lab;
    const auto pieces = three_pieces();
    CHECK(lab.payload_after(pieces[static_cast<std::size_t>(order[0])]).empty());
    CHECK(lab.payload_after(pieces[static_cast<std::size_t>(order[1])]).empty());
    CHECK(lab.payload_after(pieces[static_cast<std::size_t>(order[2])]) == bytes_of(3000, 7));
    CHECK(lab.datagrams_held() == 0);
    CHECK(lab.reassembler.gauges(REALM_INTERNAL, lab.now_ns).bytes == 0);
  } while (std::ranges::next_permutation(order).found);
}

TEST_CASE("the largest datagram there is becomes whole", "[FRAG-1]") {
  for (const bool reversed : {false, true}) {
    SlowLab lab;
    auto pieces = cut({.payload = bytes_of(65515)}, 1480);
    if (reversed) std::ranges::reverse(pieces);
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) CHECK(lab.payload_after(pieces[i]).empty());
    CHECK(lab.payload_after(pieces.back()) == bytes_of(65515));
  }
}

TEST_CASE("fragments of different datagrams are never put together", "[FRAG-4]") {
  const Piece one = {.payload = bytes_of(2000)};
  for (const Piece& other : {with(one, [](Piece& p) { p.source = kS2; }), with(one, [](Piece& p) { p.destination++; }),
                             with(one, [](Piece& p) { p.id++; }), with(one, [](Piece& p) { p.protocol = 132; })}) {
    SlowLab lab;
    CHECK(lab.payload_after(cut(one, 1000)[0]).empty());
    CHECK(lab.payload_after(cut(other, 1000)[1]).empty());
    CHECK(lab.payload_after(cut(other, 1000)[0]) == bytes_of(2000));
    CHECK(lab.payload_after(cut(one, 1000)[1]) == bytes_of(2000));
  }
  SlowLab lab;
  CHECK(lab.payload_after(cut(one, 1000)[0], REALM_INTERNAL).empty());
  CHECK(lab.payload_after(cut(one, 1000)[1], REALM_EXTERNAL).empty());
  CHECK(lab.payload_after(cut(one, 1000)[1], REALM_INTERNAL) == bytes_of(2000));
}

TEST_CASE("what is lost late does not splice with a new datagram of the same ID", "[FRAG-5][FRAG-12]") {
  SlowLab lab;
  const auto pieces = three_pieces();
  lab.add(pieces[1]);
  lab.wait(4.9);
  lab.add(pieces[2]);
  lab.wait(0.2);  // 5.1 s from the first to arrive; a later fragment has bought no time
  CHECK(lab.payload_after(pieces[0]).empty());
  CHECK(lab.reassembler.counters().timeout == 1);
  CHECK(lab.reassembler.counters().late == 1);
  CHECK(lab.datagrams_held() == 0);
  // Nor does a copy of all of it, for as long again. Then the ID is free.
  for (const Piece& piece : pieces) CHECK(lab.payload_after(piece).empty());
  CHECK(lab.reassembler.counters().late == 4);
  lab.wait(5.1);
  for (const Piece& piece : {pieces[0], pieces[1]}) CHECK(lab.payload_after(piece).empty());
  CHECK(lab.payload_after(pieces[2]) == bytes_of(3000, 7));
}

TEST_CASE("what was given up years ago is not remembered", "[FRAG-5]") {
  const double turn = 4294967296.0 * 16777216 / 1e9;  // the clock of the tombstones comes round
  for (const double years : {turn / 4, turn / 2 - 70, turn / 2 + 70, turn - 140, turn + 7}) {
    SlowLab lab;
    auto kill = [&](std::uint16_t id) {
      lab.add(three_pieces(id)[0]);
      lab.add(with(three_pieces(id)[0], [](Piece& p) { p.payload[9] ^= 1; }));
    };
    kill(7);
    CHECK(lab.add(three_pieces()[0]).loss == Loss::kLate);
    lab.wait(years);
    kill(8);
    CHECK(lab.add(three_pieces()[0]).fate == Reassembled::Fate::kHeld);
  }
}

TEST_CASE("time alone ends what does not become whole", "[FRAG-12]") {
  SlowLab lab;
  for (std::uint16_t id = 0; id < 40; ++id) lab.add(three_pieces(id)[0]);
  lab.wait(2);
  lab.add(three_pieces(40)[0]);
  CHECK(lab.reassembler.gauges(REALM_INTERNAL, lab.now_ns).oldest_ns == 2'000'000'000);
  lab.wait(3);
  lab.reassembler.expire(lab.now_ns);
  CHECK(lab.datagrams_held() == 1);
  CHECK(lab.reassembler.counters().timeout == 40);
  lab.check_balance();
  FragmentsConfig longer = fragments_config();
  longer.timeout = 60;
  lab.reassembler.reconfigure(longer);
  lab.wait(56);
  lab.reassembler.expire(lab.now_ns);
  CHECK(lab.datagrams_held() == 1);
  lab.wait(1);
  lab.reassembler.expire(lab.now_ns);
  CHECK(lab.datagrams_held() == 0);
}

TEST_CASE("a partial overlap kills the datagram, and its copies for a while", "[FRAG-6]") {
  SlowLab lab;
  const Octets bytes = bytes_of(1600);
  const Piece first = {.payload = Octets(bytes.begin(), bytes.begin() + 800)};
  const Piece second = {.offset = 792, .more = false, .payload = Octets(bytes.begin() + 792, bytes.end())};
  lab.add(first);
  const Reassembled result = lab.add(second);
  CHECK(result.fate == Reassembled::Fate::kLost);
  CHECK(result.loss == Loss::kOverlap);
  CHECK(lab.reassembler.counters().overlap == 1);
  for (const Piece& piece : cut({.payload = bytes}, 800)) CHECK(lab.payload_after(piece).empty());
  CHECK(lab.reassembler.counters().late == 2);
  CHECK(lab.reassembler.counters().lost == 4);
}

TEST_CASE("with first_wins an overlap keeps the bytes that came first", "[FRAG-6]") {
  SlowLab lab(fragments_config(Overlap::kFirstWins));
  lab.add({.offset = 8, .payload = Octets(8, 'b')});
  lab.add({.offset = 24, .payload = Octets(8, 'd')});
  lab.add({.offset = 0, .payload = Octets(32, 'x')});  // fills 0-7 and 16-23
  const Octets whole = lab.payload_after({.offset = 24, .more = false, .payload = Octets(13, 'y')});
  CHECK(std::string(whole.begin(), whole.end()) ==
        "xxxxxxxxbbbbbbbbxxxxxxxxdddddddd"
        "yyyyy");
  CHECK(lab.reassembler.counters().joined == 4);
}

TEST_CASE("an exact duplicate is dropped alone", "[FRAG-7]") {
  SlowLab lab;
  const auto pieces = three_pieces();
  lab.add(pieces[0]);
  lab.add(pieces[1]);
  CHECK(lab.add(pieces[1]).fate == Reassembled::Fate::kDuplicate);
  CHECK(lab.add(pieces[0]).fate == Reassembled::Fate::kDuplicate);
  CHECK(lab.payload_after(pieces[2]) == bytes_of(3000, 7));
  CHECK(lab.reassembler.counters().dup == 2);
  // The same place with other bytes is none.
  SlowLab other;
  other.add(pieces[1]);
  CHECK(other.add(with(pieces[1], [](Piece& p) { p.payload[999] ^= 1; })).loss == Loss::kOverlap);
}

TEST_CASE("a datagram may be sent twice: an ID finds no duplicates of what is whole", "[ID-1]") {
  SlowLab lab;
  for (int copy = 0; copy < 2; ++copy) {
    const auto pieces = three_pieces();
    lab.add(pieces[0]);
    lab.add(pieces[1]);
    CHECK(lab.payload_after(pieces[2]) == bytes_of(3000, 7));
  }
}

TEST_CASE("a first fragment that hides its transport header is dropped", "[FRAG-8][FRAG-17]") {
  const std::map<std::uint8_t, std::size_t> least = {{6, 16}, {17, 8}, {1, 8}, {33, 16}, {132, 16}};
  for (const auto& [protocol, size] : least) {
    SlowLab lab;
    if (size > 8) {
      CHECK(lab.add({.protocol = protocol, .payload = bytes_of(size - 8)}).loss == Loss::kTiny);
      CHECK(lab.reassembler.counters().tiny == 1);
    }
    CHECK(lab.datagrams_held() == 0);
    CHECK(lab.add({.protocol = protocol, .payload = bytes_of(size)}).fate == Reassembled::Fate::kHeld);
  }
}

TEST_CASE("no fragment of TCP begins at byte 8", "[FRAG-9]") {
  SlowLab lab;
  CHECK(lab.add({.protocol = 6, .offset = 8, .payload = bytes_of(1000)}).loss == Loss::kTiny);
  CHECK(lab.add({.protocol = 17, .offset = 8, .payload = bytes_of(1000)}).fate == Reassembled::Fate::kHeld);
}

TEST_CASE("a datagram longer than 65,535 bytes dies as soon as it shows", "[FRAG-10]") {
  SlowLab lab;
  lab.add(three_pieces()[0]);
  CHECK(lab.add({.offset = 8189 * 8, .more = false, .payload = bytes_of(100)}).loss == Loss::kOversize);
  CHECK(lab.reassembler.counters().oversize == 1);
  CHECK(lab.datagrams_held() == 0);
  CHECK(lab.add(three_pieces()[1]).loss == Loss::kLate);
  // The first fragment's header counts too, which may be longer than the others'.
  SlowLab options;
  options.add({.offset = 65000, .more = false, .payload = bytes_of(515)});
  auto pieces = cut({.payload = bytes_of(65000), .options = Octets(4, 1)}, 1480);
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    pieces[i].options = {};
    pieces[i].more = true;
    CHECK(options.add(pieces[i]).fate == Reassembled::Fate::kHeld);
  }
  CHECK(options.add(pieces[0]).loss == Loss::kOversize);
}

TEST_CASE("lengths that no fragment has are dropped", "[FRAG-11]") {
  SlowLab lab;
  CHECK(lab.add({.offset = 800, .payload = bytes_of(13)}).loss == Loss::kLen8);
  CHECK(lab.add({.offset = 800, .payload = {}}).loss == Loss::kLen8);
  CHECK(lab.add({.offset = 800, .more = false, .payload = {}}).loss == Loss::kLen8);
  CHECK(lab.reassembler.counters().len8 == 3);
  CHECK(lab.datagrams_held() == 0);
}

TEST_CASE("fragments that disagree about the end kill the datagram", "[FRAG-11]") {
  const Piece end = {.offset = 1000, .more = false, .payload = bytes_of(100)};
  const Piece others[] = {
      {.offset = 2000, .more = false, .payload = bytes_of(100)},  // another end
      {.offset = 800, .more = false, .payload = bytes_of(100)},   // an earlier one
      {.offset = 1104, .more = true, .payload = bytes_of(96)},    // data beyond
      {.offset = 1000, .more = true, .payload = bytes_of(104)},   // more to come where the end was
  };
  for (const Piece& other : others) {
    for (const bool end_first : {true, false}) {
      for (const Overlap overlap : {Overlap::kKill, Overlap::kFirstWins}) {
        SlowLab lab(fragments_config(overlap));
        lab.add(end_first ? end : other);
        CHECK(lab.add(end_first ? other : end).loss == Loss::kOverlap);
        CHECK(lab.datagrams_held() == 0);
      }
    }
  }
}

TEST_CASE("the truth about DF and the largest fragment goes with the datagram", "[FRAG-18]") {
  SlowLab lab;
  auto pieces = cut({.payload = bytes_of(2600)}, 1000);
  pieces[1].dont_fragment = true;
  pieces[2].options = Octets(8, 1);
  lab.add(pieces[2]);
  lab.add(pieces[0]);
  const auto datagram = lab.add(pieces[1]).datagram;
  REQUIRE(datagram);
  CHECK(datagram->dont_fragment);
  CHECK(datagram->largest_fragment == 1020);
  CHECK(datagram->fragments == 3);
  CHECK(parse_frame(datagram->frame)->dont_fragment());
}

TEST_CASE("congestion seen by one fragment is seen by the datagram", "[FRAG-20]") {
  struct Case {
    std::uint8_t one, other;
    int result;  // -1: dropped
  };
  const Case cases[] = {{0, 0, 0},  {1, 1, 1},  {2, 2, 2}, {3, 3, 3}, {2, 3, 3}, {3, 1, 3},
                        {0, 3, -1}, {3, 0, -1}, {0, 2, 0}, {1, 0, 0}, {2, 1, 2}, {1, 2, 1}};
  for (const Case& c : cases) {
    SlowLab lab;
    auto pieces = cut({.payload = bytes_of(1600)}, 800);
    pieces[0].tos = static_cast<std::uint8_t>(0x48 | c.one);
    pieces[1].tos = static_cast<std::uint8_t>(0x20 | c.other);
    lab.add(pieces[0]);
    const Reassembled result = lab.add(pieces[1]);
    if (c.result < 0) {
      CHECK(result.loss == Loss::kEcn);
      CHECK(lab.reassembler.counters().ecn == 1);
    } else {
      REQUIRE(result.datagram);
      CHECK(int{parse_frame(result.datagram->frame)->header[1]} == (0x48 | c.result));
    }
  }
}

TEST_CASE("headers are those of the fragment at offset 0", "[FRAG-21]") {
  for (const bool first_last : {false, true}) {
    SlowLab lab;
    auto pieces =
        cut({.tos = 0x10, .ttl = 9, .payload = bytes_of(1600), .options = {0x94, 4, 0, 0}, .tags = {0x8100'0064}}, 800);
    pieces[1].ttl = 200;
    pieces[1].tos = 0xfc;
    pieces[1].options = {};
    pieces[1].tags = {};
    if (first_last) std::ranges::reverse(pieces);
    lab.add(pieces[0]);
    const auto datagram = lab.add(pieces[1]).datagram;
    REQUIRE(datagram);
    Piece whole = pieces[first_last ? 1 : 0];
    whole.payload = bytes_of(1600);
    whole.more = false;
    const Octets wanted = frame_of(whole);
    CHECK(std::ranges::equal(datagram->frame, wanted));
    CHECK(datagram->arrival.ifindex == 3);
    CHECK(datagram->arrival.rx_queue == 1);
  }
}

TEST_CASE("a datagram has at most 64 fragments", "[FRAG-30]") {
  SlowLab lab;
  for (std::uint32_t i = 0; i < 64; ++i) {
    CHECK(lab.add({.offset = i * 8, .payload = bytes_of(8)}).fate == Reassembled::Fate::kHeld);
  }
  const Reassembled result = lab.add({.offset = 64 * 8, .payload = bytes_of(8)});
  CHECK(result.loss == Loss::kLimit);
  REQUIRE(result.quota);
  CHECK(result.quota->limit == QuotaHit::Limit::kFragments);
  CHECK(result.quota->value == 64);
  CHECK(lab.reassembler.counters().limit == 1);
  CHECK(lab.add({.offset = 65 * 8, .payload = bytes_of(8)}).loss == Loss::kLate);
  CHECK(lab.reassembler.gauges(REALM_INTERNAL, lab.now_ns).bytes == 0);
}

TEST_CASE("a source has per_source datagrams at once, the newest, and is named", "[FRAG-3][FRAG-28]") {
  SlowLab lab;
  for (std::uint16_t id = 0; id < 64; ++id) CHECK_FALSE(lab.add(three_pieces(id)[0]).quota);
  const Reassembled result = lab.add(three_pieces(64)[0]);
  CHECK(result.fate == Reassembled::Fate::kHeld);
  REQUIRE(result.quota);
  CHECK(result.quota->limit == QuotaHit::Limit::kPerSource);
  CHECK(result.quota->value == 64);
  CHECK(result.quota->source == Ip4(kS1));
  CHECK(result.quota->realm == REALM_INTERNAL);
  CHECK(lab.datagrams_held() == 64);
  CHECK(lab.reassembler.counters().limit == 1);
  CHECK(lab.reassembler.counters().limit_source == 1);
  // The oldest went; the second oldest still becomes whole.
  CHECK(lab.add(three_pieces(0)[1]).loss == Loss::kLate);
  lab.add(three_pieces(1)[1]);
  CHECK(lab.payload_after(three_pieces(1)[2]) == bytes_of(3000, 1));
}

TEST_CASE("how close the busiest sender is to meeting its own IDs is shown", "[FRAG-14]") {
  SlowLab lab;
  CHECK(lab.reassembler.wrap_margin() > 10000);
  auto burst = [&](std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      for (const Piece& piece : cut({.id = static_cast<std::uint16_t>(i), .payload = bytes_of(24)}, 16)) lab.add(piece);
    }
  };
  burst(20000);
  lab.wait(1);
  burst(1);
  CHECK(lab.reassembler.wrap_margin() == Approx(65536.0 / (20000 * 5)));
  lab.wait(1);
  burst(1);
  CHECK(lab.reassembler.wrap_margin() == Approx(65536.0 / 5));
}

TEST_CASE("who sends so fast that IDs come round within the timeout is named when the second is over", "[FRAG-14]") {
  SlowLab lab;
  auto burst = [&](std::uint32_t count, std::uint32_t source) {
    for (std::uint32_t i = 0; i < count; ++i) {
      lab.add(cut({.source = source, .id = static_cast<std::uint16_t>(i), .payload = bytes_of(24)}, 16)[0]);
    }
  };
  burst(13107, kS2);
  lab.wait(1);
  lab.reassembler.expire(lab.now_ns);
  CHECK(lab.reassembler.wrap_margin() > 1);
  CHECK_FALSE(lab.reassembler.take_id_wrap());

  burst(100, kS2);
  burst(13108, kS1);
  CHECK_FALSE(lab.reassembler.take_id_wrap());
  lab.wait(1);
  lab.reassembler.expire(lab.now_ns);
  CHECK(lab.reassembler.wrap_margin() <= 1);
  const auto wrap = lab.reassembler.take_id_wrap();
  REQUIRE(wrap);
  CHECK(wrap->source.value() == kS1);
  CHECK(wrap->protocol == 17);
  CHECK(wrap->datagrams == 13108);
  CHECK(wrap->limit == 13107);
  CHECK_FALSE(lab.reassembler.take_id_wrap());
  CHECK(lab.reassembler.counters().id_wraps == 1);

  // Nobody sends any more: the figure does not stay as it was.
  lab.wait(1);
  lab.reassembler.expire(lab.now_ns);
  CHECK(lab.reassembler.wrap_margin() == Approx(65536.0 / 5));
}
