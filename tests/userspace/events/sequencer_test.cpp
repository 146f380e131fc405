// sequencer_test.cpp - order out of several processors' disorder.
#include "events/sequencer.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "samples.h"

using namespace apnat;
using namespace apnat::test;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

Event numbered(std::uint64_t seq) { return {seq, kTime, 0, AgentStopped{"n"}}; }

struct Collected {
  std::vector<std::uint64_t> seqs;
  std::vector<Gap> gaps;
  Sequencer::HandOn hand_on() {
    return [this](const Event& event) {
      seqs.push_back(event.seq);
      if (const auto* gap = std::get_if<Gap>(&event.body)) gaps.push_back(*gap);
    };
  }
};

}  // namespace

TEST_CASE("events in order go straight on") {
  Collected got;
  Sequencer sequencer(10, got.hand_on());
  for (std::uint64_t seq : {10, 11, 12}) sequencer.put(numbered(seq), 0);
  CHECK(got.seqs == std::vector<std::uint64_t>{10, 11, 12});
  CHECK(sequencer.next() == 13);
  CHECK(sequencer.waiting() == 0);
}

TEST_CASE("an event that overtook another waits for it", "[LOG-2]") {
  Collected got;
  Sequencer sequencer(1, got.hand_on());
  sequencer.put(numbered(3), 0);
  sequencer.put(numbered(2), 0);
  CHECK(got.seqs.empty());
  sequencer.put(numbered(1), 0);
  CHECK(got.seqs == std::vector<std::uint64_t>{1, 2, 3});
}

TEST_CASE("a number missing for a second becomes a gap, and the stream goes on", "[LOG-6]") {
  Collected got;
  Sequencer sequencer(1, got.hand_on());
  sequencer.put(numbered(1), 0);
  sequencer.put(numbered(5), 100);
  sequencer.expire(99 + kSecond, kTime);
  CHECK(got.gaps.empty());
  sequencer.expire(100 + kSecond, kTime);
  REQUIRE(got.gaps.size() == 1);
  CHECK(got.gaps[0].first_seq == 2);
  CHECK(got.gaps[0].last_seq == 4);
  CHECK_FALSE(got.gaps[0].reason.empty());
  CHECK(got.seqs == std::vector<std::uint64_t>{1, 2, 5});
  CHECK(sequencer.lost() == 3);
}

TEST_CASE("many gaps of one burst end together") {
  Collected got;
  Sequencer sequencer(0, got.hand_on());
  for (std::uint64_t seq = 1; seq < 100; seq += 2) sequencer.put(numbered(seq), 0);
  sequencer.expire(kSecond, kTime);
  CHECK(got.gaps.size() == 50);
  CHECK(sequencer.next() == 100);
}

TEST_CASE("a record that comes after its gap is handed on late, one seen before is not") {
  Collected got;
  Sequencer sequencer(1, got.hand_on());
  sequencer.put(numbered(5), 0);
  sequencer.give_up(kTime);
  sequencer.put(numbered(3), 0);
  CHECK(got.seqs == std::vector<std::uint64_t>{1, 5, 3});
  CHECK(sequencer.lost() == 3);
  sequencer.put(numbered(3), 0);
  sequencer.put(numbered(5), 0);
  CHECK(got.seqs.size() == 3);
  CHECK(sequencer.repeated() == 2);
}

TEST_CASE("what an earlier agent already delivered is not delivered twice") {
  Collected got;
  Sequencer sequencer(100, got.hand_on());
  for (std::uint64_t seq = 90; seq < 103; ++seq) sequencer.put(numbered(seq), 0);
  CHECK(got.seqs == std::vector<std::uint64_t>{100, 101, 102});
  CHECK(sequencer.repeated() == 10);
}

TEST_CASE("whatever the order, every number comes out once, itself or within a gap") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Collected got;
    Sequencer sequencer(0, got.hand_on());
    std::vector<std::uint64_t> seqs;
    std::vector<bool> present(500);
    for (std::uint64_t seq = 0; seq < 500; ++seq) {
      if (random() % 10 || seq == 499) {
        present[seq] = true;
        seqs.push_back(seq);
      }
    }
    for (std::size_t i = 0; i + 8 < seqs.size(); ++i) std::swap(seqs[i], seqs[i + random() % 8]);
    std::uint64_t now = 0;
    for (std::uint64_t seq : seqs) {
      sequencer.put(numbered(seq), now += random() % (kSecond / 4));
      sequencer.expire(now, kTime);
    }
    sequencer.give_up(kTime);

    std::vector<int> covered(500);
    for (const Gap& gap : got.gaps) {
      for (std::uint64_t seq = gap.first_seq; seq <= gap.last_seq; ++seq) ++covered[seq];
    }
    std::size_t handed_on = got.seqs.size() - got.gaps.size();
    CHECK(handed_on == seqs.size());
    for (std::uint64_t seq = 0; seq < 500; ++seq) {
      if (!present[seq]) REQUIRE(covered[seq] == 1);
    }
  }
}
