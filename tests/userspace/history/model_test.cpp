// model_test.cpp - random lives of blocks, told out of order and more than once, over several days and restarts: the
// history says of any moment what a list of who held what says.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "history_world.h"

using namespace apnat;
using namespace apnat::test;

namespace {

struct Truth {
  int block = 0;
  std::string subscriber;
  Micros from = 0;
  std::optional<Micros> to;
};

struct Life {
  std::mt19937_64 random;
  HistoryWorld history;
  std::vector<Truth> truth;
  std::vector<Event> late;  // told, but not to the history yet

  explicit Life(std::uint64_t seed) : random(seed) { history.started(); }

  std::uint64_t any(std::uint64_t below) { return random() % below; }

  void tell(EventBody body) {
    late.push_back({history.seq++, history.clock.realtime(), history.clock.monotonic_ns(), std::move(body)});
  }

  void change_hands() {
    const int block = static_cast<int>(any(12));
    const auto held = std::ranges::find_if(truth, [&](const Truth& t) { return t.block == block && !t.to; });
    const Micros now = to_micros(history.clock.realtime());
    if (held != truth.end()) {
      held->to = now;
      tell(HistoryWorld::released(HistoryWorld::block(held->subscriber.c_str(), 1024 + 512 * block),
                                  to_wall(held->from)));
      return;
    }
    truth.push_back({block, "100.64.0." + std::to_string(any(200)), now, std::nullopt});
    tell(HistoryWorld::block(truth.back().subscriber.c_str(), 1024 + 512 * block));
  }

  // Some of it twice, and in another order than it happened.
  void write() {
    std::ranges::shuffle(late, random);
    for (const Event& event : late) {
      history.store->accept(event);
      if (any(10) == 0) history.store->accept(event);
    }
    late.clear();
    history.write();
  }

  void live() {
    for (int step = 0; step < 400; ++step) {
      history.clock.advance(std::chrono::seconds(30 + any(2'000)));
      change_hands();
      if (any(3) == 0) write();
      if (any(5) == 0) history.store->work();
      if (any(60) == 0) {
        write();
        history.open();
      }
    }
    write();
  }

  std::string expected(int block, Micros at, Micros skew) const {
    std::vector<std::string> holders;
    for (const Truth& t : truth) {
      if (t.block != block || t.from > at + skew || t.to.value_or(at + skew) < at - skew) continue;
      if (!std::ranges::count(holders, t.subscriber)) holders.push_back(t.subscriber);
    }
    std::string text = holders.empty() ? "none" : holders.size() == 1 ? "unique" : "ambiguous";
    std::ranges::sort(holders);
    for (const std::string& holder : holders) text += " " + holder;
    return text;
  }
};

std::string said(const Findings& findings) {
  std::vector<std::string> holders;
  for (const Candidate& candidate : findings.candidates) {
    if (!std::ranges::count(holders, candidate.subscriber.text())) holders.push_back(candidate.subscriber.text());
  }
  std::ranges::sort(holders);
  std::string text(word_of(findings.verdict));
  for (const std::string& holder : holders) text += " " + holder;
  return text;
}

}  // namespace

TEST_CASE("whatever the order of the telling, the history knows who held what", "[SHARE-36][LOG-3][LOG-4]") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    INFO("seed " << seed);
    Life life(seed);
    life.live();
    const Micros end = to_micros(life.history.clock.realtime());
    const auto view = life.history.store->view(life.history.clock.realtime());
    Archive archive;
    for (int i = 0; i < 600; ++i) {
      const int block = static_cast<int>(life.any(13));
      const Micros skew = life.any(2) ? 0 : static_cast<Micros>(life.any(3'600)) * 1'000'000;
      const Micros from = to_micros(at(8)) + skew;
      const Micros when = from + static_cast<Micros>(life.any(static_cast<std::uint64_t>(end - skew - from)));
      const auto port = static_cast<std::uint16_t>(1024 + 512 * block + life.any(512));
      const Findings found = archive.who_had(view, {ip("203.0.113.5"), port, 6, when, skew}).value();
      CHECK(said(found) == life.expected(block, when, skew));
    }
    // Every lease, whole, by its subscriber.
    for (const Truth& t : life.truth) {
      const auto found = archive.what_had(view, {Prefix::parse(t.subscriber).value(), to_micros(at(8)), end}).value();
      const bool is_there = std::ranges::any_of(found.candidates, [&](const Candidate& c) {
        return c.from == t.from && c.to == t.to && c.ports.front().first == 1024 + 512 * t.block;
      });
      CHECK(is_there);
    }
  }
}
