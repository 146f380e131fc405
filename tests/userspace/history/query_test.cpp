// query_test.cpp - who had it, and how sure that is.
#include "history/query.h"

#include <catch2/catch.hpp>

#include "history_world.h"

using namespace apnat;
using namespace apnat::test;
using namespace std::chrono_literals;

namespace {

// One block that changes hands twice, with the hold-down between.
struct Churn : HistoryWorld {
  Churn() {
    started();
    wait_until(at(9));
    tell(block("100.64.0.1"));
    wait_until(at(10));
    tell(released(block("100.64.0.1"), at(9)));
    wait_until(at(10, 2));
    tell(block("100.64.0.2"));
    wait_until(at(11));
    tell(released(block("100.64.0.2"), at(10, 2)));
    wait_until(at(12));
    write();
  }
};

}  // namespace

TEST_CASE("an address, a port and a time name one subscriber", "[LOG-4][SHARE-24][SHARE-36][SHARE-43]") {
  Churn history;
  CHECK(history.words(history.ask(at(9, 30))) == "unique 100.64.0.1");
  CHECK(history.words(history.ask(at(10, 30))) == "unique 100.64.0.2");
  CHECK(history.words(history.ask(at(10, 30), 1535)) == "unique 100.64.0.2");
  CHECK(history.words(history.ask(at(10, 30), 1536)) == "none");
  CHECK(history.words(history.ask(at(10, 1))) == "none");
  CHECK(history.words(history.ask(at(11, 30))) == "none");
  CHECK(history.words(history.ask(at(9, 30), 1100, 0s, 6, "203.0.113.6")) == "none");
  const Candidate first = history.ask(at(9, 30)).candidates.front();
  CHECK(first.from == to_micros(at(9)));
  CHECK(first.to == to_micros(at(10)));
  CHECK(first.ports == std::vector<PortRange>{{1024, 1535}});
}

TEST_CASE("a skew below the hold-down leaves the answer unique; one above it names both, and says why", "[LOG-4]") {
  Churn history;
  CHECK(history.words(history.ask(at(10, 1, 1), 1100, 60s)) == "unique 100.64.0.2");
  CHECK(history.words(history.ask(at(9, 59, 30), 1100, 60s)) == "unique 100.64.0.1");
  const Findings both = history.ask(at(10, 3), 1100, 180s);
  CHECK(history.words(both) == "ambiguous 100.64.0.1 100.64.0.2");
  REQUIRE(both.remarks.size() == 1);
  CHECK(both.remarks[0] ==
        "the skew makes it ambiguous: within it the port changed hands; at the very time it was 100.64.0.2's");
}

TEST_CASE("for a time that the history does not cover the answer is unknown, not none", "[LOG-4]") {
  Churn history;
  CHECK(history.words(history.ask(at(7))) == "unknown");
  CHECK(history.words(history.ask(at(13))) == "unknown");
  CHECK(history.words(history.ask(at(8, 30))) == "none");
  // Its future half does not make the present unknown.
  CHECK(history.words(history.ask(at(11, 59, 59), 1100, 60s)) == "none");
}

TEST_CASE("where events are missing nobody is named by guessing", "[LOG-6]") {
  HistoryWorld history;
  history.started();
  history.wait_until(at(9));
  history.tell(HistoryWorld::block("100.64.0.1"));
  history.wait_until(at(9, 30));
  history.tell(Gap{7, 9, "the ring was full"});
  history.wait_until(at(10));
  history.write();
  CHECK(history.words(history.ask(at(9, 10), 40'000)) == "unknown");
  CHECK(history.words(history.ask(at(9, 40), 40'000)) == "none");
  // A lease that is known to span the gap leaves no room for another.
  const Findings holder = history.ask(at(9, 10), 1100);
  CHECK(history.words(holder) == "unique 100.64.0.1");
  CHECK_FALSE(holder.covered);
  CHECK(history.store->wants_holdings());
  CHECK_FALSE(history.store->wants_holdings());
}

TEST_CASE("without a port everybody on the address is a candidate, and the answer says why", "[SHARE-24]") {
  HistoryWorld history;
  history.started();
  for (int i = 0; i < 126; ++i) {
    history.tell(HistoryWorld::block(("100.64.0." + std::to_string(i)).c_str(), 1024 + 512 * i));
  }
  history.tell(HistoryWorld::block("100.64.9.9", 1024, "203.0.113.6"));
  history.wait_until(at(9));
  history.write();
  const Findings all = history.ask(at(8, 30), std::nullopt, 0s, std::nullopt);
  CHECK(all.verdict == HistoryVerdict::kAmbiguous);
  CHECK(all.candidates.size() == 126);
  REQUIRE(all.remarks.size() == 1);
  CHECK(all.remarks[0].starts_with("no port was given: 126 subscribers"));
}

TEST_CASE("a mapping answers for its own protocol", "[LOG-1]") {
  HistoryWorld history;
  history.started();
  const MappingCreated tcp{"residential",
                           Prefix(ip("100.64.0.1"), 32),
                           6,
                           {ip("100.64.0.1"), 5000},
                           {ip("203.0.113.5"), 40'001},
                           Endpoint{ip("198.51.100.80"), 443}};
  MappingCreated udp = tcp;
  udp.subscriber = Prefix(ip("100.64.0.2"), 32);
  udp.protocol = 17;
  udp.internal = {ip("100.64.0.2"), 53};
  udp.destination = {};
  history.wait_until(at(9));
  history.tell(tcp);
  history.tell(udp);
  history.wait_until(at(9, 10));
  history.tell(MappingDeleted{tcp.pool, tcp.subscriber, 6, tcp.internal, tcp.external, at(9), "expired"});
  history.wait_until(at(10));
  history.write();
  const Findings one = history.ask(at(9, 5), 40'001, 0s, 6);
  CHECK(history.words(one) == "unique 100.64.0.1");
  CHECK(one.candidates[0].internal == tcp.internal);
  CHECK(one.candidates[0].destination == tcp.destination);
  CHECK(one.candidates[0].to == to_micros(at(9, 10)));
  CHECK(history.words(history.ask(at(9, 5), 40'001, 0s, 17)) == "unique 100.64.0.2");
  CHECK(history.words(history.ask(at(9, 30), 40'001, 0s, 6)) == "none");
  CHECK(history.words(history.ask(at(9, 5), 40'001, 0s, std::nullopt)) == "ambiguous 100.64.0.1 100.64.0.2");
}

TEST_CASE("a subscriber's ports of an interval are all found", "[LOG-4]") {
  Churn history;
  Archive archive;
  const auto had = [&](const char* subscriber, WallTime from, WallTime to) {
    return archive
        .what_had(history.store->view(history.clock.realtime()),
                  {Prefix::parse(subscriber).value(), to_micros(from), to_micros(to)})
        .value();
  };
  CHECK(had("100.64.0.1", at(8), at(12)).candidates.size() == 1);
  CHECK(had("100.64.0.0/24", at(8), at(12)).candidates.size() == 2);
  CHECK(had("100.64.0.1", at(10, 30), at(12)).verdict == HistoryVerdict::kNone);
  CHECK(had("100.64.0.1", at(7), at(7, 30)).verdict == HistoryVerdict::kUnknown);
}
