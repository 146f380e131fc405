// From text to values, and every mistake with its place.
#include "config/read.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "config_text.h"

using namespace apnat;

TEST_CASE("a short configuration has the documented defaults") {
  const Config config =
      checked(kInterfaces + "[[pool]]\nname = \"a\"\ninternal = [\"100.64.0.0/24\"]\nexternal = [\"203.0.113.1\"]\n");
  CHECK(config.file == "test.toml");
  CHECK(config.node_name.empty());
  CHECK(config.paths.socket == "/run/apnat/apnatd.sock");
  CHECK(config.paths.bpffs == "/sys/fs/bpf/apnat");
  CHECK(config.paths.state == "/var/lib/apnat");
  CHECK(config.interfaces.mode == AttachMode::kAuto);
  REQUIRE(config.pools.size() == 1);
  const PoolConfig& pool = config.pools[0];
  CHECK(pool.assignment == ASSIGN_DYNAMIC);
  CHECK(pool.ports == PortRange{1024, 65535});
  CHECK_FALSE(pool.block_size);
  CHECK(pool.max_blocks == 4);
  CHECK(pool.first_block_reserve == 0);
  CHECK(pool.max_new_mappings_per_second == 0);
  CHECK(pool.subscriber_prefix_length == 32);
  CHECK(pool.port_layout == LAYOUT_CONTIGUOUS);
  CHECK(pool.psid_offset == 6);
  CHECK(pool.filtering == FILTER_ENDPOINT_INDEPENDENT);
  CHECK(pool.hairpinning);
  CHECK(pool.log == LOG_BLOCKS);
  CHECK_FALSE(pool.continue_unlogged);
  CHECK_FALSE(pool.proxy_arp);
  CHECK(config.timeouts.udp == 300);
  CHECK(config.timeouts.tcp_established == 7440);
  CHECK(config.timeouts.tcp_transitory == 240);
  CHECK(config.timeouts.icmp == 60);
  CHECK(config.timeouts.block_idle == 600);
  CHECK(config.timeouts.hold_down == 120);
  CHECK(config.ipv4_id.atomic == AtomicId::kKeep);
  CHECK(config.ipv4_id.on_repeat == OnIdRepeat::kCount);
  CHECK(config.ipv4_id.uniqueness_seconds == 120);
  CHECK(config.fragments.timeout == 5);
  CHECK(config.fragments.memory == 64u << 20);
  CHECK(config.fragments.per_source == 64);
  CHECK(config.fragments.overlap == Overlap::kKill);
  CHECK(config.mtu.tcp_mss_clamp == 0);
  CHECK(config.mtu.packet_too_big_floor == 576);
  CHECK(config.event_sinks.empty());
}

TEST_CASE("every key is read into its place") {
  const Config config = checked(R"([node]
name = "cgn1.example"
[paths]
socket = "/tmp/a.sock"
bpffs = "/sys/fs/bpf/b"
state = "/tmp/state"
[interfaces]
internal = ["in0", "in1"]
external = ["out0"]
mode = "generic"
[[pool]]
name = "a-1_x"
internal = ["100.64.0.0/24", "100.65.0.0/23"]
external = ["203.0.113.0/30", "198.51.100.7"]
assignment = "dynamic"
ports = "2048-65535"
block_size = 256
max_blocks = 8
first_block_reserve = 3
max_new_mappings_per_second = 100
subscriber_prefix_length = 24
port_layout = "psid"
psid_offset = 5
filtering = "endpoint_independent"
hairpinning = false
log = "mappings_with_destination"
on_log_failure = "continue"
proxy_arp = true
[[pool]]
name = "b"
internal = ["100.66.0.0/24"]
external = ["192.0.2.0/28"]
assignment = "static"
[[static_block]]
pool = "b"
subscriber = "100.66.0.1"
external_address = "192.0.2.3"
ports = "8192-12287"
[[forward]]
pool = "b"
protocol = "udp"
external = "192.0.2.3:53"
internal = "100.66.0.1:5353"
[timeouts]
allow_below_rfc = true
udp = 30
tcp_established = 600
tcp_transitory = 20
icmp = 5
block_idle = 10
hold_down = 0
[ipv4_id]
atomic = "low4"
on_repeat = "make_atomic"
uniqueness_seconds = 30
[fragments]
timeout = 2
memory = "8192KiB"
per_source = 1
overlap = "first_wins"
[mtu]
tcp_mss_clamp = 1360
packet_too_big_floor = 1280
[[event_sink]]
type = "stdout"
[[event_sink]]
type = "file"
path = "/tmp/events.jsonl"
)");
  CHECK(config.node_name == "cgn1.example");
  CHECK(config.paths.socket == "/tmp/a.sock");
  CHECK(config.paths.bpffs == "/sys/fs/bpf/b");
  CHECK(config.paths.state == "/tmp/state");
  REQUIRE(config.interfaces.internal.size() == 2);
  CHECK(config.interfaces.internal[1].name == "in1");
  CHECK(config.interfaces.external[0].name == "out0");
  CHECK(config.interfaces.mode == AttachMode::kGeneric);
  REQUIRE(config.pools.size() == 2);
  const PoolConfig& pool = config.pools[0];
  CHECK(pool.name == "a-1_x");
  CHECK(pool.internal[1].prefix.text() == "100.65.0.0/23");
  CHECK(pool.external[1].prefix.text() == "198.51.100.7");
  CHECK(pool.ports == PortRange{2048, 65535});
  CHECK(pool.block_size == 256u);
  CHECK(pool.max_blocks == 8);
  CHECK(pool.first_block_reserve == 3);
  CHECK(pool.max_new_mappings_per_second == 100);
  CHECK(pool.subscriber_prefix_length == 24);
  CHECK(pool.port_layout == LAYOUT_PSID);
  CHECK(pool.psid_offset == 5);
  CHECK_FALSE(pool.hairpinning);
  CHECK(pool.log == LOG_MAPPINGS_WITH_DESTINATION);
  CHECK(pool.continue_unlogged);
  CHECK(pool.proxy_arp);
  REQUIRE(config.static_blocks.size() == 1);
  CHECK(config.static_blocks[0].subscriber.text() == "100.66.0.1");
  CHECK(config.static_blocks[0].external_address.text() == "192.0.2.3");
  CHECK(config.static_blocks[0].ports == PortRange{8192, 12287});
  REQUIRE(config.forwards.size() == 1);
  CHECK(config.forwards[0].protocol == 17);
  CHECK(config.forwards[0].external.text() == "192.0.2.3:53");
  CHECK(config.forwards[0].internal.text() == "100.66.0.1:5353");
  CHECK(config.timeouts.allow_below_rfc);
  CHECK(config.timeouts.udp == 30);
  CHECK(config.timeouts.hold_down == 0);
  CHECK(config.ipv4_id.atomic == AtomicId::kLow4);
  CHECK(config.ipv4_id.on_repeat == OnIdRepeat::kMakeAtomic);
  CHECK(config.ipv4_id.uniqueness_seconds == 30);
  CHECK(config.fragments.timeout == 2);
  CHECK(config.fragments.memory == 8u << 20);
  CHECK(config.fragments.per_source == 1);
  CHECK(config.fragments.overlap == Overlap::kFirstWins);
  CHECK(config.mtu.tcp_mss_clamp == 1360);
  CHECK(config.mtu.packet_too_big_floor == 1280);
  REQUIRE(config.event_sinks.size() == 2);
  CHECK(config.event_sinks[0].type == SinkType::kStdout);
  CHECK(config.event_sinks[1].path == "/tmp/events.jsonl");
}

TEST_CASE("a mistake is said with file, line, column, and what would be right") {
  struct Mistake {
    const char* text;
    const char* complaint;
  };
  const Mistake mistake = GENERATE(values<Mistake>({
      // form
      {"[[pool]\n", "test.toml:4:8: Error while parsing table header: expected ']', saw '\\n'"},
      // keys
      {"[mtu]\ntcp_mms_clamp = 0\n",
       "test.toml:5:1: unknown key \"tcp_mms_clamp\" in [mtu]; did you mean tcp_mss_clamp?"},
      {"[timeouts]\nupd = 300\n", "test.toml:5:1: unknown key \"upd\" in [timeouts]; did you mean udp?"},
      {"[mtu]\ncolour = 1\n",
       "test.toml:5:1: unknown key \"colour\" in [mtu]; it knows tcp_mss_clamp, packet_too_big_floor"},
      {"[timeout]\nudp = 300\n", "test.toml:4:2: unknown key \"timeout\" in the file; did you mean timeouts?"},
      // sections
      {"[pool]\nname = \"a\"\n", "test.toml:4:1: pool stands in single brackets; write [[pool]], once for each"},
      {"[[mtu]]\n", "test.toml:4:1: mtu is a list; write [mtu], once"},
      // kinds of values
      {"[mtu]\ntcp_mss_clamp = \"1360\"\n",
       "test.toml:5:17: tcp_mss_clamp is a string; write a whole number from 0 to 65495"},
      {"[mtu]\ntcp_mss_clamp = 1.5\n",
       "test.toml:5:17: tcp_mss_clamp is a fractional number; write a whole number from 0 to 65495"},
      {"[timeouts]\nallow_below_rfc = 1\n", "test.toml:5:19: allow_below_rfc is a whole number; write true or false"},
      {"[timeouts]\nudp = -1\n", "test.toml:5:7: udp is -1; write a whole number from 1 to 31536000"},
      {"[timeouts]\nudp = 99999999999\n", "test.toml:5:7: udp is 99999999999; write a whole number from 1 to 31536000"},
      {"[paths]\nsocket = 5\n", "test.toml:5:10: socket is a whole number; write a string in quotes"},
      {"[fragments]\nmemory = 64\n", "test.toml:5:10: memory is a whole number; write a string in quotes"},
      {"[fragments]\nmemory = \"64 MB\"\n", "test.toml:5:10: memory is \"64 MB\"; write a size such as \"64MiB\""},
      {"[fragments]\ntimeout = 1\n", "test.toml:5:11: timeout is 1; write a whole number from 2 to 60"},
      {"[fragments]\nper_source = 0\n", "test.toml:5:14: per_source is 0; write a whole number from 1 to 65535"},
      {"[ipv4_id]\nuniqueness_seconds = 0\n",
       "test.toml:5:22: uniqueness_seconds is 0; write a whole number from 1 to 3600"},
      // words
      {"[fragments]\noverlap = \"last_wins\"\n",
       "test.toml:5:11: overlap is \"last_wins\"; did you mean first_wins? it is one of kill, first_wins"},
      {"[ipv4_id]\natomic = \"low\"\n",
       "test.toml:5:10: atomic is \"low\"; did you mean low4? it is one of keep, zero, random, low4"},
      {"[ipv4_id]\non_repeat = \"cuont\"\n",
       "test.toml:5:13: on_repeat is \"cuont\"; did you mean count? it is one of count, make_atomic, drop"},
      {"[[event_sink]]\ntype = \"fiel\"\n",
       "test.toml:5:8: type is \"fiel\"; did you mean file? it is one of stdout, file, unix, syslog, ipfix, http, "
       "kafka"},
  }));
  CHECK(complaint_with(mistake.text) == mistake.complaint);
}

TEST_CASE("a mistake in an event sink is said with its place") {
  struct Mistake {
    const char* text;
    const char* complaint;
  };
  const Mistake mistake = GENERATE(values<Mistake>({
      {"[[event_sink]]\ntype = \"ipfix\"\naddress = \"collector\"\n",
       "test.toml:6:11: address is \"collector\"; write \"HOST:PORT\", such as \"siem.example.net:6514\""},
      {"[[event_sink]]\ntype = \"syslog\"\n", "test.toml:4:1: a sink of type \"syslog\" needs an address"},
      {"[[event_sink]]\ntype = \"http\"\nurl = \"https://x\"\ntopic = \"t\"\n",
       "test.toml:7:9: topic is for a sink of type \"kafka\"; take it out"},
      {"[[event_sink]]\ntype = \"http\"\nurl = \"https://x\"\nheaders = [\"no colon\"]\n",
       "test.toml:7:12: headers: \"no colon\" is no header; write \"Name: value\""},
      {"[[event_sink]]\ntype = \"kafka\"\nbrokers = \"b:9092\"\ntopic = \"t\"\noptions = [\"ssl\"]\n",
       "test.toml:8:12: options: \"ssl\" is none; write \"name=value\""},
      {"[[event_sink]]\ntype = \"unix\"\npath = \"/x\"\nspool = \"much\"\n",
       "test.toml:7:9: spool is \"much\"; write a size such as \"1GiB\""},
      {"[[event_sink]]\npath = \"/x\"\n", "test.toml:4:1: [[event_sink]] has no type; it needs one"},
  }));
  CHECK(complaint_with(mistake.text) == mistake.complaint);
}

TEST_CASE("a mistake in a pool is said with its place") {
  struct Mistake {
    const char* line;  // instead of block_size, the pool's last
    const char* complaint;
  };
  const Mistake mistake = GENERATE(values<Mistake>({
      {"block_size = 48", "test.toml:10:14: block_size is 48; write a whole number from 64 to 32768"},
      {"block_size = \"512\"", "test.toml:10:14: block_size is a string; write a whole number from 64 to 32768"},
      {"max_blocks = 9", "test.toml:10:14: max_blocks is 9; write a whole number from 1 to 8"},
      {"max_blocks = 0", "test.toml:10:14: max_blocks is 0; write a whole number from 1 to 8"},
      {"subscriber_prefix_length = 23",
       "test.toml:10:28: subscriber_prefix_length is 23; write a whole number from 24 to 32"},
      {"psid_offset = 16", "test.toml:10:15: psid_offset is 16; write a whole number from 0 to 15"},
      {"filtering = \"address_dependent\"",
       "test.toml:10:13: filtering is \"address_dependent\", which is not in this release; it has "
       "endpoint_independent"},
      {"port_layout = \"scatter\"",
       "test.toml:10:15: port_layout is \"scatter\"; did you mean scattered? it is one of contiguous, psid, scattered"},
      {"on_log_failure = \"drop\"", "test.toml:10:18: on_log_failure is \"drop\"; it is one of refuse, continue"},
      {"blok_size = 512", "test.toml:10:1: unknown key \"blok_size\" in [[pool]]; did you mean block_size?"},
      {"hairpinning = \"yes\"", "test.toml:10:15: hairpinning is a string; write true or false"},
      {"block_size = 512\nblock_size = 512",
       "test.toml:11:14: Error while parsing key-value pair: cannot redefine "
       "existing integer 'block_size'"},
  }));
  std::string text = kInterfaces + kPool;
  text.replace(text.find("block_size = 512"), 16, mistake.line);
  CHECK(complaint_of(text) == mistake.complaint);
}

TEST_CASE("addresses, ports and endpoints that are none are refused with an example") {
  CHECK(complaint_with("[[pool]]\nname = \"a\"\ninternal = \"100.64.0.0/24\"\nexternal = [\"203.0.113.70/26\", 5]\n"
                       "ports = \"65535-1024\"\n") ==
        "test.toml:6:12: internal is a string; write a list such as [\"100.64.0.0/16\"]\n"
        "test.toml:7:13: external: 203.0.113.70/26 has bits set behind the /26; the prefix is 203.0.113.64/26\n"
        "test.toml:7:32: external is a whole number; write a list such as [\"203.0.113.0/26\"]\n"
        "test.toml:8:9: ports is \"65535-1024\"; write a range such as \"1024-65535\"");
  CHECK(complaint_with("[[forward]]\npool = \"a\"\nprotocol = \"sctp\"\nexternal = \"203.0.113.5\"\n"
                       "internal = \"100.64.3.7:http\"\n") ==
        "test.toml:6:12: protocol is \"sctp\"; it is one of tcp, udp\n"
        "test.toml:7:12: external is \"203.0.113.5\"; write an endpoint such as \"203.0.113.5:8080\"\n"
        "test.toml:8:12: internal is \"100.64.3.7:http\"; write an endpoint such as \"100.64.3.7:80\"");
  CHECK(complaint_with("[[static_block]]\npool = \"a\"\nsubscriber = \"x\"\nexternal_address = \"203.0.113.0/24\"\n") ==
        "test.toml:4:1: [[static_block]] has no ports; it needs one\n"
        "test.toml:6:14: subscriber is \"x\"; write an address such as \"100.64.9.1\"\n"
        "test.toml:7:20: external_address is \"203.0.113.0/24\"; write an address such as \"203.0.113.70\"");
}

TEST_CASE("all mistakes come in one go, in the file's order") {
  CHECK(complaint_of("[mtu]\nfloor = 1\n[[pool]]\nnam = \"x\"\n[interfaces]\nmode = \"fast\"\n[[pool]]\n") ==
        "test.toml:2:1: unknown key \"floor\" in [mtu]; it knows tcp_mss_clamp, packet_too_big_floor\n"
        "test.toml:3:1: [[pool]] has no name; it needs one\n"
        "test.toml:3:1: [[pool]] has no internal; it needs one\n"
        "test.toml:3:1: [[pool]] has no external; it needs one\n"
        "test.toml:4:1: unknown key \"nam\" in [[pool]]; did you mean name?\n"
        "test.toml:5:1: [interfaces] has no internal; it needs one\n"
        "test.toml:5:1: [interfaces] has no external; it needs one\n"
        "test.toml:6:8: mode is \"fast\"; it is one of auto, native, generic\n"
        "test.toml:7:1: [[pool]] has no name; it needs one\n"
        "test.toml:7:1: [[pool]] has no internal; it needs one\n"
        "test.toml:7:1: [[pool]] has no external; it needs one");
}

TEST_CASE("the operator's text cannot break a complaint's line") {
  const std::string complaint = complaint_with("[mtu]\n\"a\\nb\\u001b\" = 1\n");
  CHECK(complaint.find('\n') == std::string::npos);
  CHECK(complaint.find('\x1b') == std::string::npos);
  CHECK(complaint.find("\"a?b?\"") != std::string::npos);
  const std::string long_key(5000, 'x');
  CHECK(complaint_with("[mtu]\n" + long_key + " = 1\n").size() < 300);
}

TEST_CASE("a file that is not there, not a file, or not text is refused in words") {
  CHECK(read_config("/no/such/file.toml").error().text == "/no/such/file.toml: No such file or directory");
  CHECK(read_config("/tmp").error().text == "/tmp: not a file");
  CHECK(read_config("/dev/zero").error().text == "/dev/zero: not a file");
  CHECK_FALSE(read_config_text(std::string_view("\0\x01\xff\xfe", 4), "x.toml"));
  CHECK_FALSE(read_config_text(std::string(100'000, '['), "x.toml"));

  const std::string path = "/tmp/apnat-read-test-" + std::to_string(::getpid()) + ".toml";
  std::ofstream(path) << kInterfaces + kPool;
  const auto config = read_config(path);
  ::unlink(path.c_str());
  REQUIRE(config);
  CHECK(config->file == path);
}

TEST_CASE("every key of an event sink is read into its place") {
  const Config config = checked(kInterfaces + R"([[event_sink]]
type = "file"
path = "/tmp/a"
format = "ecs"
rotate_size = "100MiB"
rotate_keep = 3
[[event_sink]]
type = "unix"
path = "/tmp/b"
socket = "datagram"
[[event_sink]]
type = "syslog"
address = "[2001:db8::7]:6514"
ca = "/ca.pem"
certificate = "/c.pem"
key = "/k.pem"
server_name = "siem"
facility = "local4"
spool = "64MiB"
on_spool_full = "continue"
name = "siem"
[[event_sink]]
type = "ipfix"
address = "192.0.2.7:4739"
observation_domain = 7
template_refresh = 30
[[event_sink]]
type = "http"
url = "https://elastic.example.net/_bulk"
body = "elastic_bulk"
index = "nat"
headers = ["X-A: b"]
token_file = "/token"
token_scheme = "ApiKey"
batch_events = 500
batch_seconds = 2
gzip = true
[[event_sink]]
type = "kafka"
brokers = "k1:9092,k2:9092"
topic = "nat"
options = ["security.protocol=ssl"]
[[pool]]
name = "p"
internal = ["100.64.0.0/24"]
external = ["203.0.113.1"]
)");
  const auto& sinks = config.event_sinks;
  REQUIRE(sinks.size() == 6);
  CHECK(sinks[0].format == SinkFormat::kEcs);
  CHECK(sinks[0].rotate_size == 100u << 20);
  CHECK(sinks[0].rotate_keep == 3);
  CHECK(sinks[1].datagram);
  CHECK(sinks[2].host == "2001:db8::7");
  CHECK(sinks[2].port == 6514);
  CHECK(sinks[2].protocol_used() == SinkProtocol::kTls);
  CHECK(sinks[2].facility == 20);
  CHECK(sinks[2].server_name == "siem");
  CHECK(sinks[2].spool == 64u << 20);
  CHECK(sinks[2].lose_when_full);
  CHECK(sink_folder(sinks[2]) == "siem");
  CHECK(sinks[3].protocol_used() == SinkProtocol::kUdp);
  CHECK(sinks[3].observation_domain == 7u);
  CHECK(sinks[3].template_refresh == 30);
  CHECK(sinks[4].body == SinkBody::kElasticBulk);
  CHECK(sinks[4].index == "nat");
  CHECK(sinks[4].headers == std::vector<std::string>{"X-A: b"});
  CHECK(sinks[4].token_scheme == "ApiKey");
  CHECK(sinks[4].batch_events == 500);
  CHECK(sinks[4].batch_seconds == 2);
  CHECK(sinks[4].gzip);
  CHECK(sink_folder(sinks[4]) == "http-https---elastic.example.net-_bulk");
  CHECK(sinks[5].brokers == "k1:9092,k2:9092");
  CHECK(sinks[5].options.at("security.protocol") == "ssl");
}

TEST_CASE("retention is a number of days or weeks", "[LOG-10]") {
  const std::string interfaces = "[interfaces]\ninternal = [\"eth0\"]\nexternal = [\"eth1\"]\n";
  const auto read = [&](const std::string& text) {
    return read_config_text(interfaces + "[history]\nretention = \"" + text + "\"\n", "test.toml");
  };
  CHECK(read_config_text(interfaces, "test.toml").value().history.retention == std::chrono::days(365));
  CHECK(read("30d").value().history.retention == std::chrono::days(30));
  CHECK(read("26w").value().history.retention == std::chrono::days(182));
  for (const char* wrong : {"", "d", "1 year", "0d", "-1d", "1.5d", "3661d", "99999999999999999999d"}) {
    INFO(wrong);
    CHECK_FALSE(read(wrong));
  }
  CHECK(read("1 year").error().text ==
        "test.toml:5:13: retention is \"1 year\"; write a number of days or weeks such as \"365d\" or \"26w\", at most "
        "3660 days");
}
