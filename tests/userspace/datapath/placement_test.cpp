// placement_test.cpp - where plans go, next to what is there.
#include "datapath/placement.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <set>

using namespace apnat;

namespace {

PlannedPool pool_of(const std::string& name, std::vector<Prefix> internal, std::vector<Ip4> external) {
  PlannedPool pool;
  pool.name = name;
  pool.row.assignment = ASSIGN_DYNAMIC;
  pool.row.block_size_log2 = 9;
  pool.row.subscriber_prefix_length = 32;
  pool.internal = std::move(internal);
  pool.external = std::move(external);
  return pool;
}

const Prefix kHome{Ip4(0x64400000), 23};  // 100.64.0.0/23
const Prefix kMore{Ip4(0x64410000), 24};
const std::vector<Ip4> kShared = {Ip4(0xcb007105), Ip4(0xcb007106)};  // 203.0.113.5, .6

// Tables in which a placement becomes what is held.
struct World {
  World()
      : pools(MAX_POOLS),
        pool_addresses(2 * MAX_EXTERNAL_TABLES),
        external(MAX_EXTERNAL_ROWS),
        mappings(SETS_PER_ADDRESS) {
    rows.pools = pools;
    rows.pool_addresses = pool_addresses;
    rows.external_addresses = external;
    rows.addresses.resize(MAX_EXTERNAL_TABLES);
  }

  Placement must_place(const Plan& plan, const std::vector<Ip4>& local = {}) {
    auto placed = place(plan, {rows, directory}, local);
    INFO((placed ? "" : placed.error().text));
    REQUIRE(placed);
    return *placed;
  }

  void settle(const Plan& plan, const Placement& placement) {
    std::fill(pools.begin(), pools.end(), (struct pool){});
    std::fill(external.begin(), external.end(), external_address{});
    for (AddressRows& tables : rows.addresses) tables = {};
    for (std::size_t n = 0; n < plan.pools.size(); ++n) {
      const PlacedPool& placed = placement.pools[n];
      pools[placed.index] = pool_row(plan.pools[n], placed, node);
      for (std::size_t i = 0; i < placed.addresses.size(); ++i) {
        const PlacedAddress& at = placed.addresses[i];
        pool_addresses[placed.address_first + i].external_row = at.row;
        external[at.row].address = at.address.network();
        external[at.row].pool_plus_one = static_cast<__u16>(placed.index + 1);
        external[at.row].tables = at.tables;
        rows.addresses[at.tables].mappings = mappings;
      }
    }
    directory = placement.directory;
  }

  std::vector<struct pool> pools;
  std::vector<pool_address> pool_addresses;
  std::vector<external_address> external;
  std::vector<mapping_set> mappings;
  node_state node{};
  Rows rows;
  Directory directory;
};

Plan plan_of(std::vector<PlannedPool> pools) {
  Plan plan;
  plan.pools = std::move(pools);
  return plan;
}

}  // namespace

TEST_CASE("a first plan gets places of its own for everything", "[placement]") {
  World world;
  const Placement placed =
      world.must_place(plan_of({pool_of("a", {kHome}, kShared), pool_of("b", {kMore}, {Ip4(0xcb007207)})}));
  REQUIRE(placed.pools.size() == 2);
  CHECK(placed.pools[0].index != placed.pools[1].index);
  CHECK_FALSE(placed.pools[0].kept);
  CHECK(placed.directory[REALM_INTERNAL].size() == 3);
  CHECK(placed.directory[REALM_EXTERNAL].size() == 2);
  std::set<std::uint32_t> tables, bases;
  for (const PlacedPool& pool : placed.pools) {
    for (const PlacedAddress& address : pool.addresses) tables.insert(address.tables);
  }
  for (const auto& [number, chunk] : placed.directory[REALM_INTERNAL]) {
    CHECK(chunk.base % 256 == 0);
    bases.insert(chunk.base);
  }
  CHECK(tables.size() == 3);
  CHECK(bases.size() == 3);
  CHECK(placed.pools[0].addresses[1].row == placed.pools[0].addresses[0].row + 1);
}

TEST_CASE("what stays in the plan stays in its place", "[placement]") {
  World world;
  const Plan first = plan_of({pool_of("a", {kHome}, kShared), pool_of("b", {kMore}, {Ip4(0xcb007207)})});
  const Placement before = world.must_place(first);
  world.settle(first, before);

  SECTION("the same plan again") {
    const Placement after = world.must_place(first);
    CHECK(after.directory == before.directory);
    for (std::size_t n = 0; n < 2; ++n) {
      CHECK(after.pools[n].kept);
      CHECK(after.pools[n].index == before.pools[n].index);
      CHECK(after.pools[n].address_first == before.pools[n].address_first);
      CHECK(after.pools[n].addresses[0].kept);
      CHECK(after.pools[n].addresses[0].tables == before.pools[n].addresses[0].tables);
    }
  }
  SECTION("a pool leaves, another comes: its places are not those that were just left") {
    const Placement after = world.must_place(plan_of({pool_of("c", {kMore}, {Ip4(0xcb007207)}), first.pools[0]}));
    CHECK(after.pools[1].kept);
    CHECK(after.pools[1].index == before.pools[0].index);
    CHECK_FALSE(after.pools[0].kept);
    CHECK(after.pools[0].index != before.pools[1].index);
    CHECK_FALSE(after.pools[0].addresses[0].kept);
    CHECK(after.pools[0].addresses[0].tables != before.pools[1].addresses[0].tables);
    // The /24s are the same, and so are their rows.
    CHECK(after.directory == before.directory);
  }
  SECTION("one more external address: a new run, the old addresses where they are") {
    PlannedPool larger = first.pools[0];
    larger.external.emplace_back(0xcb007109U);
    const Placement after = world.must_place(plan_of({larger, first.pools[1]}));
    CHECK(after.pools[0].kept);
    CHECK(after.pools[0].address_first != before.pools[0].address_first);
    CHECK(after.pools[0].addresses[0].tables == before.pools[0].addresses[0].tables);
    CHECK_FALSE(after.pools[0].addresses[2].kept);
  }
  SECTION("another shape keeps the name and nothing else") {
    PlannedPool other = first.pools[0];
    other.row.block_size_log2 = 10;
    const Placement after = world.must_place(plan_of({other}));
    CHECK_FALSE(after.pools[0].kept);
    CHECK_FALSE(after.pools[0].addresses[0].kept);
  }
}

TEST_CASE("subscribers that are prefixes take a row each", "[placement]") {
  World world;
  PlannedPool wide = pool_of("wide", {kHome}, kShared);
  wide.row.subscriber_prefix_length = 28;
  const Placement placed = world.must_place(plan_of({wide, pool_of("b", {kMore}, {Ip4(0xcb007207)})}));
  const Chunk& chunk = placed.directory[REALM_INTERNAL].at(0x644000);
  CHECK(chunk.rows() == 16);
  CHECK(chunk.base % 16 == 0);
  CHECK(find_row(placed.directory[REALM_INTERNAL], Ip4(0x644000ff)) == chunk.base + 15);
  CHECK_FALSE(find_row(placed.directory[REALM_INTERNAL], Ip4(0x64420000)));
}

TEST_CASE("subscribers of different widths cannot share a /24", "[placement]") {
  World world;
  PlannedPool narrow = pool_of("narrow", {{Ip4(0x64400000), 25}}, kShared);
  PlannedPool wide = pool_of("wide", {{Ip4(0x64400080), 25}}, {Ip4(0xcb007207)});
  wide.row.subscriber_prefix_length = 28;
  const auto refused = place(plan_of({narrow, wide}), {world.rows, world.directory}, {});
  CHECK(refused.error().text == "pool wide: 100.64.0.0/24 is shared with a pool of another subscriber_prefix_length");
}

TEST_CASE("more than the tables hold is refused, with what is too much", "[placement]") {
  World world;
  std::vector<Ip4> many;
  for (std::uint32_t n = 0; n <= MAX_EXTERNAL_TABLES; ++n) many.emplace_back(0xc6120000 + n);
  auto refused = place(plan_of({pool_of("a", {kHome}, many)}), {world.rows, world.directory}, {});
  CHECK(refused.error().text.find("room for 8192 addresses") != std::string::npos);

  std::vector<PlannedPool> pools;
  for (std::uint32_t n = 0; n <= MAX_POOLS; ++n) {
    pools.push_back(pool_of("p" + std::to_string(n), {{Ip4(0x64400000 + (n << 8)), 24}}, {Ip4(0xcb007100 + n)}));
  }
  refused = place(plan_of(pools), {world.rows, world.directory}, {});
  CHECK(refused.error().text.find("room for 256 pools") != std::string::npos);

  std::vector<Prefix> scattered;
  for (std::uint32_t n = 0; n < MAX_CHUNK_PAGES; ++n) scattered.emplace_back(Ip4(n << 16), 24);
  refused = place(plan_of({pool_of("a", scattered, kShared)}), {world.rows, world.directory}, {});
  CHECK(refused.error().text.find("different /16s") != std::string::npos);
}

TEST_CASE("the layout key is a pool's own, and the same as long as the tables are", "[placement][SHARE-53]") {
  node_state node{};
  node.secret[0] = 1;
  __u32 one[4], again[4], other[4], elsewhere[4];
  derive_layout_key(node, "home", one);
  derive_layout_key(node, "home", again);
  derive_layout_key(node, "work", other);
  node.secret[3] = 2;
  derive_layout_key(node, "home", elsewhere);
  CHECK(std::memcmp(one, again, sizeof(one)) == 0);
  CHECK(std::memcmp(one, other, sizeof(one)) != 0);
  CHECK(std::memcmp(one, elsewhere, sizeof(one)) != 0);
}
