// datapath_test.cpp - the door, against the kernel of this machine.
#include "datapath/datapath.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "datapath/tables.h"
#include "userspace/datapath/sandbox.h"
#include "userspace/datapath/traffic.h"

using namespace apnat;
using namespace apnat::test;

namespace {

const Endpoint kServer{Ip4(0xc6336435), 53};  // 198.51.100.53

Datapath must_open(const Plan& plan) {
  auto opened = Datapath::open(plan);
  INFO((opened ? "" : opened.error().text));
  REQUIRE(opened);
  return std::move(*opened);
}

std::vector<EventBody> must_apply(Datapath& datapath, const Plan& plan) {
  std::vector<EventBody> ended;
  const auto applied = datapath.apply(plan, ended);
  INFO((applied ? "" : applied.error().text));
  REQUIRE(applied);
  return ended;
}

std::uint64_t count(const Datapath& datapath, enum verdict verdict) { return datapath.verdicts()[verdict]; }

PoolConfig home() { return dynamic_pool("home", "100.64.0.0/24", "203.0.113.0/30"); }

}  // namespace

TEST_CASE("a data plane is made, attached, adopted by the next agent, and taken off", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Plan wanted = plan(sandbox.config({home()}));
  {
    const Datapath first = must_open(wanted);
    CHECK_FALSE(first.opened().adopted);
    const auto interfaces = first.interfaces();
    REQUIRE(interfaces.size() == 2);
    CHECK(interfaces[0].mode == "native");
    CHECK(interfaces[1].role == "external");
    const auto pools = first.pools();
    REQUIRE(pools.size() == 1);
    CHECK(pools[0].external_addresses == 4);
    CHECK(pools[0].subscribers == 256);

    const auto second = Datapath::open(wanted);
    REQUIRE_FALSE(second);
    CHECK(second.error().text.find("another apnatd") != std::string::npos);
    const auto detached = Datapath::detach(wanted.config.paths, {"in", "out"});
    REQUIRE_FALSE(detached);
    CHECK(detached.error().code == EWOULDBLOCK);
    run("ip -d link show in | grep -q xdp");
  }
  CHECK(must_open(wanted).opened().adopted);
  REQUIRE(Datapath::detach(wanted.config.paths, {}));
  CHECK_FALSE(std::filesystem::exists(sandbox.bpffs()));
  CHECK(std::system("ip -d link show in | grep -q xdp") != 0);
}

TEST_CASE("a data plane whose slow path had other tables is adopted, and those are gone", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Plan wanted = plan(sandbox.config({home()}));
  {
    const Datapath first = must_open(wanted);
  }
  const Pins pins{sandbox.bpffs()};
  for (const char* name : {"slow_path_batch", "slow_path_datagrams"}) std::filesystem::remove(pins.map(name));
  for (const char* name : {"slow_path_question", "slow_path_answer"}) {
    const UniqueFd table(::bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, 8, 1, nullptr));
    REQUIRE(::bpf_obj_pin(table.get(), pins.map(name).c_str()) == 0);
  }
  const Datapath second = must_open(wanted);
  CHECK(second.opened().adopted);
  CHECK(second.slow_path_program());
  CHECK_FALSE(std::filesystem::exists(pins.map("slow_path_question")));
  CHECK_FALSE(std::filesystem::exists(pins.map("slow_path_answer")));
}

TEST_CASE("a dead agent's child, on its way out, does not keep the next agent away", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Plan wanted = plan(sandbox.config({home()}));
  pid_t child = 0;
  {
    const Datapath first = must_open(wanted);
    child = ::fork();
    if (child == 0) {
      ::usleep(200'000);
      ::_exit(0);
    }
  }
  const auto second = Datapath::open(wanted);
  ::waitpid(child, nullptr, 0);
  REQUIRE(second);
  CHECK(second->opened().adopted);
}

TEST_CASE("the next agent finds every mapping in its place", "[kernel][datapath][LOG-3]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Plan wanted = plan(sandbox.config({home()}));
  std::vector<MappingView> before;
  {
    Datapath first = must_open(wanted);
    const Subscriber subscriber(sandbox.bpffs());
    for (std::uint16_t port = 4000; port < 4100; ++port) {
      subscriber.send_udp({ip("100.64.0.9"), port}, kServer);
      subscriber.send_udp({ip("100.64.0.10"), port}, kServer);
    }
    before = mappings_of(first);
    REQUIRE(before.size() == 200);
    CHECK(before[0].state == "active");
    CHECK(blocks_of(first).size() == 2);
  }
  Datapath next = must_open(wanted);
  CHECK(next.opened().mappings_adopted == 200);
  const auto after = mappings_of(next);
  REQUIRE(after.size() == before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    CHECK(after[i].external == before[i].external);
    CHECK(after[i].internal == before[i].internal);
  }
  // The blocks' events were read by nobody yet.
  std::vector<event_record> records;
  next.read_ring([&](const event_record& record) { records.push_back(record); }, 100);
  REQUIRE(records.size() == 2);
  CHECK(records[0].type == EVENT_PORT_BLOCK_ASSIGNED);
  CHECK(next.pool_name(records[0].pool) == "home");
  CHECK(next.ports_of(records[0].pool, {records[0].first_slot, records[0].last_slot})[0].count() == 512);
  CHECK(next.ring().waiting_bytes > 0);
  next.release_ring();
  CHECK(next.ring().waiting_bytes == 0);
  CHECK(next.take_seq() == records[1].seq + 1);
}

TEST_CASE("lists are narrowed to what was asked for", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Datapath datapath = must_open(plan(sandbox.config({home()})));
  const Subscriber subscriber(sandbox.bpffs());
  subscriber.send_udp({ip("100.64.0.9"), 4000}, kServer);
  subscriber.send_udp({ip("100.64.0.9"), 4001}, kServer);
  subscriber.send_udp({ip("100.64.0.10"), 4000}, kServer);

  Filter filter;
  filter.subscriber = ip("100.64.0.9");
  const auto mine = mappings_of(datapath, filter);
  REQUIRE(mine.size() == 2);
  REQUIRE(blocks_of(datapath, filter).size() == 1);
  CHECK(blocks_of(datapath, filter)[0].mappings == 2);
  filter = {};
  filter.external_address = mine[0].external.address;
  filter.external_port = mine[0].external.port;
  REQUIRE(mappings_of(datapath, filter).size() == 1);
  CHECK(mappings_of(datapath, filter)[0].internal == mine[0].internal);
  filter.protocol = 6;
  CHECK(mappings_of(datapath, filter).empty());
  filter = {};
  filter.pool = "away";
  CHECK(mappings_of(datapath, filter).empty());

  std::size_t subscribers = 0;
  datapath.subscribers({}, [&](const SubscriberView& view) {
    CHECK(view.ports == 512);
    CHECK(view.max_blocks == 4);
    return ++subscribers != 0;
  });
  CHECK(subscribers == 2);
  const PoolView pool = datapath.pools()[0];
  CHECK(pool.mappings == 3);
  CHECK(pool.active_subscribers == 2);
  CHECK(pool.blocks == 4 * 126);
  CHECK(pool.blocks_assigned == 2);
}

TEST_CASE("a reload leaves alone what did not change", "[kernel][datapath][CGN-25]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  Datapath datapath = must_open(plan(sandbox.config({home()})));
  const Subscriber subscriber(sandbox.bpffs());
  subscriber.send_udp({ip("100.64.0.9"), 4000}, kServer);
  const auto before = mappings_of(datapath);

  // Another quota, one more pool, other lifetimes (which load the program again).
  PoolConfig larger = home();
  larger.max_blocks = 8;
  Config config = sandbox.config({dynamic_pool("more", "100.64.7.0/24", "203.0.113.8/31"), larger});
  config.timeouts.udp = 600;
  CHECK(must_apply(datapath, plan(config)).empty());
  const auto after = mappings_of(datapath);
  REQUIRE(after.size() == 1);
  CHECK(after[0].external == before[0].external);

  // The old copy of the program is out of use, the new one serves both pools.
  const Subscriber again(sandbox.bpffs());
  again.send_udp({ip("100.64.0.9"), 4000}, kServer);
  again.send_udp({ip("100.64.7.1"), 4000}, kServer);
  CHECK(mappings_of(datapath).size() == 2);
  CHECK(blocks_of(datapath).size() == 2);
}

TEST_CASE("what lived in a removed pool ends and is told", "[kernel][datapath][LOG-3]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  PoolConfig logged = home();
  logged.log = LOG_MAPPINGS;
  PoolConfig stays = dynamic_pool("stays", "100.64.7.0/24", "203.0.113.8/31");
  Datapath datapath = must_open(plan(sandbox.config({logged, stays})));
  const Subscriber subscriber(sandbox.bpffs());
  subscriber.send_udp({ip("100.64.0.9"), 4000}, kServer);
  subscriber.send_udp({ip("100.64.7.9"), 4000}, kServer);
  const Endpoint had =
      mappings_of(datapath,
                  {.pool = "home", .subscriber = {}, .external_address = {}, .external_port = {}, .protocol = {}})[0]
          .external;

  const auto ended = must_apply(datapath, plan(sandbox.config({stays})));
  const auto deleted = only<MappingDeleted>(ended);
  REQUIRE(deleted.size() == 1);
  CHECK(deleted[0].reason == "pool_removed");
  CHECK(deleted[0].external == had);
  CHECK(deleted[0].created_at > WallTime(std::chrono::seconds(1'600'000'000)));
  const auto released = only<PortBlockReleased>(ended);
  REQUIRE(released.size() == 1);
  CHECK(released[0].subscriber.text() == "100.64.0.9");
  CHECK(released[0].external_address == had.address);
  CHECK(released[0].mappings_created == 1);
  CHECK(mappings_of(datapath).size() == 1);

  // Its subscribers are strangers now.
  const Subscriber again(sandbox.bpffs());
  again.send_udp({ip("100.64.0.9"), 4000}, kServer);
  CHECK(count(datapath, VERDICT_NOT_A_SUBSCRIBER) == 1);

  // The same addresses again: whose ports were in use wait out the hold-down (CGN-14).
  CHECK(must_apply(datapath, plan(sandbox.config({home(), stays}))).empty());
  const Subscriber later(sandbox.bpffs());
  later.send_udp({ip("100.64.0.9"), 4000}, kServer);
  CHECK(count(datapath, VERDICT_ADDRESS_EXHAUSTED) == 1);
  CHECK(datapath.pools()[0].blocks_held_down == 4 * 126);
}

TEST_CASE("an agent killed while it began leaves nothing that stops the next", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Plan wanted = plan(sandbox.config({home()}));
  {
    const Datapath first = must_open(wanted);
    first.tables().rows().node->abi_version = 0;  // it comes last: the tables were nobody's yet
  }
  const Datapath second = must_open(wanted);
  CHECK_FALSE(second.opened().adopted);
  CHECK(second.interfaces()[0].mode != "off");
  run("test $(ip -d link show in | grep -o 'prog/xdp id' | wc -l) = 1");
}

TEST_CASE("records of a pool that is gone when the next agent starts keep its name and its ports",
          "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  {
    Datapath first = must_open(plan(sandbox.config({home()})));
    const Subscriber subscriber(sandbox.bpffs());
    subscriber.send_udp({ip("100.64.0.9"), 4000}, kServer);
  }
  PoolConfig other = dynamic_pool("other", "100.64.0.0/24", "203.0.113.0/30");
  other.block_size = 1024;
  Datapath second = must_open(plan(sandbox.config({other})));
  std::vector<event_record> records;
  second.read_ring([&](const event_record& record) { records.push_back(record); }, 100);
  REQUIRE(records.size() == 1);
  CHECK(second.pool_name(records[0].pool) == "home");
  const auto ports = second.ports_of(records[0].pool, {records[0].first_slot, records[0].last_slot});
  REQUIRE(ports.size() == 1);
  CHECK(ports[0].count() == 512);
}

TEST_CASE("a pool of another shape begins anew", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  Datapath datapath = must_open(plan(sandbox.config({home()})));
  const Subscriber subscriber(sandbox.bpffs());
  subscriber.send_udp({ip("100.64.0.9"), 4000}, kServer);
  PoolConfig other = home();
  other.block_size = 1024;
  CHECK(only<PortBlockReleased>(must_apply(datapath, plan(sandbox.config({other})))).size() == 1);
  CHECK(mappings_of(datapath).empty());
  CHECK(datapath.pools()[0].block_size == 1024);
}

TEST_CASE("an external address that leaves its pool takes only its own subscribers' mappings", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  Datapath datapath = must_open(plan(sandbox.config({home()})));
  const Subscriber subscriber(sandbox.bpffs());
  for (std::uint32_t n = 1; n <= 32; ++n) subscriber.send_udp({Ip4(ip("100.64.0.0").value() + n), 4000}, kServer);
  std::size_t staying = 0;
  for (const MappingView& view : mappings_of(datapath)) staying += view.external.address != ip("203.0.113.3");
  PoolConfig smaller = home();
  smaller.external = {prefix("203.0.113.0/31"), prefix("203.0.113.2")};
  const auto ended = must_apply(datapath, plan(sandbox.config({smaller})));
  CHECK(ended.size() == 32 - staying);
  CHECK(mappings_of(datapath).size() == staying);
  const Subscriber again(sandbox.bpffs());
  for (std::uint32_t n = 1; n <= 32; ++n) again.send_udp({Ip4(ip("100.64.0.0").value() + n), 4000}, kServer);
  CHECK(mappings_of(datapath).size() == 32);
}

TEST_CASE("a refused plan changes nothing", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  Datapath datapath = must_open(plan(sandbox.config({home()})));
  const Subscriber subscriber(sandbox.bpffs());
  subscriber.send_udp({ip("100.64.0.9"), 4000}, kServer);
  Config config = sandbox.config({dynamic_pool("other", "100.64.7.0/24", "203.0.113.8/31")});
  config.interfaces.external = {{.name = "nowhere", .where = {}}};
  std::vector<EventBody> ended;
  const auto refused = datapath.apply(plan(config), ended);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text == "no interface is called nowhere");
  CHECK(ended.empty());
  CHECK(mappings_of(datapath).size() == 1);
  subscriber.send_udp({ip("100.64.0.9"), 4001}, kServer);
  CHECK(mappings_of(datapath).size() == 2);
  CHECK(datapath.pools().size() == 1);
}

TEST_CASE("static and deterministic subscribers have their ports without asking", "[kernel][datapath][DET-14]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  PoolConfig fixed = dynamic_pool("fixed", "100.64.9.0/28", "203.0.113.70");
  fixed.assignment = ASSIGN_STATIC;
  PoolConfig computed = dynamic_pool("computed", "100.64.1.0/24", "203.0.113.64/30");
  computed.assignment = ASSIGN_DETERMINISTIC;
  computed.block_size.reset();
  Config config = sandbox.config({fixed, computed});
  StaticBlockConfig block;
  block.pool = "fixed";
  block.subscriber = Prefix(ip("100.64.9.1"), 32);
  block.external_address = ip("203.0.113.70");
  block.ports = {8192, 12287};
  config.static_blocks = {block};
  const Plan wanted = plan(config);
  Datapath datapath = must_open(wanted);
  const Subscriber subscriber(sandbox.bpffs());
  for (std::uint16_t port = 5000; port < 5010; ++port) {
    subscriber.send_udp({ip("100.64.9.1"), port}, kServer);
    subscriber.send_udp({ip("100.64.9.2"), port}, kServer);  // has no static block
    subscriber.send_udp({ip("100.64.1.77"), port}, kServer);
  }
  CHECK(count(datapath, VERDICT_PORT_LIMIT) == 10);
  for (const MappingView& view : mappings_of(datapath)) {
    if (view.pool == "fixed") {
      CHECK(view.external.address == ip("203.0.113.70"));
      CHECK((view.external.port >= 8192 && view.external.port <= 12287));
      continue;
    }
    const PlannedBlock block = wanted.pools[1].deterministic_block(77);
    CHECK(view.external.address == block.external_address);
    CHECK((view.external.port >= block.slots.first && view.external.port <= block.slots.last));
  }
  CHECK(mappings_of(datapath).size() == 20);

  // The static block moves: what stood in the old one ends, and nothing else.
  config.static_blocks[0].ports = {20000, 20999};
  must_apply(datapath, plan(config));
  CHECK(mappings_of(datapath).size() == 10);
  const Subscriber again(sandbox.bpffs());
  again.send_udp({ip("100.64.9.1"), 5000}, kServer);
  Filter filter;
  filter.pool = "fixed";
  REQUIRE(mappings_of(datapath, filter).size() == 1);
  CHECK(mappings_of(datapath, filter)[0].external.port / 1000 == 20);
}

TEST_CASE("port forwards are made, kept, refused and removed", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  Config config = sandbox.config({home()});
  ForwardConfig configured;
  configured.pool = "home";
  configured.protocol = 6;
  configured.external = endpoint("203.0.113.2:8080");
  configured.internal = endpoint("100.64.0.7:80");
  config.forwards = {configured};
  const PlannedForward web{"home", 6, endpoint("203.0.113.2:8080"), endpoint("100.64.0.7:80")};
  const PlannedForward dns{"home", 17, endpoint("203.0.113.1:53"), endpoint("100.64.0.7:53")};
  {
    Datapath datapath = must_open(plan(config));
    REQUIRE(datapath.add_forward(dns, false));
    REQUIRE(datapath.add_forward(dns, false));  // there already
    const auto forwards = datapath.forwards();
    REQUIRE(forwards.size() == 2);
    CHECK(forwards[0].forward == dns);
    CHECK_FALSE(forwards[0].from_configuration);
    CHECK(forwards[1].forward == web);
    CHECK(forwards[1].from_configuration);

    // The subscriber's own packets leave by the forward.
    const Subscriber subscriber(sandbox.bpffs());
    subscriber.send_udp(dns.internal, kServer);
    CHECK(mappings_of(datapath).size() == 2);
    CHECK(blocks_of(datapath).empty());

    auto refused = datapath.add_forward({"home", 17, dns.external, endpoint("100.64.0.8:53")}, false);
    CHECK(refused.error().text == "203.0.113.1:53 is forwarded to 100.64.0.7:53 already");
    refused = datapath.add_forward({"home", 17, endpoint("203.0.113.1:54"), dns.internal}, false);
    CHECK(refused.error().text.find("has a forward already") != std::string::npos);
    refused = datapath.add_forward({"home", 17, endpoint("203.0.113.99:53"), dns.internal}, false);
    CHECK(refused.error().text == "203.0.113.99 is not an external address of pool home");
    refused = datapath.add_forward({"home", 17, endpoint("203.0.113.1:54"), endpoint("100.65.0.1:1")}, false);
    CHECK(refused.error().text == "100.65.0.1 is not a subscriber of pool home");

    // No live mapping is taken away for a forward.
    subscriber.send_udp({ip("100.64.0.9"), 4000}, kServer);
    Filter filter;
    filter.subscriber = ip("100.64.0.9");
    const Endpoint live = mappings_of(datapath, filter)[0].external;
    refused = datapath.add_forward({"home", 17, live, endpoint("100.64.0.20:1")}, false);
    CHECK(refused.error().text.find("in use by a mapping of 100.64.0.9:4000") != std::string::npos);
  }
  Datapath next = must_open(plan(config));
  CHECK(next.forwards().size() == 2);

  // A reload that drops the configured one leaves the other.
  must_apply(next, plan(sandbox.config({home()})));
  REQUIRE(next.forwards().size() == 1);
  CHECK(next.forwards()[0].forward == dns);
  REQUIRE(next.remove_forward(dns));
  CHECK(next.forwards().empty());
  CHECK_FALSE(next.remove_forward(dns));
}

TEST_CASE("after a cold start soon after another data plane, ports wait out the hold-down", "[kernel][CGN-19]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Plan wanted = plan(sandbox.config({home()}));
  {
    Datapath first = must_open(wanted);
    const Subscriber subscriber(sandbox.bpffs());
    subscriber.send_udp({ip("100.64.0.9"), 4000}, kServer);
    CHECK(mappings_of(first).size() == 1);  // nothing ran before
    std::vector<EventBody> ended;
    first.sweep(ended);
  }
  REQUIRE(Datapath::detach(wanted.config.paths, {}));
  Datapath second = must_open(wanted);
  CHECK_FALSE(second.opened().adopted);
  const Subscriber subscriber(sandbox.bpffs());
  subscriber.send_udp({ip("100.64.0.9"), 4000}, kServer);
  CHECK(mappings_of(second).empty());
  CHECK(count(second, VERDICT_ADDRESS_EXHAUSTED) == 1);
}

TEST_CASE("tables of another version are refused, and what runs goes on", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Plan wanted = plan(sandbox.config({home()}));
  {
    const Datapath first = must_open(wanted);
    first.tables().rows().node->abi_version = 99;
  }
  const auto refused = Datapath::open(wanted);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("natctl detach") != std::string::npos);
  CHECK(std::system("ip -d link show in | grep -q xdp") == 0);
  REQUIRE(Datapath::detach(wanted.config.paths, {}));
  must_open(wanted);
}

TEST_CASE("an interface with another program is refused by name, and nothing is left behind", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const UniqueFd somebody(pass_program());
  REQUIRE(somebody);
  const int out = static_cast<int>(::if_nametoindex("out"));
  REQUIRE(::bpf_xdp_attach(out, somebody.get(), XDP_FLAGS_DRV_MODE, nullptr) == 0);
  const auto refused = Datapath::open(plan(sandbox.config({home()})));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("out has an XDP program of its own, 'somebody'") != std::string::npos);
  CHECK(std::system("ip -d link show in | grep -q xdp") != 0);
  CHECK_FALSE(std::filesystem::exists(sandbox.bpffs()));
  CHECK(std::system("ip -d link show out | grep -q xdp") == 0);
}

TEST_CASE("VLAN sub-interfaces are served on the device below them", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  if (std::system("ip link add link in name in.7 type vlan id 7 2> /dev/null") != 0) {
    WARN("skipped: this kernel has no VLANs");
    return;
  }
  run("ip link set in.7 up && ip addr add 100.64.7.1/24 dev in.7");
  Config config = sandbox.config({dynamic_pool("home", "100.64.7.0/24", "203.0.113.0/30")});
  config.interfaces.internal = {{.name = "in.7", .where = {}}};
  Datapath datapath = must_open(plan(config));
  const auto in = ::if_nametoindex("in"), in7 = ::if_nametoindex("in.7");
  const struct interface row = datapath.tables().interface(in7).value();
  CHECK((row.flags | INTERFACE_ONE_BUFFER) == (INTERFACE_INTERNAL | INTERFACE_EGRESS | INTERFACE_ONE_BUFFER));
  CHECK(row.redirect_ifindex == in);
  CHECK(row.vlan_depth == 1);
  CHECK(row.vlan_id[0] == htons(7));
  const struct interface device = datapath.tables().interface(in).value();
  CHECK(device.flags == 0);
  REQUIRE(device.vlan_table_plus_one != 0);
  const std::uint32_t member = (device.vlan_table_plus_one - 1U) * VLANS_PER_TABLE + 7;
  CHECK(datapath.tables().member(member).value().ifindex == in7);

  // The interface goes and comes back under another number.
  run("ip link del in.7 && ip link add link in name in.7 type vlan id 7 && ip link set in.7 up");
  std::vector<EventBody> ended;
  datapath.sweep(ended);
  CHECK(datapath.tables().member(member).value().ifindex == ::if_nametoindex("in.7"));
  CHECK(datapath.tables().interface(in7).value().flags == 0);
}

TEST_CASE("the gateway's own addresses are known, and kept up with", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  Datapath datapath = must_open(plan(sandbox.config({home()})));
  const auto flags_of = [&](const std::string& address) -> int {
    const auto row = find_row(datapath.tables().directory()[REALM_EXTERNAL], ip(address));
    return row ? datapath.tables().rows().external_addresses[*row].flags : -1;
  };
  CHECK(flags_of("100.64.0.1") == ADDRESS_LOCAL);
  CHECK(flags_of("198.51.100.255") == ADDRESS_LOCAL);  // broadcast
  CHECK(flags_of("203.0.113.2") == ADDRESS_POOL);
  CHECK(flags_of("203.0.113.4") == 0);
  CHECK(flags_of("192.0.2.1") == -1);

  run("ip addr add 192.0.2.1/32 dev lo && ip addr add 203.0.113.2/32 dev lo");
  std::vector<EventBody> ended;
  datapath.sweep(ended);
  CHECK(flags_of("192.0.2.1") == ADDRESS_LOCAL);
  CHECK(flags_of("203.0.113.2") == (ADDRESS_LOCAL | ADDRESS_POOL));
  CHECK(ended.empty());
}

TEST_CASE("warnings say what will lose packets", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  Config config = sandbox.config({home()});
  config.interfaces.mode = AttachMode::kGeneric;
  const Datapath datapath = must_open(plan(config));
  run("sysctl -qw net.ipv4.conf.in.forwarding=0 net.ipv4.conf.in.rp_filter=1");
  const auto in = datapath.interfaces()[0];
  CHECK(in.mode == "generic");
  std::string all;
  for (const std::string& warning : in.warnings) all += warning + "\n";
  CHECK(all.find("generic XDP") != std::string::npos);
  CHECK(all.find("net.ipv4.conf.in.forwarding=1") != std::string::npos);
  CHECK(all.find("net.ipv4.conf.in.rp_filter=2") != std::string::npos);
  run("ip link del in");
  CHECK(datapath.interfaces()[0].warnings == std::vector<std::string>{"the interface is gone"});
}

TEST_CASE("another mode than the one at work waits, and says so", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  Config config = sandbox.config({home()});
  config.interfaces.mode = AttachMode::kGeneric;
  Datapath datapath = must_open(plan(config));
  config.interfaces.mode = AttachMode::kNative;
  must_apply(datapath, plan(config));
  const auto in = datapath.interfaces()[0];
  CHECK(in.mode == "generic");
  REQUIRE_FALSE(in.warnings.empty());
  CHECK(in.warnings.back().find("natctl detach") != std::string::npos);
}
