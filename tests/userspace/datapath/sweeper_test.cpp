// sweeper_test.cpp - what ends when, over rows made by hand and a clock wound by hand.
#include "datapath/sweeper.h"

#include <catch2/catch.hpp>

#include "userspace/datapath/memory_rows.h"

using namespace apnat;
using namespace apnat::test;

namespace {

constexpr std::uint32_t kUdp = 100, kEstablished = 2000, kTransitory = 60, kIcmp = 20;
constexpr std::uint32_t kIdle = 300, kHoldDown = 1800, kSecond = 16;

Sweeper::Settings settings() {
  Sweeper::Settings settings;
  settings.options.udp_ticks = kUdp;
  settings.options.tcp_established_ticks = kEstablished;
  settings.options.tcp_transitory_ticks = kTransitory;
  settings.options.icmp_ticks = kIcmp;
  settings.block_idle_ticks = kIdle;
  return settings;
}

Moment at(std::uint32_t ticks) {
  return {.ticks = ticks, .tai_ns = 1'700'000'100'000'000'000, .tai_offset = std::chrono::seconds(37)};
}

// One turn; what it told. It is recorded at once.
std::vector<EventBody> turn(Sweeper& sweeper, MemoryRows& world, std::uint32_t now,
                            const Sweeper::Settings& chosen = settings()) {
  std::vector<EventBody> ended;
  sweeper.sweep(world.rows(), chosen, at(now), ended);
  sweeper.give_back(world.rows(), kHoldDown, at(now));
  return ended;
}

constexpr unsigned kBlock = 10;
constexpr unsigned kSlot = kBlock * 512 + 33;

}  // namespace

TEST_CASE("a mapping is ended once its lifetime and the margin are over, not before", "[sweeper][UDP-7]") {
  struct Case {
    std::uint8_t protocol;
    std::uint32_t state;
    std::uint32_t lifetime;
  };
  const Case which = GENERATE(
      Case{17, 0, kUdp}, Case{1, 0, kIcmp}, Case{6, TCP_INIT, kTransitory}, Case{6, TCP_ESTABLISHED, kEstablished},
      Case{6, TCP_CLIENT_FIN, kEstablished}, Case{6, TCP_SERVER_FIN, kEstablished}, Case{6, TCP_BOTH_FIN, kTransitory},
      Case{6, TCP_TRANS, kTransitory}, Case{6, +TCP_TRANS | +STATE_SEVERAL_SESSIONS, kEstablished},
      Case{6, +TCP_BOTH_FIN | +STATE_SEVERAL_SESSIONS, kEstablished});
  MemoryRows world;
  Sweeper sweeper;
  world.give_block(3, 0, kBlock);
  world.open_mapping(3, which.protocol, kSlot, kTestNow, which.state);
  const unsigned protocol_class = which.protocol == 6 ? CLASS_TCP : which.protocol == 17 ? CLASS_UDP : CLASS_OTHER;

  CHECK(turn(sweeper, world, kTestNow + which.lifetime + RECLAIM_MARGIN).empty());
  CHECK(world.at(protocol_class, kSlot).key != 0);
  CHECK(turn(sweeper, world, kTestNow + which.lifetime + RECLAIM_MARGIN + 1).empty());
  CHECK(world.at(protocol_class, kSlot).key == 0);
}

TEST_CASE("an ended mapping is told where the pool logs mappings, with its creation", "[sweeper][LOG-3]") {
  MemoryRows world(ASSIGN_DYNAMIC, LOG_MAPPINGS);
  Sweeper sweeper;
  world.give_block(3, 0, kBlock);
  world.open_mapping(3, 17, kSlot, kTestNow);

  const auto ended = turn(sweeper, world, kTestNow + kUdp + RECLAIM_MARGIN + 1);
  REQUIRE(ended.size() == 1);
  const auto& event = std::get<MappingDeleted>(ended[0]);
  CHECK(event.pool == "home");
  CHECK(event.reason == "expired");
  CHECK(event.internal == Endpoint{MemoryRows::address_of(3), 5000});
  CHECK(event.external == Endpoint{Ip4(0xcb007105), kSlot});
  CHECK(event.protocol == 17);
  // The tables keep CLOCK_TAI, events the wall clock.
  CHECK(event.created_at == WallTime(std::chrono::seconds(1'700'000'001 - 37)));
}

TEST_CASE("a forward outlives every lifetime", "[sweeper]") {
  MemoryRows world;
  Sweeper sweeper;
  world.give_block(3, 0, kBlock);
  world.open_mapping(3, 6, kSlot, 1, 0, MARK_IN_USE | MARK_STATIC);
  turn(sweeper, world, kTestNow);
  CHECK(world.at(CLASS_TCP, kSlot).key != 0);
}

TEST_CASE("an idle block goes back step by step and waits out its hold-down", "[sweeper][CGN-14][CGN-18][LOG-3]") {
  MemoryRows world;
  Sweeper sweeper;
  world.give_block(3, 0, kBlock);
  world.block(kBlock).mappings_created = 5;
  world.open_mapping(3, 17, kSlot, kTestNow);
  const std::uint32_t dead = kTestNow + kUdp;

  CHECK(turn(sweeper, world, dead + RECLAIM_MARGIN + 1).empty());
  CHECK(turn(sweeper, world, dead + kIdle - 1).empty());
  CHECK(world.owner(3).closing == 0);

  // First step: nothing new in it from now on.
  CHECK(turn(sweeper, world, dead + kIdle).empty());
  CHECK(world.owner(3).closing == 1);
  CHECK(world.block(kBlock).owner_plus_one == 4);
  CHECK(turn(sweeper, world, dead + kIdle + kSecond - 1).empty());

  // Second step, a grace period later.
  const std::uint32_t then = dead + kIdle + 2 * kSecond;
  const auto ended = turn(sweeper, world, then);
  REQUIRE(ended.size() == 1);
  const auto& released = std::get<PortBlockReleased>(ended[0]);
  CHECK(released.subscriber == Prefix(MemoryRows::address_of(3), 32));
  CHECK(released.external_address == Ip4(0xcb007105));
  CHECK(released.ports == std::vector{PortRange{kBlock * 512, kBlock * 512 + 511}});
  CHECK(released.assigned_at == WallTime(std::chrono::seconds(1'700'000'000 - 37)));
  CHECK(released.mappings_created == 5);

  CHECK(world.block(kBlock).owner_plus_one == 0);
  CHECK(world.block(kBlock).available_from == then + kHoldDown + 1);
  CHECK(world.owner(3).block[0].last == 0);
  CHECK(world.owner(3).closing == 0);
  CHECK(world.external().blocks_owned == 0);
  CHECK(world.external().first_blocks == 0);
}

TEST_CASE("a subscriber without blocks keeps its external address", "[sweeper][CGN-2]") {
  MemoryRows world;
  Sweeper sweeper;
  world.give_block(3, 0, kBlock);
  turn(sweeper, world, kTestNow);
  turn(sweeper, world, kTestNow + 2 * kSecond);
  CHECK(world.owner(3).block[0].last == 0);
  CHECK(world.owner(3).external_row_plus_one == MemoryRows::kExternalRow + 1);
}

TEST_CASE("a mapping opened while a block is being taken back saves the block", "[sweeper][CGN-25]") {
  MemoryRows world;
  Sweeper sweeper;
  world.give_block(3, 0, kBlock);
  turn(sweeper, world, kTestNow);
  REQUIRE(world.owner(3).closing == 1);
  // A packet that read the closing bit just before it was set.
  world.open_mapping(3, 17, kSlot, kTestNow);
  CHECK(turn(sweeper, world, kTestNow + 2 * kSecond).empty());
  CHECK(world.owner(3).closing == 0);
  CHECK(world.block(kBlock).owner_plus_one == 4);
  CHECK(world.at(CLASS_UDP, kSlot).key != 0);
}

TEST_CASE("a block with other mappings is not taken when one of its ports falls silent", "[sweeper][CGN-25]") {
  MemoryRows world;
  Sweeper sweeper;
  world.give_block(3, 0, kBlock);
  world.open_mapping(3, 17, kSlot, kTestNow);
  world.open_mapping(3, 6, kSlot + 7, kTestNow, TCP_ESTABLISHED);
  turn(sweeper, world, kTestNow + kUdp + kIdle + 100);
  CHECK(world.at(CLASS_UDP, kSlot).key == 0);
  CHECK(world.at(CLASS_TCP, kSlot + 7).key != 0);
  CHECK(world.owner(3).closing == 0);
}

TEST_CASE("only the idle one of a subscriber's blocks goes back", "[sweeper]") {
  MemoryRows world;
  Sweeper sweeper;
  world.give_block(3, 0, kBlock);
  world.give_block(3, 1, kBlock + 5);
  world.open_mapping(3, 6, kSlot, kTestNow, TCP_ESTABLISHED);
  turn(sweeper, world, kTestNow);
  CHECK(world.owner(3).closing == 2);
  const auto ended = turn(sweeper, world, kTestNow + 2 * kSecond);
  REQUIRE(ended.size() == 1);
  CHECK(world.owner(3).block[0].last != 0);
  CHECK(world.owner(3).block[1].last == 0);
  CHECK(world.external().first_blocks == 1);
}

TEST_CASE("the next agent undoes or finishes what one that died left half done", "[sweeper]") {
  MemoryRows world;
  world.give_block(3, 0, kBlock);
  world.give_block(4, 0, kBlock + 1);
  world.open_mapping(3, 17, kSlot, kTestNow);
  world.owner(3).closing = 1;  // in use all the same
  world.owner(4).closing = 1;  // idle
  Sweeper next;
  turn(next, world, kTestNow);
  CHECK(world.owner(3).closing == 0);
  const auto ended = turn(next, world, kTestNow + 2 * kSecond);
  REQUIRE(ended.size() == 1);
  CHECK(std::get<PortBlockReleased>(ended[0]).subscriber == Prefix(MemoryRows::address_of(4), 32));
}

TEST_CASE("a block stays taken until its release is recorded; the next agent tells it again", "[sweeper][LOG-3]") {
  MemoryRows world;
  world.give_block(3, 0, kBlock);
  std::vector<EventBody> told;
  {
    Sweeper killed;
    killed.sweep(world.rows(), settings(), at(kTestNow), told);
    killed.sweep(world.rows(), settings(), at(kTestNow + 2 * kSecond), told);
    REQUIRE(told.size() == 1);
  }
  CHECK(world.block(kBlock).owner_plus_one == 4);
  CHECK(world.owner(3).block[0].last != 0);
  CHECK(world.owner(3).closing == 1);

  Sweeper next;
  next.sweep(world.rows(), settings(), at(kTestNow + 3 * kSecond), told);
  REQUIRE(told.size() == 2);
  CHECK(std::get<PortBlockReleased>(told[1]).assigned_at == std::get<PortBlockReleased>(told[0]).assigned_at);
  CHECK(next.give_back(world.rows(), kHoldDown, at(kTestNow + 3 * kSecond)) == 1);
  CHECK(world.block(kBlock).owner_plus_one == 0);
  CHECK(world.block(kBlock).available_from == kTestNow + 3 * kSecond + kHoldDown + 1);
  CHECK(next.give_back(world.rows(), kHoldDown, at(kTestNow + 4 * kSecond)) == 0);
}

TEST_CASE("agents that are killed every second give blocks back all the same", "[sweeper][CGN-14]") {
  MemoryRows world;
  world.give_block(3, 0, kBlock);
  std::size_t told = 0;
  for (std::uint32_t second = 0; second < 4; ++second) {
    Sweeper short_lived;
    told += turn(short_lived, world, kTestNow + second * kSecond).size();
  }
  CHECK(told == 1);
  CHECK(world.block(kBlock).owner_plus_one == 0);
}

TEST_CASE("no more ends in a turn than can be told", "[sweeper][LOG-6]") {
  MemoryRows world;
  Sweeper sweeper;
  for (unsigned n = 0; n < 20; ++n) world.give_block(n, 0, 20 + n);
  Sweeper::Settings few = settings();
  few.most_told = 5;
  turn(sweeper, world, kTestNow, few);
  std::size_t told = 0;
  for (std::uint32_t second = 2; second < 6; ++second) {
    const auto ended = turn(sweeper, world, kTestNow + second * kSecond, few);
    CHECK(ended.size() <= 5);
    told += ended.size();
  }
  CHECK(told == 20);
}

TEST_CASE("a block whose subscriber does not know of it is given back", "[sweeper]") {
  MemoryRows world;
  Sweeper sweeper;
  world.give_block(3, 0, kBlock);
  world.owner(3) = {};
  turn(sweeper, world, kTestNow);
  const auto ended = turn(sweeper, world, kTestNow + 2 * kSecond);
  CHECK(ended.size() == 1);
  CHECK(world.block(kBlock).owner_plus_one == 0);
}

TEST_CASE("a block that changed hands during the grace period is left alone", "[sweeper]") {
  MemoryRows world;
  Sweeper sweeper;
  world.give_block(3, 0, kBlock);
  turn(sweeper, world, kTestNow);
  world.block(kBlock).assigned_seq = 4711;
  CHECK(turn(sweeper, world, kTestNow + 2 * kSecond).empty());
  CHECK(world.block(kBlock).owner_plus_one == 4);
}

TEST_CASE("the mappings of fixed pools end, their blocks stay", "[sweeper][DET-14]") {
  MemoryRows world(ASSIGN_DETERMINISTIC);
  Sweeper sweeper;
  subscriber& owner = world.owner(3);
  owner.pool_plus_one = 1;
  owner.flags = SUBSCRIBER_FIXED_BLOCKS;
  owner.external_row_plus_one = MemoryRows::kExternalRow + 1;
  owner.block[0] = {2000, 2999};
  world.open_mapping(3, 17, 2500, kTestNow);
  world.open_mapping(3, 1, 60000, kTestNow);
  turn(sweeper, world, kTestNow + kUdp + kIdle + 100);
  turn(sweeper, world, kTestNow + kUdp + kIdle + 200);
  CHECK(world.at(CLASS_UDP, 2500).key == 0);
  CHECK(world.at(CLASS_OTHER, 60000).key == 0);
  CHECK(owner.block[0].last == 2999);
}

TEST_CASE("a walk that does not fit one turn goes on in the next", "[sweeper]") {
  MemoryRows world;
  Sweeper sweeper;
  Sweeper::Settings little = settings();
  little.slots_a_turn = 2000;  // a block has 1536
  for (unsigned n = 0; n < 20; ++n) {
    world.give_block(n, 0, 20 + n);
    world.open_mapping(n, 17, (20 + n) * 512 + 5, kTestNow);
  }
  const std::uint32_t now = kTestNow + kUdp + RECLAIM_MARGIN + 1;
  const auto left = [&] {
    unsigned count = 0;
    for (unsigned n = 0; n < 20; ++n) count += world.at(CLASS_UDP, (20 + n) * 512 + 5).key != 0;
    return count;
  };
  turn(sweeper, world, now, little);
  CHECK(left() >= 18);
  for (int turns = 0; turns < 20; ++turns) turn(sweeper, world, now, little);
  CHECK(left() == 0);
}

TEST_CASE("a lock whose holder is gone is broken after a second", "[sweeper]") {
  MemoryRows world;
  Sweeper sweeper;
  world.owner(9).lock = kTestNow | 1;
  turn(sweeper, world, kTestNow + 4);
  CHECK(world.owner(9).lock != 0);
  turn(sweeper, world, kTestNow + 2 * kSecond);
  CHECK(world.owner(9).lock == 0);
}

TEST_CASE("times around the wrap of the tick counter are told apart", "[sweeper]") {
  MemoryRows world;
  Sweeper sweeper;
  const std::uint32_t before = 0xfffffff0;
  world.give_block(3, 0, kBlock);
  world.open_mapping(3, 17, kSlot, before);
  turn(sweeper, world, before + 50);
  CHECK(world.at(CLASS_UDP, kSlot).key != 0);
  // A program's clock may be a tick ahead of the one this turn began with.
  turn(sweeper, world, before - 1);
  CHECK(world.at(CLASS_UDP, kSlot).key != 0);
  turn(sweeper, world, before + kUdp + RECLAIM_MARGIN + 1);
  CHECK(world.at(CLASS_UDP, kSlot).key == 0);
}
