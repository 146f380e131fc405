// What is heard of the kernel's routing, and that the programs forget what it changes.
#include "net/route_watch.h"

#include <net/if.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "config/plan.h"
#include "datapath/datapath.h"
#include "datapath/tables.h"
#include "userspace/datapath/sandbox.h"

using namespace apnat;
using namespace apnat::test;

TEST_CASE("a route, a neighbour's new MAC, a link and a rule are changes; a neighbour confirmed again is none") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  run("ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev out nud reachable");
  RouteWatch watch = RouteWatch::open().value();
  CHECK_FALSE(watch.heed());

  run("ip route add 203.0.113.0/24 via 198.51.100.9");
  CHECK(watch.heed());
  CHECK_FALSE(watch.heed());
  run("ip neigh change 198.51.100.9 lladdr 02:00:00:00:00:09 dev out nud stale");
  run("ip neigh change 198.51.100.9 lladdr 02:00:00:00:00:09 dev out nud reachable");
  CHECK_FALSE(watch.heed());
  run("ip neigh change 198.51.100.9 lladdr 02:00:00:00:00:0a dev out nud reachable");
  CHECK(watch.heed());
  run("ip neigh del 198.51.100.9 dev out");
  CHECK(watch.heed());
  run("ip link set out down");
  CHECK(watch.heed());
  run("ip rule add from 192.0.2.0/24 lookup 100");
  CHECK(watch.heed());
}

TEST_CASE("a change of routes reaches every interface's row, and rules switch the memory off", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Config config = sandbox.config({dynamic_pool("home", "100.64.0.0/24", "192.0.2.0/30")});
  Datapath datapath = Datapath::open(plan(config)).value();
  const auto changes = [&] {
    std::vector<std::uint32_t> seen;
    for (const char* name : {"in", "out"}) {
      seen.push_back(datapath.tables().interface(::if_nametoindex(name)).value().routing_changes);
    }
    return seen;
  };
  datapath.heed_routes();
  const auto before = changes();
  run("ip route add 203.0.113.0/24 via 198.51.100.9");
  ::usleep(100'000);  // another tick
  datapath.heed_routes();
  CHECK(changes() == std::vector{before[0] + 1, before[1] + 1});
  datapath.heed_routes();
  CHECK(changes() == std::vector{before[0] + 1, before[1] + 1});

  CHECK(datapath.options().route_memory_off == 0);
  run("ip rule add from 192.0.2.0/24 lookup 100");
  ::usleep(100'000);
  datapath.heed_routes();
  CHECK(datapath.options().route_memory_off == 1);
}
