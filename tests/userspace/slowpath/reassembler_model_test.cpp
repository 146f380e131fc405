// The reassembler beside a plain model of it: the same answer to every fragment, the same bytes, for thousands of
// random datagrams cut, shuffled, doubled, overlapped and delayed.
#include <map>

#include "slow_lab.h"
#include "support/fragment_dice.h"
#include "support/reassembly_model.h"

using namespace apnat;
using namespace apnat::test;

namespace {

constexpr std::uint64_t kStepNs = 700'000'000;  // no sum of them comes near the end of a timeout

Piece random_datagram(Dice& dice, std::uint16_t id) {
  Piece whole{.id = id, .payload = bytes_of(17 + dice.below(dice.one_in(20) ? 60000 : 4000), dice.below(1000))};
  whole.protocol = dice.one_in(3) ? 6 : 17;
  whole.tos = static_cast<std::uint8_t>(dice.one_in(4) ? dice.below(4) : 0);
  whole.dont_fragment = dice.one_in(5);
  if (dice.one_in(6)) whole.options = Octets(4 * (1 + dice.below(10)), 1);
  return whole;
}

struct Tally {
  std::uint64_t whole = 0;
  std::uint64_t lost = 0;
  std::uint64_t duplicate = 0;
};

void compare(SlowLab& lab, ReassemblyModel& model, const Piece& piece, Tally& tally) {
  if (piece.offset == 0 && !piece.more) return;  // whole: no fragment
  const auto wanted = model.add(piece, lab.now_ns);
  const Reassembled got = lab.add(piece);
  INFO("id " << piece.id << " protocol " << int{piece.protocol} << " [" << piece.offset << ", "
             << piece.offset + piece.payload.size() << ") more " << piece.more << " loss "
             << static_cast<int>(got.loss));
  REQUIRE(static_cast<int>(got.fate) == static_cast<int>(wanted));
  tally.lost += got.fate == Reassembled::Fate::kLost;
  tally.duplicate += got.fate == Reassembled::Fate::kDuplicate;
  if (!got.datagram) return;
  ++tally.whole;
  REQUIRE(std::ranges::equal(got.datagram->frame, model.frame()));
}

// Several datagrams under way at a time, with few IDs between them, so that they meet again.
Tally run(Overlap overlap, std::uint32_t seed, int datagrams) {
  Dice dice(seed);
  SlowLab lab(fragments_config(overlap));
  ReassemblyModel model(overlap == Overlap::kFirstWins, 5'000'000'000);
  Tally tally;
  std::vector<std::vector<Piece>> under_way;
  while (datagrams > 0 || !under_way.empty()) {
    if (datagrams > 0 && under_way.size() < 4) {
      under_way.push_back(torn(dice, random_datagram(dice, static_cast<std::uint16_t>(dice.below(12)))).pieces);
      --datagrams;
    }
    auto& pieces = under_way[dice.below(static_cast<std::uint32_t>(under_way.size()))];
    compare(lab, model, pieces.back(), tally);
    pieces.pop_back();
    if (dice.one_in(150)) lab.now_ns += kStepNs * (1 + dice.below(9));
    std::erase_if(under_way, [](const auto& rest) { return rest.empty(); });
  }
  return tally;
}

}  // namespace

TEST_CASE("every answer is the model's, with overlaps that kill", "[FRAG-1][FRAG-5][FRAG-6][FRAG-7][FRAG-11]") {
  const Tally tally = run(Overlap::kKill, 1, 6000);
  CHECK(tally.whole > 500);
  CHECK(tally.lost > 5000);
  CHECK(tally.duplicate > 500);
}

TEST_CASE("every answer is the model's, with the first byte winning", "[FRAG-1][FRAG-5][FRAG-6][FRAG-7][FRAG-11]") {
  const Tally tally = run(Overlap::kFirstWins, 2, 6000);
  CHECK(tally.whole > 500);
  CHECK(tally.lost > 5000);
  CHECK(tally.duplicate > 500);
}

TEST_CASE("datagrams that nobody spoils are all delivered", "[FRAG-1]") {
  SlowLab lab;
  Dice dice(3);
  std::vector<std::pair<Piece, std::uint16_t>> pieces;
  std::map<std::uint16_t, Octets> sent;
  for (std::uint16_t id = 0; id < 60; ++id) {
    sent[id] = bytes_of(1000 + dice.below(9000), id);
    for (const Piece& piece : cut({.id = id, .payload = sent[id]}, 8 * (20 + dice.below(100))))
      pieces.push_back({piece, id});
  }
  for (std::size_t i = pieces.size() - 1; i > 0; --i) {
    std::swap(pieces[i], pieces[dice.below(static_cast<std::uint32_t>(i) + 1)]);
  }
  std::size_t whole = 0;
  for (const auto& [piece, id] : pieces) {
    const Octets payload = lab.payload_after(piece);
    if (payload.empty()) continue;
    ++whole;
    CHECK(payload == sent[id]);
  }
  CHECK(whole == sent.size());
  CHECK(lab.reassembler.counters().lost == 0);
}
