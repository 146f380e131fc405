// What the namespace tells of itself; the VLAN case makes its own namespace and needs root.
#include "net/interface.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <thread>

using namespace apnat;

TEST_CASE("loopback is found with its address") {
  const auto all = network_interfaces();
  REQUIRE(all);
  const NetworkInterface* lo = find_interface(*all, "lo");
  REQUIRE(lo);
  CHECK(lo->loopback);
  CHECK_FALSE(lo->ethernet);
  CHECK_FALSE(lo->vlan);
  CHECK(find_interface(*all, lo->ifindex) == lo);
  CHECK_FALSE(find_interface(*all, "no-such-one"));

  const auto addresses = local_addresses();
  REQUIRE(addresses);
  for (const LocalAddress& address : *addresses) CHECK(find_interface(*all, address.ifindex));
}

TEST_CASE("settings are read, and a missing interface is said to be missing") {
  CHECK(ipv4_forwarding("lo"));
  REQUIRE(rp_filter("lo"));
  CHECK(*rp_filter("lo") >= 0);
  CHECK_FALSE(ipv4_forwarding("no-such-one"));
  CHECK_FALSE(interface_features("no-such-one"));
}

namespace {

struct Seen {
  bool laid = false;  // the commands all worked
  Result<std::vector<NetworkInterface>> interfaces = fail("not asked");
  Result<std::vector<LocalAddress>> addresses = fail("not asked");
  Result<InterfaceFeatures> wan0 = fail("not asked");
  Result<bool> forwarding = fail("not asked");
};

// Looks round in a namespace that `commands` lay out. It is a thread's own, and goes with the thread.
Seen seen_in_namespace(const std::string& commands) {
  Seen seen;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) return;
    seen.laid = std::system(("set -e; exec 2>/dev/null; " + commands).c_str()) == 0;
    seen.interfaces = network_interfaces();
    seen.addresses = local_addresses();
    seen.wan0 = interface_features("wan0");
    seen.forwarding = ipv4_forwarding("wan0");
  }).join();
  return seen;
}

const LocalAddress* find_address(const std::vector<LocalAddress>& all, const char* text) {
  const auto found = std::ranges::find(all, Ip4::parse(text).value(), &LocalAddress::address);
  return found == all.end() ? nullptr : &*found;
}

bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("skipped: making a network namespace needs root");
  return false;
}

}  // namespace

TEST_CASE("MAC, MTU, state, addresses and broadcasts come as the kernel has them") {
  if (!is_root()) return;
  const Seen seen = seen_in_namespace(
      "ip link add wan0 address 02:00:5e:10:00:01 mtu 9000 type veth peer name wan1; ip link set wan0 up;"
      "ip addr add 192.0.2.1/24 dev wan0; ip addr add 198.51.100.1/31 dev wan0;"
      "ip addr add 203.0.113.9/24 broadcast 203.0.113.200 dev wan0;"
      "ip addr add 100.64.0.1 peer 100.64.0.2/32 dev wan1");
  REQUIRE(seen.laid);
  REQUIRE(seen.interfaces);
  REQUIRE(seen.addresses);

  const NetworkInterface* wan = find_interface(*seen.interfaces, "wan0");
  REQUIRE(wan);
  CHECK(wan->kind == "veth");
  CHECK(wan->up);
  CHECK_FALSE(wan->carrier);  // its peer is down
  CHECK(wan->ethernet);
  CHECK(wan->mtu == 9000);
  CHECK(wan->mac == std::array<std::uint8_t, 6>{2, 0, 0x5e, 0x10, 0, 1});
  CHECK_FALSE(wan->vlan);
  CHECK(seen.wan0);
  CHECK(seen.forwarding);

  const LocalAddress* plain = find_address(*seen.addresses, "192.0.2.1");
  const LocalAddress* odd = find_address(*seen.addresses, "203.0.113.9");
  const LocalAddress* pair = find_address(*seen.addresses, "198.51.100.1");
  const LocalAddress* point = find_address(*seen.addresses, "100.64.0.1");
  REQUIRE((plain && odd && pair && point));
  CHECK(plain->ifindex == wan->ifindex);
  CHECK(plain->on_link == Prefix::parse("192.0.2.0/24").value());
  CHECK(plain->broadcasts == std::vector<Ip4>{*Ip4::parse("192.0.2.255")});
  CHECK(odd->broadcasts == std::vector<Ip4>{*Ip4::parse("203.0.113.200"), *Ip4::parse("203.0.113.255")});
  CHECK(pair->broadcasts.empty());
  CHECK(point->on_link == Prefix::parse("100.64.0.2").value());
}

TEST_CASE("a VLAN sub-interface knows its parent, id and protocol") {
  if (!is_root()) return;
  const Seen seen = seen_in_namespace(
      "ip link add wan0 type veth peer name wan1;"
      "ip link add link wan0 name wan0.100 type vlan id 100;"
      "ip link add link wan0 name s200 type vlan protocol 802.1ad id 200");
  if (!seen.laid) {
    WARN("skipped: this kernel makes no VLAN sub-interfaces");
    return;
  }
  REQUIRE(seen.interfaces);
  const NetworkInterface* wan = find_interface(*seen.interfaces, "wan0");
  const NetworkInterface* customer = find_interface(*seen.interfaces, "wan0.100");
  const NetworkInterface* service = find_interface(*seen.interfaces, "s200");
  REQUIRE((wan && customer && customer->vlan && service && service->vlan));
  CHECK(customer->kind == "vlan");
  CHECK(customer->vlan->id == 100);
  CHECK(customer->vlan->protocol == 0x8100);
  CHECK(customer->vlan->parent_ifindex == wan->ifindex);
  CHECK(service->vlan->id == 200);
  CHECK(service->vlan->protocol == 0x88a8);
}
