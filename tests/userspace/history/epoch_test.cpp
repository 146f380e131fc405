// epoch_test.cpp - ports that a rule gives: answered for any past time by the rule of that time.
#include "history/epoch.h"

#include <catch2/catch.hpp>

#include "config/read.h"
#include "history/shape.h"
#include "history_world.h"

using namespace apnat;
using namespace apnat::test;
using namespace std::chrono_literals;

namespace {

Epoch epoch_of(const std::string& pools) {
  const std::string text = "[interfaces]\ninternal = [\"eth0\"]\nexternal = [\"eth1\"]\n" + pools;
  Plan made = plan(read_config_text(text, "test.toml").value());
  Epoch epoch{made.pools, made.forwards};
  for (PlannedPool& pool : epoch.pools) {
    for (std::uint32_t i = 0; i < 4; ++i) pool.row.layout_key[i] = 0x9e3779b9u * (i + 1);
  }
  return epoch;
}

std::string computed(const char* external, const char* more = "") {
  return std::string(
             "[[pool]]\nname = \"computed\"\ninternal = [\"100.64.0.0/24\", \"100.64.8.0/26\"]\nexternal = [\"") +
         external + "\"]\nassignment = \"deterministic\"\n" + more;
}

const char* kStatic =
    "[[pool]]\nname = \"business\"\ninternal = [\"100.65.0.0/24\"]\nexternal = [\"203.0.113.64/28\"]\n"
    "assignment = \"static\"\n"
    "[[static_block]]\npool = \"business\"\nsubscriber = \"100.65.0.1\"\nexternal_address = \"203.0.113.70\"\n"
    "ports = \"8192-12287\"\n"
    "[[forward]]\npool = \"business\"\nprotocol = \"tcp\"\nexternal = \"203.0.113.70:8200\"\n"
    "internal = \"100.65.0.9:80\"\n";

}  // namespace

TEST_CASE("an epoch comes out of its bytes as it went in") {
  const Epoch epoch = epoch_of(computed("203.0.113.0/29") + kStatic);
  const std::string bytes = encoded(epoch);
  const Epoch read = decode_epoch(bytes).value();
  CHECK(encoded(read) == bytes);
  CHECK(read.pools[0].external == epoch.pools[0].external);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) CHECK_FALSE(decode_epoch(bytes.substr(0, cut)));
}

TEST_CASE("forward and back: each deterministic subscriber's every port leads to it alone", "[DET-1][LOG-9]") {
  for (const char* layout : {"", "port_layout = \"scattered\"\n"}) {
    const Epoch epoch = epoch_of(computed("203.0.113.0/31", layout));
    const PlannedPool& pool = epoch.pools[0];
    for (std::uint64_t n = 0; n < pool.subscriber_count(); ++n) {
      const auto places = ruled_places(epoch, pool.subscriber(n));
      REQUIRE(places.size() == 1);
      for (const PortRange& range : places[0].ports) {
        for (const std::uint16_t port : {range.first, range.last}) {
          const auto owners = ruled_owners(epoch, places[0].external_address, port, 6);
          REQUIRE(owners.size() == 1);
          CHECK(owners[0].subscriber == pool.subscriber(n));
        }
      }
    }
  }
}

TEST_CASE("a static block and a forward are answered by the configuration of their time", "[LOG-8][SHARE-44]") {
  HistoryWorld history;
  history.store->begin_epoch(epoch_of(kStatic), at(8), at(8));
  history.started();
  history.wait_until(at(12));
  history.write();
  const auto who = [&](std::uint16_t port, std::optional<std::uint8_t> protocol) {
    return history.words(history.ask(at(9), port, 0s, protocol, "203.0.113.70"));
  };
  CHECK(who(9'000, 6) == "unique 100.65.0.1");
  CHECK(who(8'000, 6) == "none");
  CHECK(who(8'200, 6) == "unique 100.65.0.9");
  CHECK(who(8'200, 17) == "unique 100.65.0.1");
}

TEST_CASE("each time is answered by its own parameters, over days and restarts, with no record",
          "[LOG-8][LOG-9][DET-9]") {
  HistoryWorld history;
  history.store->begin_epoch(epoch_of(computed("203.0.113.4/31")), at(8), at(8));
  history.started();
  history.write();
  const auto live_until = [&](int day) {
    for (; history.clock.realtime() < at(7, 0, 0, day);) {
      history.clock.advance(24h);
      history.tell(AgentStopped{"tick"});
      history.write();
      history.settle();
    }
  };
  live_until(4);
  history.wait_until(at(12, 0, 0, 4));
  history.store->begin_epoch(epoch_of(computed("203.0.113.5/32")), at(12, 0, 0, 4), at(12, 0, 1, 4));
  history.write();
  live_until(8);
  history.open();
  history.store->begin_epoch(epoch_of(computed("203.0.113.5/32")), history.clock.realtime(), history.clock.realtime());
  history.started();
  history.write();
  const Findings before = history.ask(at(9, 0, 0, 2));
  const Findings after = history.ask(at(9, 0, 0, 6));
  CHECK(history.words(before) == "unique 100.64.0.160");
  CHECK(before.candidates[0].from == to_micros(at(8)));
  CHECK(before.candidates[0].to == to_micros(at(12, 0, 1, 4)));
  CHECK(history.words(after) == "unique 100.64.0.0");
  CHECK(after.candidates[0].from == to_micros(at(12, 0, 0, 4)));
  CHECK_FALSE(after.candidates[0].to);
  // While one replaced the other it may have been either.
  CHECK(history.ask(at(12, 0, 0, 4), 1100, 1s).verdict == HistoryVerdict::kAmbiguous);
}

TEST_CASE("blocks of every layout are found by each of their ports", "[SHARE-46][LOG-1]") {
  for (const char* layout : {"port_layout = \"psid\"\nports = \"0-65535\"\npsid_offset = 4\n",
                             "port_layout = \"scattered\"\n", "port_layout = \"contiguous\"\n"}) {
    INFO(layout);
    const Epoch epoch = epoch_of(
        std::string("[[pool]]\nname = \"residential\"\ninternal = [\"100.64.0.0/16\"]\nexternal = [\"203.0.113.5\"]\n"
                    "block_size = 512\n") +
        layout);
    const struct pool& row = epoch.pools[0].row;
    HistoryWorld history;
    history.store->begin_epoch(epoch, at(8), at(8));
    history.started();
    history.wait_until(at(9));
    for (std::uint16_t block : {3, 4, 77}) {
      PortBlockAssigned event = HistoryWorld::block(("100.64.0." + std::to_string(block)).c_str());
      event.ports =
          ports_of_slots(row, {static_cast<std::uint16_t>(block * 512), static_cast<std::uint16_t>(block * 512 + 511)});
      history.tell(event);
    }
    history.wait_until(at(10));
    history.write();
    for (std::uint32_t port = 0; port < 65'536; port += 61) {
      const std::uint16_t block = slot_of_port(row, static_cast<std::uint16_t>(port)) / 512;
      const auto has =
          ports_of_slots(row, {static_cast<std::uint16_t>(block * 512), static_cast<std::uint16_t>(block * 512 + 511)});
      const bool usable =
          std::ranges::any_of(has, [&](const PortRange& r) { return r.contains(static_cast<std::uint16_t>(port)); });
      // The layout's excluded ports are nobody's.
      const bool held = usable && (block == 3 || block == 4 || block == 77);
      const Findings found = history.ask(at(9, 30), static_cast<std::uint16_t>(port));
      CHECK(history.words(found) == (held ? "unique 100.64.0." + std::to_string(block) : "none"));
    }
  }
}

TEST_CASE("a block given back after its pool was cut in another way has ended for good", "[LOG-3]") {
  const std::string pool =
      "[[pool]]\nname = \"residential\"\ninternal = [\"100.64.0.0/16\"]\nexternal = [\"203.0.113.5\"]\n";
  const std::string after =
      GENERATE("ports = \"2048-65535\"\n", "block_size = 1024\n", "port_layout = \"scattered\"\n", "another pool");
  HistoryWorld history;
  history.store->begin_epoch(epoch_of((pool + "block_size = 512\n").c_str()), at(8), at(8));
  history.started();
  history.wait_until(at(9));
  const PortBlockAssigned block = HistoryWorld::block("100.64.0.1", 4096);
  history.tell(block);
  history.write();
  const std::string other =
      "[[pool]]\nname = \"business\"\ninternal = [\"100.64.0.0/16\"]\nexternal = [\"203.0.113.6\"]\n";
  history.store->begin_epoch(epoch_of((after == "another pool" ? other : pool + after).c_str()), at(10), at(10));
  history.wait_until(at(11));
  history.tell(PortBlockReleased{block.pool, block.subscriber, block.external_address, block.ports, at(9), 7});
  history.wait_until(at(12));
  history.write();
  CHECK(history.words(history.ask(at(10, 30), 4100)) == "unique 100.64.0.1");
  CHECK(history.words(history.ask(at(11, 30), 4100)) == "none");
}

TEST_CASE("a block of a pool as it was before a reload keeps its own ports") {
  const Epoch epoch = epoch_of(
      "[[pool]]\nname = \"residential\"\ninternal = [\"100.64.0.0/16\"]\nexternal = [\"203.0.113.5\"]\nblock_size = "
      "512\n");
  HistoryWorld history;
  history.store->begin_epoch(epoch, at(8), at(8));
  history.started();
  PortBlockAssigned small = HistoryWorld::block("100.64.0.1");
  small.ports = {{2048, 2303}};
  history.tell(small);
  PortBlockAssigned large = HistoryWorld::block("100.64.0.2");
  large.ports = {{4096, 5119}};
  history.tell(large);
  history.wait_until(at(9));
  history.write();
  CHECK(history.words(history.ask(at(8, 30), 2303)) == "unique 100.64.0.1");
  CHECK(history.words(history.ask(at(8, 30), 2304)) == "none");
  CHECK(history.words(history.ask(at(8, 30), 5000)) == "unique 100.64.0.2");
}
