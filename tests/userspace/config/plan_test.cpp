// From a configuration to rows.
#include "config/plan.h"

#include <cstring>

#include "config/demand.h"
#include "config_text.h"

using namespace apnat;

namespace {

Plan planned(const std::string& text) { return plan(checked(kInterfaces + text)); }

std::string pool_text(const std::string& lines, const std::string& internal = "100.64.0.0/24",
                      const std::string& external = "203.0.113.0/28") {
  return "[[pool]]\nname = \"a\"\ninternal = [\"" + internal + "\"]\nexternal = [\"" + external + "\"]\n" + lines;
}

struct pool row_of(const std::string& lines) { return planned(pool_text(lines)).pools.at(0).row; }

}  // namespace

TEST_CASE("a dynamic pool's row says all that the program needs") {
  const Plan made =
      planned(pool_text("max_blocks = 3\nfirst_block_reserve = 5\nmax_new_mappings_per_second = 77\n"
                        "log = \"mappings\"\non_log_failure = \"continue\"\nproxy_arp = true\n"));
  const PlannedPool& pool = made.pools.at(0);
  CHECK(pool.row.assignment == ASSIGN_DYNAMIC);
  CHECK(pool.row.port_layout == LAYOUT_CONTIGUOUS);
  CHECK(pool.row.log == LOG_MAPPINGS);
  CHECK(pool.row.filtering == FILTER_ENDPOINT_INDEPENDENT);
  CHECK(pool.row.flags == (POOL_HAIRPINNING | POOL_CONTINUE_UNLOGGED | POOL_PROXY_ARP));
  CHECK(pool.row.block_size_log2 == 9);
  CHECK(pool.row.max_blocks == 3);
  CHECK(pool.row.subscriber_prefix_length == 32);
  CHECK(pool.row.first_port_host == 1024);
  CHECK(pool.row.last_port_host == 65535);
  CHECK(pool.row.first_block == 2);
  CHECK(pool.row.last_block == 127);
  CHECK(pool.row.first_block_reserve == 5);
  CHECK(pool.row.max_new_mappings_per_second == 77);
  CHECK(std::string(pool.row.name) == "a");
  CHECK(pool.row.address_first == 0);
  CHECK(pool.row.address_count == 0);
  CHECK(pool.external.size() == 16);
  CHECK(pool.external.front().text() == "203.0.113.0");
  CHECK(pool.external.back().text() == "203.0.113.15");
  CHECK(pool.subscriber_count() == 256);
}

TEST_CASE("only whole blocks within the ports are given out") {
  const struct pool narrow = row_of("ports = \"1000-3000\"\nblock_size = 256\n");
  CHECK(narrow.first_block == 4);  // 1024
  CHECK(narrow.last_block == 10);  // 2816-3071 is not whole
  const struct pool wide = row_of("ports = \"1-65535\"\nblock_size = 32768\n");
  CHECK(wide.first_block == 1);
  CHECK(wide.last_block == 1);
}

TEST_CASE("every block of a scattered or offset layout is given out") {
  const struct pool scattered = row_of("port_layout = \"scattered\"\n");
  CHECK(scattered.first_block == 0);
  CHECK(scattered.last_block == 127);
  for (std::uint32_t key : scattered.layout_key) CHECK(key == 0);

  const struct pool psid = row_of("port_layout = \"psid\"\nblock_size = 256\n");
  CHECK(psid.psid_offset == 6);
  CHECK(psid.psid_length == 8);
  CHECK(psid.first_block == 0);
  CHECK(psid.last_block == 255);

  const struct pool no_offset = row_of("port_layout = \"psid\"\nblock_size = 1024\npsid_offset = 0\n");
  CHECK(no_offset.psid_length == 6);
  CHECK(no_offset.first_block == 1);  // PSID 0 has the system ports
  CHECK(no_offset.last_block == 63);
}

TEST_CASE("every block a psid pool gives out has equally many usable ports", "[rfc7597][MAP-3]") {
  for (const char* lines : {"psid_offset = 6\nblock_size = 256\n", "psid_offset = 4\nblock_size = 1024\n",
                            "psid_offset = 0\nblock_size = 512\n", "psid_offset = 2\nblock_size = 64\n"}) {
    INFO(lines);
    const struct pool row = row_of("port_layout = \"psid\"\n" + std::string(lines));
    const std::uint32_t size = 1u << row.block_size_log2;
    const std::uint32_t expected = row.psid_offset ? size - (size >> row.psid_offset) : size;
    for (std::uint32_t block = row.first_block; block <= row.last_block; ++block) {
      std::uint32_t ports = 0;
      const struct slot_range slots{static_cast<std::uint16_t>(block * size),
                                    static_cast<std::uint16_t>((block + 1) * size - 1)};
      for (const PortRange& range : ports_of_slots(row, slots)) ports += range.count();
      if (ports != expected) FAIL("block " << block << " has " << ports << " ports, not " << expected);
    }
  }
}

TEST_CASE("RFC 7422: ratio 16 over 1024-65535", "[rfc7422][DET-5]") {
  const Plan made = planned(pool_text("assignment = \"deterministic\"\n", "100.64.0.0/28", "192.0.2.1"));
  const PlannedPool& pool = made.pools.at(0);
  CHECK(pool.deterministic_ratio == 16);
  CHECK(pool.row.assignment == ASSIGN_DETERMINISTIC);
  CHECK(pool.row.max_blocks == 1);
  CHECK(pool.row.block_size_log2 == 0);
  for (std::uint32_t n = 0; n < 16; ++n) {
    const PlannedBlock block = pool.deterministic_block(n);
    CHECK(block.subscriber.first().value() == (100u << 24) + (64u << 16) + n);
    CHECK(block.external_address.text() == "192.0.2.1");
    CHECK(block.slots.first == 1024 + 4032 * n);
    CHECK(block.slots.last == 1024 + 4032 * (n + 1) - 1);
  }
  CHECK(pool.deterministic_block(13).slots.last == 57471);
}

TEST_CASE("deterministic: forward and reverse agree for any ratio, and nobody shares a port", "[rfc7422][DET-1]") {
  struct Case {
    const char* internal;
    const char* external;
    int prefix_length;
  };
  const Case one = GENERATE(values<Case>({{"100.64.0.0/24", "192.0.2.0/29", 32},
                                          {"100.64.0.0/25\", \"100.64.2.0/26", "192.0.2.0/30\", \"198.51.100.9", 32},
                                          {"100.64.0.0/22\", \"100.65.0.0/23", "192.0.2.4/30\", \"192.0.2.1", 30},
                                          {"100.64.0.0/22", "192.0.2.4/31\", \"192.0.2.9", 32}}));
  const PlannedPool pool = planned(pool_text("assignment = \"deterministic\"\nsubscriber_prefix_length = " +
                                                 std::to_string(one.prefix_length) + "\n",
                                             one.internal, one.external))
                               .pools.at(0);
  INFO("ratio " << pool.deterministic_ratio);
  std::vector<std::vector<int>> owner(pool.external.size(), std::vector<int>(65536, -1));
  for (std::uint64_t n = 0; n < pool.subscriber_count(); ++n) {
    const PlannedBlock block = pool.deterministic_block(n);
    REQUIRE(block.subscriber.length() == one.prefix_length);
    const auto address = std::ranges::find(pool.external, block.external_address) - pool.external.begin();
    for (std::uint32_t slot = block.slots.first; slot <= block.slots.last; ++slot) {
      auto& place = owner[static_cast<std::size_t>(address)][slot];
      if (place != -1) FAIL("port " << slot << " has two owners");
      place = static_cast<int>(n);
      const auto back = deterministic_owner(pool.ports, pool.deterministic_ratio, static_cast<std::uint16_t>(slot));
      if (!back || static_cast<std::uint64_t>(address) * pool.deterministic_ratio + *back != n) FAIL("not reversed");
    }
  }
}

TEST_CASE("static blocks are slots as written, sorted by subscriber") {
  const Plan made = planned(pool_text("assignment = \"static\"\n") +
                            "[[static_block]]\npool = \"a\"\nsubscriber = \"100.64.0.9\"\n"
                            "external_address = \"203.0.113.1\"\nports = \"8192-12287\"\n"
                            "[[static_block]]\npool = \"a\"\nsubscriber = \"100.64.0.1\"\n"
                            "external_address = \"203.0.113.1\"\nports = \"5001-5007\"\n"
                            "[[static_block]]\npool = \"a\"\nsubscriber = \"100.64.0.9\"\n"
                            "external_address = \"203.0.113.1\"\nports = \"6000\"\n");
  const PlannedPool& pool = made.pools.at(0);
  REQUIRE(pool.static_blocks.size() == 3);
  CHECK(pool.static_blocks[0].subscriber.text() == "100.64.0.1");
  CHECK(pool.static_blocks[0].slots.first == 5001);
  CHECK(pool.static_blocks[0].slots.last == 5007);
  CHECK(pool.static_blocks[1].slots.first == 6000);
  CHECK(pool.static_blocks[2].slots.last == 12287);
  CHECK(pool.row.max_blocks == 2);
  CHECK(pool.row.assignment == ASSIGN_STATIC);
}

TEST_CASE("options hold what some pool uses, and times in ticks rounded up") {
  const Plan plain = planned(pool_text(""));
  CHECK(plain.options.psid_layout == 0);
  CHECK(plain.options.scattered_layout == 0);
  CHECK(plain.options.hairpinning == 1);
  CHECK(plain.options.mapping_log == 0);
  CHECK(plain.options.rate_limit == 0);
  CHECK(plain.options.forwards == 1);
  CHECK(plain.options.proxy_arp == 0);
  CHECK(plain.options.vlans == 0);
  CHECK(plain.options.udp_ticks == 4471);  // 300 s / 67.108864 ms = 4470.3
  CHECK(plain.options.tcp_established_ticks == 110865);
  CHECK(plain.options.icmp_ticks == 895);
  CHECK(plain.options.event_interval_ticks == 15);
  CHECK(plain.hold_down_ticks == 1789);
  CHECK(plain.block_idle_ticks == 8941);
  CHECK(plain.options.packet_too_big_floor == 576);
  for (std::uint64_t key : plain.options.secret) CHECK(key == 0);

  const Plan rich = planned(pool_text("hairpinning = false\nlog = \"mappings\"\nmax_new_mappings_per_second = 5\n") +
                            "[[pool]]\nname = \"b\"\ninternal = [\"100.65.0.0/24\"]\nexternal = [\"198.51.100.1\"]\n"
                            "port_layout = \"scattered\"\nproxy_arp = true\nhairpinning = false\n"
                            "[mtu]\ntcp_mss_clamp = 1360\n");
  CHECK(rich.options.scattered_layout == 1);
  CHECK(rich.options.hairpinning == 0);
  CHECK(rich.options.mapping_log == 1);
  CHECK(rich.options.rate_limit == 1);
  CHECK(rich.options.proxy_arp == 1);
  CHECK(rich.options.tcp_mss_clamp == 1360);
}

TEST_CASE("an interface in both lists is one-armed") {
  const Plan made = plan(checked("[interfaces]\ninternal = [\"eth0\", \"eth1\"]\nexternal = [\"eth0\"]\n" + kPool));
  REQUIRE(made.interfaces.size() == 2);
  CHECK(made.interfaces[0].name == "eth0");
  CHECK((made.interfaces[0].internal && made.interfaces[0].external));
  CHECK((made.interfaces[1].internal && !made.interfaces[1].external));
}

TEST_CASE("memory: 3 MiB and a block table an address, 256 KiB for 4096 subscribers") {
  CHECK(bytes_per_address() == (3u << 20) + (32u << 10));
  CHECK(creation_bytes_per_address() == 3u << 19);
  CHECK(bytes_per_subscriber_table() == 256u << 10);
  const std::uint64_t one = planned(pool_text("", "100.64.0.0/24", "203.0.113.1")).memory_bytes();
  CHECK(one == fixed_bytes() + bytes_per_address() + bytes_per_subscriber_table());
  CHECK(planned(pool_text("", "100.64.0.0/20", "203.0.113.0/31")).memory_bytes() == one + bytes_per_address());
  CHECK(planned(pool_text("", "100.64.0.0/19", "203.0.113.1")).memory_bytes() == one + bytes_per_subscriber_table());
  CHECK(planned(pool_text("log = \"mappings\"\n", "100.64.0.0/24", "203.0.113.1")).memory_bytes() ==
        one + creation_bytes_per_address());
  CHECK(planned(pool_text("subscriber_prefix_length = 24\n", "100.64.0.0/12", "203.0.113.1")).memory_bytes() == one);
  CHECK(fixed_bytes() < 32u << 20);
}

TEST_CASE("the parameters are equal when what decides is equal, and only then", "[rfc7422][DET-9]") {
  const std::string second = "[[pool]]\nname = \"b\"\ninternal = [\"100.65.0.0/24\"]\nexternal = [\"198.51.100.1\"]\n";
  const Plan one = planned(pool_text("") + second);
  const Plan other_order = planned(second + pool_text(""));
  CHECK(one.parameters == other_order.parameters);
  CHECK(one.hash == other_order.hash);
  CHECK(one.hash.size() == 16);
  CHECK(one.parameters ==
        "pool a assignment=dynamic internal=100.64.0.0/24 external=203.0.113.0/28 ports=1024-65535 "
        "subscriber_prefix_length=32 port_layout=contiguous block_size=512 max_blocks=4; "
        "pool b assignment=dynamic internal=100.65.0.0/24 external=198.51.100.1 ports=1024-65535 "
        "subscriber_prefix_length=32 port_layout=contiguous block_size=512 max_blocks=4");
  // What a default says is the same said aloud; what nobody's ports depend on does not count.
  CHECK(planned(pool_text("block_size = 512\nlog = \"mappings\"\n") + second + "[timeouts]\nudp = 400\n").hash ==
        one.hash);
  CHECK(planned(pool_text("block_size = 1024\n") + second).hash != one.hash);
  CHECK(planned(pool_text("", "100.64.0.0/25") + second).hash != one.hash);
}
