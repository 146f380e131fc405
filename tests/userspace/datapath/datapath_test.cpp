// datapath_test.cpp - the door, against the kernel of this machine.
#include "datapath/datapath.h"

#include <catch2/catch.hpp>

#include "datapath/tables.h"
#include "userspace/datapath/sandbox.h"

using namespace apnat;
using namespace apnat::test;

TEST_CASE("a data plane is made, attached, adopted by the next agent, and taken off", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Plan wanted = plan(sandbox.config({dynamic_pool("home", "100.64.0.0/24", "203.0.113.0/30")}));

  {
    auto first = Datapath::open(wanted);
    INFO((first ? "" : first.error().text));
    REQUIRE(first);
    CHECK_FALSE(first->opened().adopted);
    const auto interfaces = first->interfaces();
    REQUIRE(interfaces.size() == 2);
    CHECK(interfaces[0].mode == "native");
    CHECK(interfaces[1].role == "external");
    const auto pools = first->pools();
    REQUIRE(pools.size() == 1);
    CHECK(pools[0].external_addresses == 4);
    CHECK(pools[0].subscribers == 256);

    auto second = Datapath::open(wanted);
    REQUIRE_FALSE(second);
    CHECK(second.error().text.find("another apnatd") != std::string::npos);
  }
  {
    auto next = Datapath::open(wanted);
    INFO((next ? "" : next.error().text));
    REQUIRE(next);
    CHECK(next->opened().adopted);
  }
  REQUIRE(Datapath::detach(wanted.config.paths, {}));
  CHECK_FALSE(std::filesystem::exists(sandbox.bpffs()));
  CHECK(std::system("ip -d link show in | grep -q xdp") != 0);
}
