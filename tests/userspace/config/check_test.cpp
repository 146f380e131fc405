// What a configuration means as a whole: overlaps, arithmetic, minima, capacity.
#include "config/check.h"

#include "config/demand.h"
#include "config_text.h"

using namespace apnat;

namespace {

// A second pool behind the good one; its first line is 11.
std::string second_pool(const std::string& internal, const std::string& external, const std::string& rest = "") {
  return kPool + "[[pool]]\nname = \"b\"\ninternal = [\"" + internal + "\"]\nexternal = [\"" + external + "\"]\n" +
         rest;
}

// One pool of documentation addresses with these lines; its first is 4, these begin at 8.
std::string pool_with(const std::string& lines, const std::string& internal = "100.64.0.0/24",
                      const std::string& external = "203.0.113.0/28") {
  return "[[pool]]\nname = \"a\"\ninternal = [\"" + internal + "\"]\nexternal = [\"" + external + "\"]\n" + lines;
}

const std::string kStaticPool = pool_with("assignment = \"static\"\nports = \"1024-65535\"\n");

std::string static_block(const std::string& subscriber, const std::string& address, const std::string& ports) {
  return "[[static_block]]\npool = \"a\"\nsubscriber = \"" + subscriber + "\"\nexternal_address = \"" + address +
         "\"\nports = \"" + ports + "\"\n";
}

std::string forward_of(const std::string& external, const std::string& internal, const std::string& protocol = "tcp") {
  return "[[forward]]\npool = \"a\"\nprotocol = \"" + protocol + "\"\nexternal = \"" + external + "\"\ninternal = \"" +
         internal + "\"\n";
}

}  // namespace

TEST_CASE("a good pool passes") { CHECK(complaint_with(kPool) == ""); }

TEST_CASE("an address belongs to one pool and one side of it") {
  const std::string one_owner = "; an address belongs to one pool and one side of it";
  CHECK(
      complaint_with(second_pool("100.64.0.128/25", "198.51.100.1")) ==
      "test.toml:13:13: internal 100.64.0.128/25 of pool \"b\" overlaps internal 100.64.0.0/24 of pool \"a\" (line 6)" +
          one_owner);
  CHECK(
      complaint_with(second_pool("100.65.0.0/24", "203.0.113.0/24")) ==
      "test.toml:14:13: external 203.0.113.0/24 of pool \"b\" overlaps external 203.0.113.0/28 of pool \"a\" (line 7)" +
          one_owner);
  CHECK(complaint_with(second_pool("100.65.0.0/24", "100.64.0.9")) ==
        "test.toml:14:13: external 100.64.0.9 of pool \"b\" overlaps internal 100.64.0.0/24 of pool \"a\" (line 6)" +
            one_owner);
  CHECK(
      complaint_with(second_pool("203.0.113.0/28", "198.51.100.1")) ==
      "test.toml:13:13: internal 203.0.113.0/28 of pool \"b\" overlaps external 203.0.113.0/28 of pool \"a\" (line 7)" +
          one_owner);
  CHECK(complaint_with(pool_with("", "100.64.0.0/24\", \"100.64.0.0/25")) ==
        "test.toml:6:30: internal 100.64.0.0/25 of pool \"a\" overlaps internal 100.64.0.0/24 of pool \"a\" (line 6)" +
            one_owner);
  CHECK(complaint_with(second_pool("100.64.1.0/24", "203.0.113.16/28")) == "");
}

TEST_CASE("subscribers of one /24 have one prefix length") {
  const std::string halves =
      pool_with("", "100.64.0.0/25") +
      "[[pool]]\nname = \"b\"\ninternal = [\"100.64.0.128/25\"]\nexternal = [\"198.51.100.1\"]\n";
  CHECK(complaint_with(halves) == "");
  CHECK(
      complaint_with(halves + "subscriber_prefix_length = 30\n") ==
      "test.toml:10:13: 100.64.0.128/25 shares its /24 with pool \"a\", whose subscriber_prefix_length is 32, not 30; "
      "within a /24 they must be equal");
}

TEST_CASE("addresses that are no host's are refused") {
  for (const char* prefix :
       {"0.0.0.0/0", "10.0.0.0/5", "127.0.0.1", "224.0.0.0/4", "255.255.255.255", "240.0.0.0/24"}) {
    INFO(prefix);
    const std::string complaint = complaint_with(pool_with("", "100.64.0.0/24", prefix));
    CHECK((complaint.find("are not for hosts") != std::string::npos) == (std::string(prefix) != "10.0.0.0/5"));
    CHECK(complaint != "");
  }
}

TEST_CASE("names are unique, short and plain") {
  const std::string rule = "name of a pool: write 1 to 31 of a-z, 0-9, '_' and '-'";
  for (const char* name : {"", "A", "a b", "a.b", "\\u00e4", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}) {
    INFO(name);
    std::string text = kPool;
    text.replace(text.find("\"a\""), 3, "\"" + std::string(name) + "\"");
    CHECK(complaint_with(text) == "test.toml:5:8: " + rule);
  }
  std::string twice = second_pool("100.65.0.0/24", "198.51.100.1");
  twice.replace(twice.find("\"b\""), 3, "\"a\"");
  CHECK(complaint_with(twice) == "test.toml:12:8: a second pool \"a\"; every pool needs a name of its own");
  CHECK(complaint_with("") == "test.toml: no pool: there is nothing to translate; write at least one [[pool]]");
}

TEST_CASE("block sizes are powers of two that fit the ports") {
  CHECK(complaint_with(pool_with("block_size = 500\n")) ==
        "test.toml:8:14: block_size is 500; write a power of two such as 256 or 512");
  CHECK(complaint_with(pool_with("block_size = 64\n")) == "");
  CHECK(complaint_with(pool_with("block_size = 32768\n")) == "");  // 32768-65535 is one whole block
  CHECK(complaint_with(pool_with("block_size = 512\nports = \"1024-1534\"\n")) ==
        "test.toml:9:9: ports 1024-1534 hold no whole block of 512; write a wider range, or a smaller block_size");
  CHECK(complaint_with(pool_with("ports = \"1024-1535\"\n")) == "");
  CHECK(complaint_with(pool_with("ports = \"0-65535\"\n")) ==
        "test.toml:8:9: ports begin at 0, which is no port; write 1 or, better, 1024");
  CHECK(complaint_with(pool_with("first_block_reserve = 126\n")) ==
        "test.toml:8:23: first_block_reserve is 126, and an address has 126 blocks; write less");
  CHECK(complaint_with(pool_with("first_block_reserve = 125\n")) == "");
}

TEST_CASE("port sets need bits for A, PSID and ports, and equal sizes", "[rfc7597][MAP-2]") {
  auto psid = [](const std::string& offset, const std::string& size, const std::string& ports) {
    return complaint_with(pool_with("port_layout = \"psid\"\npsid_offset = " + offset + "\nblock_size = " + size +
                                    "\nports = \"" + ports + "\"\n"));
  };
  CHECK(psid("6", "256", "1024-65535") == "");
  CHECK(psid("4", "256", "1024-65535") == "");  // 0-4095 are nobody's anyway
  CHECK(psid("0", "1024", "1024-65535") == "");
  CHECK(psid("8", "256", "1024-65535") == "");
  CHECK(psid("9", "256", "1024-65535") ==
        "test.toml:9:15: psid_offset 9 leaves no bits for ports: a block of 256 has 8; write at most 8, or a larger "
        "block_size");
  CHECK(psid("6", "256", "1500-65535") ==
        "test.toml:11:9: ports 1500-65535 would make port sets of different sizes: with psid_offset 6 they come in "
        "stretches of 1024, the first of which is nobody's (RFC 7597); write \"2048-65535\"");
  CHECK(psid("1", "256", "1024-30000") ==
        "test.toml:11:9: ports 1024-30000 would make port sets of different sizes: with psid_offset 1 they come in "
        "stretches of 32768, the first of which is nobody's (RFC 7597); write \"32768-65535\" or a larger psid_offset");
  CHECK(psid("6", "256", "1024-2047") == "");
}

TEST_CASE("what one assignment knows, another refuses with the reason") {
  CHECK(complaint_with(pool_with("assignment = \"deterministic\"\nblock_size = 512\n")) ==
        "test.toml:9:14: block_size is for assignment = \"dynamic\"; take it out: the division of ports by subscribers "
        "gives each its range");
  CHECK(
      complaint_with(pool_with("assignment = \"static\"\nmax_blocks = 4\nfirst_block_reserve = 0\n")) ==
      "test.toml:9:14: max_blocks is for assignment = \"dynamic\"; take it out: [[static_block]] gives each "
      "subscriber its range\n"
      "test.toml:10:23: first_block_reserve is for assignment = \"dynamic\"; take it out: [[static_block]] gives each "
      "subscriber its range");
  CHECK(complaint_with(pool_with("psid_offset = 4\n")) ==
        "test.toml:8:15: psid_offset is for port_layout = \"psid\"; take it out");
  CHECK(complaint_with(pool_with("assignment = \"deterministic\"\nport_layout = \"psid\"\n"))
            .starts_with("test.toml:9:15: port sets are powers of two, a deterministic division is not"));
  CHECK(complaint_with(pool_with("assignment = \"static\"\nport_layout = \"scattered\"\n")) ==
        "test.toml:9:15: a static pool names its ports itself, as ranges; write port_layout = \"contiguous\"");
  CHECK(complaint_with(pool_with("assignment = \"deterministic\"\nport_layout = \"scattered\"\n")) == "");
}

TEST_CASE("a deterministic division leaves enough ports each", "[rfc7422]") {
  const std::string deterministic = "assignment = \"deterministic\"\n";
  CHECK(
      complaint_with(pool_with(deterministic, "100.64.0.0/22", "203.0.113.1")) ==
      "test.toml:4:1: 1024 subscribers on 1 addresses leave 63 ports each, and 64 are the least; give it 2 addresses, "
      "or more ports");
  CHECK(complaint_with(pool_with(deterministic, "100.64.0.0/22", "203.0.113.0/31")) == "");
  CHECK(complaint_with(pool_with(deterministic + "subscriber_prefix_length = 30\n", "100.64.0.0/22", "203.0.113.1")) ==
        "");
}

TEST_CASE("a subscriber fits into internal") {
  CHECK(
      complaint_with(pool_with("subscriber_prefix_length = 28\n", "100.64.0.0/29")) ==
      "test.toml:6:13: internal 100.64.0.0/29 is smaller than one subscriber; with subscriber_prefix_length 28 write a "
      "/28 or shorter");
}

TEST_CASE("static blocks lie in their pool and do not overlap") {
  CHECK(complaint_with(kStaticPool + static_block("100.64.0.1", "203.0.113.1", "8192-12287") +
                       static_block("100.64.0.2", "203.0.113.1", "12288-12300") +
                       static_block("100.64.0.1", "203.0.113.1", "5000")) == "");
  CHECK(complaint_with(kStaticPool + static_block("100.64.1.1", "203.0.113.99", "80-2000")) ==
        "test.toml:12:14: subscriber 100.64.1.1 is not in internal of pool \"a\"; add it there\n"
        "test.toml:13:20: external_address 203.0.113.99 is not in external of pool \"a\"; add it there\n"
        "test.toml:14:9: ports 80-2000 are not within ports 1024-65535 of pool \"a\"");
  CHECK(complaint_with(kStaticPool + static_block("100.64.0.1", "203.0.113.1", "8192-12287") +
                       static_block("100.64.0.2", "203.0.113.1", "12287-12300")) ==
        "test.toml:19:9: ports 12287-12300 of 203.0.113.1 overlap ports 8192-12287 (line 10) of subscriber 100.64.0.1; "
        "a port has one owner");
  CHECK(complaint_with(kStaticPool + static_block("100.64.0.1", "203.0.113.1", "8192-12287") +
                       static_block("100.64.0.1", "203.0.113.2", "8192-12287")) ==
        "test.toml:18:20: subscriber 100.64.0.1 has address 203.0.113.1 already (line 10); a subscriber has one (RFC "
        "6888 REQ-2)");
  CHECK(complaint_with(kStaticPool + static_block("100.64.0.0/30", "203.0.113.1", "8192-12287")) ==
        "test.toml:12:14: subscriber 100.64.0.0/30 is a /30, and a subscriber of pool \"a\" is a /32");
  CHECK(complaint_with(kPool + static_block("100.64.0.1", "203.0.113.1", "8192-12287")) ==
        "test.toml:12:8: pool \"a\" gives its ports itself; a static_block wants a pool with assignment = \"static\"");
  std::string nine = kStaticPool;
  for (int i = 0; i < 9; ++i) nine += static_block("100.64.0.1", "203.0.113.1", std::to_string(5000 + 2 * i));
  CHECK(complaint_with(nine) ==
        "test.toml:50:1: subscriber 100.64.0.1 has more than 8 static blocks; join adjacent ranges");
}

TEST_CASE("forwards lie in their pool, once each") {
  CHECK(complaint_with(kPool + forward_of("203.0.113.5:80", "100.64.0.7:80") +
                       forward_of("203.0.113.5:80", "100.64.0.7:80", "udp") +
                       forward_of("203.0.113.5:65535", "100.64.0.8:1")) == "");
  CHECK(complaint_with(kPool + forward_of("203.0.113.99:80", "100.65.0.7:80")) ==
        "test.toml:14:12: external 203.0.113.99 is not in external of pool \"a\"; add it there\n"
        "test.toml:15:12: internal 100.65.0.7 is not in internal of pool \"a\"; add it there");
  CHECK(complaint_with(kPool + forward_of("203.0.113.5:0", "100.64.0.7:0")) ==
        "test.toml:14:12: external port is 0, which is no port; write 1 to 65535\n"
        "test.toml:15:12: internal port is 0, which is no port; write 1 to 65535");
  CHECK(complaint_with(kPool + forward_of("203.0.113.5:80", "100.64.0.7:80") +
                       forward_of("203.0.113.5:80", "100.64.0.8:80")) ==
        "test.toml:19:12: external tcp 203.0.113.5:80 is forwarded already (line 11); an endpoint has one mapping");
  CHECK(complaint_with(kPool + forward_of("203.0.113.5:80", "100.64.0.7:80") +
                       forward_of("203.0.113.5:81", "100.64.0.7:80")) ==
        "test.toml:20:12: internal tcp 100.64.0.7:80 is forwarded already (line 11); an endpoint has one mapping");
  std::string unknown = kPool + forward_of("203.0.113.5:80", "100.64.0.7:80");
  unknown.replace(unknown.rfind("\"a\""), 3, "\"aa\"");
  CHECK(complaint_with(unknown) == "test.toml:12:8: there is no pool \"aa\"; did you mean a?");
}

TEST_CASE("lifetimes below the RFCs' need the operator's word",
          "[rfc4787][rfc5382][rfc5508][rfc6888][CGN-14][CGN-18]") {
  const std::string low =
      "[timeouts]\nudp = 119\ntcp_established = 7439\ntcp_transitory = 239\nicmp = 59\nhold_down = 119\n";
  const std::string word = ", or write allow_below_rfc = true in [timeouts]";
  CHECK(complaint_with(kPool + low) ==
        "test.toml:12:7: udp is 119 s; RFC 4787 REQ-5 wants at least 120" + word +
            "\ntest.toml:13:19: tcp_established is 7439 s; RFC 5382 REQ-5 wants at least 7440" + word +
            "\ntest.toml:14:18: tcp_transitory is 239 s; RFC 5382 REQ-5 wants at least 240" + word +
            "\ntest.toml:15:8: icmp is 59 s; RFC 5508 REQ-2 wants at least 60" + word +
            "\ntest.toml:16:13: hold_down is 119 s; RFC 6888 REQ-8 wants at least 120" + word);
  CHECK(complaint_with(kPool + low + "allow_below_rfc = true\n") == "");
  CHECK(complaint_with(kPool + "[timeouts]\nudp = 120\nicmp = 60\nhold_down = 120\n") == "");
}

TEST_CASE("interfaces, paths, sinks and the node's name") {
  CHECK(complaint_of("[interfaces]\ninternal = []\nexternal = [\"eth1\", \"eth1\", \"a/b\", \"sixteen-letters-\"]\n" +
                     kPool) ==
        "test.toml:1:1: no internal interface; name at least one\n"
        "test.toml:3:21: external interface eth1 is named twice; once is enough\n"
        "test.toml:3:29: external interface: a name has 1 to 15 characters, no blanks and no '/'\n"
        "test.toml:3:36: external interface: a name has 1 to 15 characters, no blanks and no '/'");
  CHECK(complaint_of(kPool).starts_with("test.toml: no internal interface; name at least one\n"));
  CHECK(complaint_with(kPool + "[paths]\nsocket = \"run/x\"\n") ==
        "test.toml:12:10: socket is \"run/x\"; write an absolute path");
  CHECK(complaint_with(kPool + "[paths]\nsocket = \"/" + std::string(107, 'x') + "\"\n") ==
        "test.toml:12:10: socket is 108 bytes long; a socket's path has at most 107");
  CHECK(complaint_with(kPool + "[[event_sink]]\ntype = \"file\"\n") ==
        "test.toml:11:1: a sink of type \"file\" needs a path");
  CHECK(complaint_with(kPool + "[[event_sink]]\ntype = \"stdout\"\npath = \"/x\"\n") ==
        "test.toml:13:8: path is for a sink of type \"file\" or \"unix\"; take it out");
  CHECK(complaint_with(kPool + "[[event_sink]]\ntype = \"file\"\npath = \"/x/../y\"\n[[event_sink]]\ntype = \"file\"\n"
                               "path = \"/y\"\n") ==
        "test.toml:16:8: the same sink twice: every event would be written double; take one out");
  CHECK(complaint_with(kPool + "[node]\nname = \"a b\"\n") ==
        "test.toml:12:8: name of the node: write at most 64 letters, digits, '.', '_' and '-'");
  CHECK(complaint_with(kPool + "[mtu]\ntcp_mss_clamp = 40\n") ==
        "test.toml:12:17: tcp_mss_clamp is 40; write 0 (off) or a number from 88 to 65495");
  CHECK(complaint_with(kPool + "[mtu]\npacket_too_big_floor = 67\n") ==
        "test.toml:12:24: packet_too_big_floor is 67; write a whole number from 68 to 1500");
}

TEST_CASE("the memory for fragments lies between sane bounds") {
  auto complaint = [](const std::string& memory) {
    return complaint_with(kPool + "[fragments]\nmemory = \"" + memory + "\"\n");
  };
  CHECK(complaint("4MiB") == "");
  CHECK(complaint("64GiB") == "");
  CHECK(complaint("4095KiB") == "test.toml:12:10: memory is 4095KiB; write a size from 4MiB to 64GiB");
  CHECK(complaint("0B") == "test.toml:12:10: memory is 0B; write a size from 4MiB to 64GiB");
  CHECK(complaint("16777215TiB") == "test.toml:12:10: memory is \"16777215TiB\"; write a size such as \"64MiB\"");
  CHECK(complaint("17179869183GiB") == "test.toml:12:10: memory is 17179869183GiB; write a size from 4MiB to 64GiB");
  CHECK(complaint("17179869184GiB") == "test.toml:12:10: memory is \"17179869184GiB\"; write a size such as \"64MiB\"");
  for (const char* wrong : {"", "MiB", "-1MiB", "+1MiB", "1.5MiB", "64", "64mib", "64MiBs", " 64MiB"}) {
    CHECK(complaint(wrong).ends_with("write a size such as \"64MiB\""));
  }
}

TEST_CASE("what the tables cannot hold is refused with figures") {
  CHECK(complaint_with(pool_with("", "100.64.0.0/24", "198.18.0.0/18")) ==
        "test.toml: 16384 external addresses; the tables have room for 8192");
  CHECK(complaint_with(pool_with("", "10.0.0.0/7")) ==
        "test.toml: 33554432 subscribers (counted by whole /24s); the tables have room for 16777216");
  CHECK(complaint_with(pool_with("subscriber_prefix_length = 24\n", "10.0.0.0/7")) == "");
  std::string scattered = "203.0.113.0";
  for (int i = 0; i < 600; ++i) {
    scattered += "\", \"" + Ip4((198u << 24) + (18u << 16) + static_cast<std::uint32_t>(i) * 256).text();
  }
  CHECK(complaint_with(pool_with("", "100.64.0.0/24", scattered)) ==
        "test.toml: 601 /24s with external addresses; the tables have room for 448");
}

TEST_CASE("a Config that no file gave is held to the same limits") {
  Config config = config_of(kInterfaces + kPool);
  config.pools[0].subscriber_prefix_length = -7;
  CHECK_FALSE(check(config));
  config = config_of(kInterfaces + kPool);
  config.pools[0].block_size = 0;
  config.pools[0].max_blocks = 9;
  config.pools[0].psid_offset = 99;
  config.timeouts.udp = 0;
  config.timeouts.allow_below_rfc = true;
  CHECK_FALSE(check(config));
}

TEST_CASE("interfaces that do not exist and memory that is not there are refused") {
  const Config config = checked(kInterfaces + kPool);
  Machine machine;
  machine.interfaces = {{"lo", false}, {"eth0", true}, {"eth1", true}, {"wlan0", true}};
  machine.available_bytes = std::uint64_t{1} << 40;
  CHECK(check_machine(config, machine));

  machine.interfaces = {{"lo", false}, {"eth10", true}, {"wlan0", true}};
  CHECK(check_machine(config, machine).error().text ==
        "test.toml:2:13: there is no interface eth0; did you mean eth10?\n"
        "test.toml:3:13: there is no interface eth1; did you mean eth10?");
  machine.interfaces = {{"eth1", true}, {"wg0", false}};
  Config other = config;
  other.interfaces.internal[0].name = "wg0";
  CHECK(check_machine(other, machine).error().text ==
        "test.toml:2:13: interface wg0 has no Ethernet headers; it cannot be served");
  other.interfaces.internal[0].name = "somewhere";
  CHECK(check_machine(other, machine).error().text == "test.toml:2:13: there is no interface somewhere; there is eth1");

  machine.interfaces = {{"eth0", true}, {"eth1", true}};
  const std::uint64_t needed = table_demand(config).memory_bytes();
  const std::uint64_t fragments = config.fragments.memory;
  machine.available_bytes = needed + fragments;
  CHECK(check_machine(config, machine));
  machine.available_bytes = needed + fragments - 1;
  CHECK_FALSE(check_machine(config, machine));
  machine.available_bytes = 50 << 20;
  CHECK(check_machine(config, machine).error().text ==
        "test.toml: the tables need 77 MiB and fragments 64 MiB and 50 MiB are available; share fewer external "
        "addresses (3 MiB each), give [fragments] less memory, or add memory");
  // A reload pays only for what it adds; an agent that adopts tables does not pay for them again.
  CHECK(check_machine(config, machine, {.tables = needed, .fragments = fragments}));
  CHECK_FALSE(check_machine(config, machine, {.tables = needed - (51 << 20), .fragments = fragments}));
  machine.tables_exist = true;
  CHECK_FALSE(check_machine(config, machine));  // not the tables, but memory for fragments is new
  machine.available_bytes = fragments;
  CHECK(check_machine(config, machine));
  CHECK_FALSE(check_machine(config, machine, {.tables = 1, .fragments = 0}));
}

TEST_CASE("memory for fragments that is not there is refused, also by a reload that wants more of it") {
  Config config = checked(kInterfaces + kPool);
  Machine machine;
  machine.interfaces = {{"eth0", true}, {"eth1", true}};
  const HeldMemory held{.tables = table_demand(config).memory_bytes(), .fragments = config.fragments.memory};
  config.fragments.memory = std::uint64_t{1} << 30;
  machine.available_bytes = std::uint64_t{1000} << 20;
  CHECK(check_machine(config, machine, held).error().text ==
        "test.toml: the tables need 77 MiB and fragments 1024 MiB, 1024 MiB more than now, and 1000 MiB are available; "
        "share fewer external addresses (3 MiB each), give [fragments] less memory, or add memory");
  // The new memory is taken before the old is given back.
  machine.available_bytes = std::uint64_t{1} << 30;
  CHECK(check_machine(config, machine, held));
}

TEST_CASE("this machine can be asked") {
  const auto machine = this_machine(config_of(kInterfaces + kPool));
  REQUIRE(machine);
  CHECK(machine->available_bytes > 0);
  CHECK(std::ranges::count(machine->interfaces, "lo", &Machine::Interface::name) == 1);
}

TEST_CASE("an event sink that cannot be meant is refused with its reason") {
  auto complaint = [](const std::string& keys) { return complaint_with(kPool + "[[event_sink]]\n" + keys); };
  const std::string syslog = "type = \"syslog\"\naddress = \"siem.example.net:6514\"\n";
  CHECK(complaint(syslog) == "");
  CHECK(complaint(syslog + "ca = \"ca.pem\"\n") == "test.toml:14:6: ca is \"ca.pem\"; write an absolute path");
  CHECK(complaint(syslog + "certificate = \"/c.pem\"\n") ==
        "test.toml:14:15: certificate and key go together; write both or none");
  CHECK(complaint(syslog + "protocol = \"udp\"\nca = \"/ca.pem\"\n") ==
        "test.toml:15:6: ca, certificate and key are for protocol = \"tls\"; take them out, or write that");
  CHECK(complaint(syslog + "spool = \"1MiB\"\n") ==
        "test.toml:14:9: spool is 1MiB; write a size from 16MiB to 1048576GiB");
  CHECK(
      complaint(syslog + "name = \"../x\"\n") ==
      "test.toml:14:8: name of the sink: write at most 64 letters, digits, '.', '_' and '-', no '.' at the beginning");
  CHECK(complaint(syslog + "[[event_sink]]\n" + syslog) ==
        "test.toml:16:11: the same sink twice: every event would be written double; take one out");
  CHECK(complaint(syslog + "name = \"siem\"\n[[event_sink]]\n" + syslog + "protocol = \"tcp\"\nname = \"siem\"\n") ==
        "test.toml:19:8: two sinks would share the spool siem; give them different names");
  CHECK(complaint("type = \"http\"\nurl = \"ftp://x\"\n") ==
        "test.toml:13:7: url: write one that begins with https:// or http://");
  CHECK(complaint("type = \"file\"\npath = \"/x\"\nrotate_size = \"1KiB\"\n") ==
        "test.toml:14:15: rotate_size is 1KiB; write at least 1MiB");
}
