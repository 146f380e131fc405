// The configurations that are shipped are ones the agent takes, and the full one says the defaults.
#include <set>

#include "config/plan.h"
#include "config_text.h"

using namespace apnat;

namespace {

std::filesystem::path deploy() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path() / "deploy";
}

}  // namespace

TEST_CASE("every configuration under deploy/ is read, checked and planned") {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(deploy())) {
    if (entry.path().extension() != ".toml") continue;
    INFO(entry.path());
    names.insert(entry.path().stem());
    const auto config = read_config(entry.path());
    INFO((config ? "" : config.error().text));
    REQUIRE(config);
    const auto fine = check(*config);
    INFO((fine ? "" : fine.error().text));
    REQUIRE(fine);
    const Plan made = plan(*config);
    CHECK(made.pools.size() == config->pools.size());
    for (const PlannedPool& pool : made.pools) {
      if (pool.deterministic_ratio) CHECK(pool.deterministic_block(pool.subscriber_count() - 1).slots.last > 0);
    }
  }
  CHECK(names ==
        std::set<std::string>{"apnatd", "deterministic", "nat44", "one-armed", "psid", "static-a-plus-p", "vlan"});
}

TEST_CASE("the commented configuration shows the defaults") {
  const auto full = read_config(deploy() / "apnatd.toml");
  REQUIRE(full);
  const Config short_one = config_of(kInterfaces +
                                     "[[pool]]\nname = \"residential\"\ninternal = [\"100.64.0.0/16\"]\n"
                                     "external = [\"203.0.113.0/26\"]\n");
  const PoolConfig& said = full->pools.at(0);
  const PoolConfig& meant = short_one.pools.at(0);
  CHECK(said.assignment == meant.assignment);
  CHECK(said.ports == meant.ports);
  CHECK(said.block_size == 512u);
  CHECK(said.max_blocks == meant.max_blocks);
  CHECK(said.first_block_reserve == meant.first_block_reserve);
  CHECK(said.max_new_mappings_per_second == meant.max_new_mappings_per_second);
  CHECK(said.subscriber_prefix_length == meant.subscriber_prefix_length);
  CHECK(said.port_layout == meant.port_layout);
  CHECK(said.hairpinning == meant.hairpinning);
  CHECK(said.log == meant.log);
  CHECK(said.continue_unlogged == meant.continue_unlogged);
  CHECK(said.proxy_arp == meant.proxy_arp);
  CHECK(full->paths.socket == short_one.paths.socket);
  CHECK(full->paths.bpffs == short_one.paths.bpffs);
  CHECK(full->paths.state == short_one.paths.state);
  CHECK(full->timeouts.udp == short_one.timeouts.udp);
  CHECK(full->timeouts.tcp_established == short_one.timeouts.tcp_established);
  CHECK(full->timeouts.tcp_transitory == short_one.timeouts.tcp_transitory);
  CHECK(full->timeouts.icmp == short_one.timeouts.icmp);
  CHECK(full->timeouts.block_idle == short_one.timeouts.block_idle);
  CHECK(full->timeouts.hold_down == short_one.timeouts.hold_down);
  CHECK(full->ipv4_id.atomic == short_one.ipv4_id.atomic);
  CHECK(full->ipv4_id.on_repeat == short_one.ipv4_id.on_repeat);
  CHECK(full->ipv4_id.uniqueness_seconds == short_one.ipv4_id.uniqueness_seconds);
  CHECK(full->fragments.timeout == short_one.fragments.timeout);
  CHECK(full->fragments.memory == short_one.fragments.memory);
  CHECK(full->fragments.per_source == short_one.fragments.per_source);
  CHECK(full->fragments.overlap == short_one.fragments.overlap);
  CHECK(full->mtu.tcp_mss_clamp == short_one.mtu.tcp_mss_clamp);
  CHECK(full->mtu.packet_too_big_floor == short_one.mtu.packet_too_big_floor);
}
