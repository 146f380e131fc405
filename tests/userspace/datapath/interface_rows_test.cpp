// interface_rows_test.cpp - from what the plan names and the kernel has to what the
// program reads.
#include "datapath/interface_rows.h"

#include <catch2/catch.hpp>

using namespace apnat;

namespace {

NetworkInterface device(std::uint32_t ifindex, const std::string& name) {
  NetworkInterface interface;
  interface.ifindex = ifindex;
  interface.name = name;
  interface.ethernet = true;
  interface.mac = {2, 0, 0, 0, 0, static_cast<std::uint8_t>(ifindex)};
  return interface;
}

NetworkInterface vlan(std::uint32_t ifindex, const std::string& name, std::uint32_t parent, std::uint16_t id,
                      std::uint16_t protocol = 0x8100) {
  NetworkInterface interface = device(ifindex, name);
  interface.vlan = VlanTag{.parent_ifindex = parent, .protocol = protocol, .id = id};
  return interface;
}

InterfaceRows must_build(const std::vector<PlannedInterface>& planned, const std::vector<NetworkInterface>& there,
                         const InterfaceRows& before = {}, const std::set<std::uint32_t>& several_buffers = {2, 3}) {
  std::vector<std::string> missing;
  auto rows = interface_rows(planned, there, several_buffers, before, missing);
  REQUIRE(rows);
  REQUIRE(missing.empty());
  return *rows;
}

}  // namespace

TEST_CASE("one arm is internal and external at once", "[interfaces]") {
  const auto rows = must_build({{.name = "eth0", .internal = true, .external = true}}, {device(2, "eth0")});
  REQUIRE(rows.interfaces.size() == 1);
  const struct interface& row = rows.interfaces.at(2);
  CHECK(row.flags == (INTERFACE_INTERNAL | INTERFACE_EXTERNAL | INTERFACE_EGRESS));
  CHECK(row.redirect_ifindex == 2);
  CHECK(row.vlan_depth == 0);
  CHECK(rows.devices == std::map<std::uint32_t, std::string>{{2, "eth0"}});
  CHECK(rows.members.empty());
}

TEST_CASE("what the device below cannot send, its VLANs cannot either", "[interfaces]") {
  const auto rows =
      must_build({{.name = "eth0.8", .external = true}}, {device(2, "eth0"), vlan(7, "eth0.8", 2, 8)}, {}, {});
  CHECK(rows.interfaces.at(7).flags == (INTERFACE_EXTERNAL | INTERFACE_EGRESS | INTERFACE_ONE_BUFFER));
}

TEST_CASE("two tags lead down to the device, outer first", "[interfaces]") {
  const auto rows = must_build(
      {{.name = "eth0.100.7", .internal = true}, {.name = "eth0.8", .external = true}},
      {device(2, "eth0"), vlan(5, "eth0.100", 2, 100, 0x88a8), vlan(6, "eth0.100.7", 5, 7), vlan(7, "eth0.8", 2, 8)});
  const struct interface& inner = rows.interfaces.at(6);
  CHECK(inner.vlan_depth == 2);
  CHECK(inner.vlan_protocol[0] == htons(0x88a8));
  CHECK(inner.vlan_id[0] == htons(100));
  CHECK(inner.vlan_protocol[1] == htons(0x8100));
  CHECK(inner.vlan_id[1] == htons(7));
  CHECK(inner.redirect_ifindex == 2);
  // What lies between has a row, and no role.
  CHECK(rows.interfaces.at(5).flags == 0);
  CHECK(rows.interfaces.at(2).flags == 0);
  const auto member = [&](std::uint32_t device, std::uint32_t id) {
    return rows.members.at((rows.interfaces.at(device).vlan_table_plus_one - 1U) * VLANS_PER_TABLE + id);
  };
  CHECK(member(2, 100) == 5);
  CHECK(member(5, 7) == 6);
  CHECK(member(2, 8) == 7);
  CHECK(rows.interfaces.at(2).vlan_table_plus_one != rows.interfaces.at(5).vlan_table_plus_one);
  CHECK(rows.devices.size() == 1);
}

TEST_CASE("a device with a role and with VLANs has both, in whatever order they are named", "[interfaces]") {
  const std::vector<NetworkInterface> there = {device(2, "eth0"), vlan(7, "eth0.8", 2, 8)};
  const PlannedInterface tagged{.name = "eth0.8", .internal = true}, untagged{.name = "eth0", .external = true};
  for (const auto& planned : {std::vector{tagged, untagged}, std::vector{untagged, tagged}}) {
    const struct interface row = must_build(planned, there).interfaces.at(2);
    CHECK(row.flags == (INTERFACE_EXTERNAL | INTERFACE_EGRESS));
    CHECK(row.vlan_table_plus_one == 1);
  }
}

TEST_CASE("a device keeps its VLAN table when others come and go", "[interfaces]") {
  const std::vector<NetworkInterface> there = {device(2, "a"), device(3, "b"), vlan(7, "a.8", 2, 8),
                                               vlan(8, "b.8", 3, 8)};
  const auto both = must_build({{.name = "a.8", .internal = true}, {.name = "b.8", .external = true}}, there);
  const auto second = must_build({{.name = "b.8", .internal = true}}, there, both);
  CHECK(second.vlan_tables.at(3) == both.vlan_tables.at(3));
  const auto again = must_build({{.name = "a.8", .internal = true}, {.name = "b.8", .external = true}}, there, second);
  CHECK(again.vlan_tables.at(3) == both.vlan_tables.at(3));
}

TEST_CASE("interfaces that cannot be served are refused, those that are missing are named", "[interfaces]") {
  std::vector<std::string> missing;
  REQUIRE(interface_rows({{.name = "eth7", .internal = true}}, {device(2, "eth0")}, {}, {}, missing));
  CHECK(missing == std::vector<std::string>{"eth7"});

  NetworkInterface tunnel = device(4, "tun0");
  tunnel.ethernet = false;
  CHECK_FALSE(interface_rows({{.name = "tun0", .internal = true}}, {tunnel}, {}, {}, missing));
  const std::vector<NetworkInterface> deep = {device(2, "e"), vlan(3, "e.1", 2, 1), vlan(4, "e.1.1", 3, 1),
                                              vlan(5, "e.1.1.1", 4, 1)};
  const auto refused = interface_rows({{.name = "e.1.1.1", .internal = true}}, deep, {}, {}, missing);
  CHECK(refused.error().text == "interface e.1.1.1: more than two VLAN tags");
}

TEST_CASE("the gateway's addresses are those of its interfaces and their broadcasts", "[interfaces]") {
  const auto own =
      own_addresses({{.ifindex = 1, .address = Ip4(0x7f000001), .on_link = {}, .broadcasts = {}},
                     {.ifindex = 2, .address = Ip4(0xc0000201), .on_link = {}, .broadcasts = {Ip4(0xc00002ff)}},
                     {.ifindex = 1, .address = Ip4(0xc0000201), .on_link = {}, .broadcasts = {}}});
  CHECK(own == std::vector{Ip4(0xc0000201), Ip4(0xc00002ff)});
}
