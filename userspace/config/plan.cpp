// plan.cpp - rows out of what the operator wrote.
#include "config/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <map>

#include "base/fingerprint.h"
#include "config/demand.h"
#include "config/parameters.h"

namespace apnat {
namespace {

constexpr std::uint32_t kEventIntervalSeconds = 1;

// A tick is 2^26 ns; a lifetime is never shorter than asked.
std::uint32_t ticks(std::uint32_t seconds) {
  const std::uint64_t ns = seconds * std::uint64_t{1'000'000'000};
  return static_cast<std::uint32_t>((ns + (std::uint64_t{1} << TICK_SHIFT) - 1) >> TICK_SHIFT);
}

bool any(const std::vector<PoolConfig>& pools, auto has) { return std::ranges::any_of(pools, has); }

enum ipv4_id_atomic atomic_of(AtomicId atomic) {
  switch (atomic) {
    case AtomicId::kKeep:
      return ATOMIC_ID_KEEP;
    case AtomicId::kZero:
      return ATOMIC_ID_ZERO;
    case AtomicId::kRandom:
      return ATOMIC_ID_RANDOM;
    case AtomicId::kLow4:
      return ATOMIC_ID_LOW4;
  }
  std::abort();  // the enum has no other value
}

enum ipv4_id_on_repeat on_repeat_of(OnIdRepeat on_repeat) {
  switch (on_repeat) {
    case OnIdRepeat::kCount:
      return ID_REPEAT_COUNT;
    case OnIdRepeat::kMakeAtomic:
      return ID_REPEAT_MAKE_ATOMIC;
    case OnIdRepeat::kDrop:
      return ID_REPEAT_DROP;
  }
  std::abort();  // the enum has no other value
}

struct options options_of(const Config& config) {
  struct options options{};
  options.psid_layout = any(config.pools, [](const PoolConfig& p) { return p.port_layout == LAYOUT_PSID; });
  options.scattered_layout = any(config.pools, [](const PoolConfig& p) { return p.port_layout == LAYOUT_SCATTERED; });
  options.hairpinning = any(config.pools, [](const PoolConfig& p) { return p.hairpinning; });
  options.mapping_log = any(config.pools, [](const PoolConfig& p) { return p.log != LOG_BLOCKS; });
  options.rate_limit = any(config.pools, [](const PoolConfig& p) { return p.max_new_mappings_per_second != 0; });
  options.forwards = 1;  // natctl may make one at any time
  options.proxy_arp = any(config.pools, [](const PoolConfig& p) { return p.proxy_arp; });
  options.udp_ticks = ticks(config.timeouts.udp);
  options.tcp_established_ticks = ticks(config.timeouts.tcp_established);
  options.tcp_transitory_ticks = ticks(config.timeouts.tcp_transitory);
  options.icmp_ticks = ticks(config.timeouts.icmp);
  options.event_interval_ticks = ticks(kEventIntervalSeconds);
  options.packet_too_big_floor = config.mtu.packet_too_big_floor;
  options.tcp_mss_clamp = config.mtu.tcp_mss_clamp;
  options.ipv4_id_atomic = static_cast<__u8>(atomic_of(config.ipv4_id.atomic));
  options.ipv4_id_on_repeat = static_cast<__u8>(on_repeat_of(config.ipv4_id.on_repeat));
  options.ipv4_id_ticks = ticks(config.ipv4_id.uniqueness_seconds);
  return options;
}

struct pool row_of(const PoolConfig& pool) {
  struct pool row{};
  row.assignment = static_cast<std::uint8_t>(pool.assignment);
  row.port_layout = static_cast<std::uint8_t>(pool.port_layout);
  row.log = static_cast<std::uint8_t>(pool.log);
  row.filtering = static_cast<std::uint8_t>(pool.filtering);
  row.flags = static_cast<std::uint8_t>((pool.hairpinning ? POOL_HAIRPINNING : 0) |
                                        (pool.continue_unlogged ? POOL_CONTINUE_UNLOGGED : 0) |
                                        (pool.proxy_arp ? POOL_PROXY_ARP : 0));
  row.max_blocks = 1;
  row.subscriber_prefix_length = static_cast<std::uint8_t>(pool.subscriber_prefix_length);
  row.first_port_host = pool.ports.first;
  row.last_port_host = pool.ports.last;
  row.max_new_mappings_per_second = pool.max_new_mappings_per_second;
  std::memcpy(row.name, pool.name.data(), std::min(pool.name.size(), sizeof(row.name) - 1));
  if (pool.assignment != ASSIGN_DYNAMIC) return row;

  const BlockNumbers blocks = usable_blocks(pool);
  assert(blocks.count() > 0);
  row.block_size_log2 = static_cast<std::uint8_t>(std::countr_zero(pool.block_size.value_or(kDefaultBlockSize)));
  row.max_blocks = static_cast<std::uint8_t>(pool.max_blocks);
  row.first_block = static_cast<std::uint16_t>(blocks.first);
  row.last_block = static_cast<std::uint16_t>(blocks.end - 1);
  row.first_block_reserve = static_cast<std::uint16_t>(pool.first_block_reserve);
  if (pool.port_layout == LAYOUT_PSID) {
    row.psid_offset = static_cast<std::uint8_t>(pool.psid_offset);
    row.psid_length = static_cast<std::uint8_t>(16 - row.block_size_log2);
  }
  return row;
}

PlannedPool planned(const PoolConfig& pool) {
  PlannedPool out;
  out.name = pool.name;
  out.row = row_of(pool);
  out.ports = pool.ports;
  for (const PrefixAt& at : pool.internal) out.internal.push_back(at.prefix);
  std::ranges::sort(out.internal);
  for (const PrefixAt& at : pool.external) {
    for (std::uint64_t i = 0; i < at.prefix.size(); ++i) {
      out.external.emplace_back(at.prefix.first().value() + static_cast<std::uint32_t>(i));
    }
  }
  std::ranges::sort(out.external);
  if (pool.assignment == ASSIGN_DETERMINISTIC) {
    const std::uint64_t addresses = out.external.size();
    out.deterministic_ratio = static_cast<std::uint32_t>((out.subscriber_count() + addresses - 1) / addresses);
  }
  return out;
}

void place_static_blocks(const Config& config, std::vector<PlannedPool>& pools) {
  std::map<std::pair<std::string, Prefix>, int> blocks_of;
  for (const StaticBlockConfig& block : config.static_blocks) {
    const auto pool = std::ranges::find(pools, block.pool, &PlannedPool::name);
    assert(pool != pools.end());
    // A static pool's layout is contiguous: slots are ports.
    pool->static_blocks.push_back({block.subscriber, block.external_address, {block.ports.first, block.ports.last}});
    const int count = ++blocks_of[{block.pool, block.subscriber}];
    pool->row.max_blocks = std::max(pool->row.max_blocks, static_cast<std::uint8_t>(count));
  }
  for (PlannedPool& pool : pools) {
    std::ranges::sort(pool.static_blocks, {},
                      [](const PlannedBlock& block) { return std::pair(block.subscriber, block.slots.first); });
  }
}

std::vector<PlannedInterface> interfaces_of(const InterfacesConfig& config) {
  std::vector<PlannedInterface> interfaces;
  auto named = [&](const std::string& name) -> PlannedInterface& {
    const auto found = std::ranges::find(interfaces, name, &PlannedInterface::name);
    return found != interfaces.end() ? *found : interfaces.emplace_back(PlannedInterface{.name = name});
  };
  for (const InterfaceName& interface : config.internal) named(interface.name).internal = true;
  for (const InterfaceName& interface : config.external) named(interface.name).external = true;
  return interfaces;
}

}  // namespace

std::uint64_t PlannedPool::subscriber_count() const {
  std::uint64_t count = 0;
  for (const Prefix& prefix : internal) count += prefix.size() >> (32 - row.subscriber_prefix_length);
  return count;
}

Prefix PlannedPool::subscriber(std::uint64_t n) const {
  const int shift = 32 - row.subscriber_prefix_length;
  for (const Prefix& prefix : internal) {
    const std::uint64_t here = prefix.size() >> shift;
    if (n < here) {
      return Prefix(Ip4(prefix.first().value() + static_cast<std::uint32_t>(n << shift)), row.subscriber_prefix_length);
    }
    n -= here;
  }
  assert(!"a subscriber the pool has");
  return {};
}

PlannedBlock PlannedPool::deterministic_block(std::uint64_t n) const {
  assert(deterministic_ratio > 0);
  const PortRange range =
      deterministic_range(ports, deterministic_ratio, static_cast<std::uint32_t>(n % deterministic_ratio));
  return {subscriber(n), external[n / deterministic_ratio], {range.first, range.last}};
}

std::uint64_t Plan::memory_bytes() const { return table_demand(config).memory_bytes(); }

Plan plan(const Config& config) {
  Plan plan;
  plan.config = config;
  plan.options = options_of(config);
  plan.interfaces = interfaces_of(config.interfaces);
  for (const PoolConfig& pool : config.pools) plan.pools.push_back(planned(pool));
  place_static_blocks(config, plan.pools);
  for (const ForwardConfig& forward : config.forwards) {
    plan.forwards.push_back({forward.pool, forward.protocol, forward.external, forward.internal});
  }
  plan.block_idle_ticks = ticks(config.timeouts.block_idle);
  plan.hold_down_ticks = ticks(config.timeouts.hold_down);
  plan.parameters = parameters_text(config);
  plan.hash = fingerprint(plan.parameters);
  plan.logging = logging_text(config);
  return plan;
}

}  // namespace apnat
