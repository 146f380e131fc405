#include "support/world.h"

#include <map>

#include "net/address.h"

namespace apnat::test {
namespace {

std::uint32_t ticks(std::uint32_t seconds) {
  return static_cast<std::uint32_t>((std::uint64_t{seconds} * 1'000'000'000 >> TICK_SHIFT) + 1);
}

constexpr std::uint32_t kNever = 1u << 30;  // ticks; differences of ticks are signed

Prefix prefix(const std::string& text) { return *Prefix::parse(text); }

// Gives out rows and pages, from 1 up; page 0 stays empty.
struct Placement {
  World& world;
  std::map<std::uint32_t, struct directory_root> roots;  // by index
  std::uint32_t next_page = 1;
  std::uint32_t next_subscriber = 0;
  std::uint32_t next_external_row = 0;
  std::uint32_t next_tables = 0;
  std::uint32_t next_pool_address = 0;
  std::map<std::uint64_t, struct directory_chunk> chunks;

  struct directory_chunk& chunk(enum realm realm, std::uint32_t address, std::uint32_t rows, std::uint32_t& next_row) {
    const std::uint32_t root_index = realm * (DIRECTORY_ROOTS / 2) + (address >> 21);
    struct directory_root& root = roots[root_index];
    std::uint16_t& page = root.chunk_page[address >> 16 & (ROOT_PAGES - 1)];
    if (page == 0) page = static_cast<std::uint16_t>(next_page++);
    world.put_root(root_index, root);
    const std::uint32_t index = page * CHUNKS_PER_PAGE + (address >> 8 & 255);
    auto& row = chunks[index];
    if (row.row_plus_one == 0) {
      row.row_plus_one = next_row + 1;
      next_row += rows;
    }
    return row;
  }

  void put_chunk(enum realm realm, std::uint32_t address, const struct directory_chunk& row) {
    const std::uint32_t root_index = realm * (DIRECTORY_ROOTS / 2) + (address >> 21);
    world.put_chunk(
        roots[root_index].chunk_page[address >> 16 & (ROOT_PAGES - 1)] * CHUNKS_PER_PAGE + (address >> 8 & 255), row);
  }

  struct external_address& external(Ip4 address) {
    auto& row = chunk(REALM_EXTERNAL, address.value(), ADDRESSES_PER_CHUNK, next_external_row);
    put_chunk(REALM_EXTERNAL, address.value(), row);
    return world.external_address(row.row_plus_one - 1 + (address.value() & 255));
  }

  std::uint32_t external_row(Ip4 address) {
    return chunk(REALM_EXTERNAL, address.value(), ADDRESSES_PER_CHUNK, next_external_row).row_plus_one - 1 +
           (address.value() & 255);
  }

  // The reference of the subscriber at `address`.
  std::uint32_t subscriber(Ip4 address, int prefix_length) {
    const auto shift = static_cast<std::uint8_t>(32 - prefix_length);
    auto& row = chunk(REALM_INTERNAL, address.value(), 256u >> shift, next_subscriber);
    row.shift = shift;
    put_chunk(REALM_INTERNAL, address.value(), row);
    return row.row_plus_one - 1 + ((address.value() & 255) >> shift);
  }
};

void set_usable_blocks(struct pool& row, const PoolSpec& spec) {
  row.block_size_log2 = static_cast<std::uint8_t>(__builtin_ctz(spec.block_size));
  const std::uint32_t blocks = 65536 / spec.block_size;
  row.first_block = 0;
  row.last_block = static_cast<std::uint16_t>(blocks - 1);
  if (spec.layout == LAYOUT_CONTIGUOUS) {
    row.first_block = static_cast<std::uint16_t>((spec.first_port + spec.block_size - 1) / spec.block_size);
    row.last_block = static_cast<std::uint16_t>((spec.last_port + 1u) / spec.block_size - 1);
  }
}

void place_pool(Placement& placement, std::uint32_t index, const PoolSpec& spec) {
  struct pool& row = placement.world.pool(index);
  row = {};
  row.assignment = spec.assignment;
  row.port_layout = spec.layout;
  row.log = spec.log;
  row.flags = spec.flags;
  row.max_blocks = spec.max_blocks;
  row.subscriber_prefix_length = static_cast<std::uint8_t>(spec.subscriber_prefix_length);
  row.first_port_host = spec.first_port;
  row.last_port_host = spec.last_port;
  row.psid_offset = spec.psid_offset;
  row.psid_length = static_cast<std::uint8_t>(16 - __builtin_ctz(spec.block_size));
  row.first_block_reserve = spec.first_block_reserve;
  row.max_new_mappings_per_second = spec.max_new_mappings_per_second;
  for (std::uint32_t i = 0; i < 4; ++i) row.layout_key[i] = 0x9e3779b1u * (index + i + 1);
  set_usable_blocks(row, spec);
  row.address_first = placement.next_pool_address;

  const Prefix external = prefix(spec.external);
  for (std::uint64_t i = 0; i < external.size(); ++i) {
    const Ip4 address(external.first().value() + static_cast<std::uint32_t>(i));
    struct external_address& address_row = placement.external(address);
    address_row = {};
    address_row.address = address.network();
    address_row.pool_plus_one = static_cast<std::uint16_t>(index + 1);
    address_row.flags = static_cast<std::uint16_t>(ADDRESS_POOL | (spec.local ? ADDRESS_LOCAL : 0));
    address_row.tables = placement.next_tables++;
    placement.world.pool_address(placement.next_pool_address++).external_row = placement.external_row(address);
    ++row.address_count;
  }
  const Prefix internal = prefix(spec.internal);
  const std::uint64_t step = std::uint64_t{1} << (32 - spec.subscriber_prefix_length);
  for (std::uint64_t i = 0; i < internal.size(); i += step) {
    const Ip4 address(internal.first().value() + static_cast<std::uint32_t>(i));
    struct subscriber& subscriber =
        placement.world.subscriber(placement.subscriber(address, spec.subscriber_prefix_length));
    subscriber = {};
    subscriber.pool_plus_one = static_cast<std::uint16_t>(index + 1);
    if (spec.assignment != ASSIGN_DYNAMIC) subscriber.flags = SUBSCRIBER_FIXED_BLOCKS;
  }
  for (const auto& fixed : spec.fixed) {
    struct subscriber& subscriber =
        placement.world.subscriber(placement.subscriber(*Ip4::parse(fixed.subscriber), spec.subscriber_prefix_length));
    const std::uint32_t external_row = placement.external_row(external.first());
    subscriber.external_row_plus_one = external_row + 1;
    subscriber.external_address = external.first().network();
    subscriber.tables = static_cast<std::uint16_t>(placement.world.external_address(external_row).tables);
    for (auto& block : subscriber.block) {
      if (block.last != 0) continue;
      block = {fixed.first, fixed.last};
      break;
    }
  }
}

void place_interface(World& world, std::uint32_t ifindex, std::uint8_t role) {
  struct interface row{};
  row.flags = static_cast<std::uint8_t>(role | INTERFACE_EGRESS);
  row.redirect_ifindex = ifindex;
  row.mac[0] = 0x0002;
  row.mac[2] = static_cast<std::uint16_t>(ifindex << 8);
  world.put_interface(ifindex, row);
}

}  // namespace

struct options options_for(const NatSpec& spec) {
  struct options options{};
  options.forwards = spec.forwards;
  options.proxy_arp = spec.proxy_arp;
  options.vlans = spec.vlans;
  for (const auto& pool : spec.pools) {
    options.psid_layout |= pool.layout == LAYOUT_PSID;
    options.scattered_layout |= pool.layout == LAYOUT_SCATTERED;
    options.hairpinning |= (pool.flags & POOL_HAIRPINNING) != 0;
    options.mapping_log |= pool.log != LOG_BLOCKS;
    options.rate_limit |= pool.max_new_mappings_per_second != 0;
  }
  options.udp_ticks = spec.timeless ? kNever : ticks(300);
  options.tcp_established_ticks = spec.timeless ? kNever : ticks(7440);
  options.tcp_transitory_ticks = spec.timeless ? kNever : ticks(240);
  options.icmp_ticks = spec.timeless ? kNever : ticks(60);
  options.event_interval_ticks = spec.timeless ? kNever : ticks(1);
  options.packet_too_big_floor = 576;
  options.tcp_mss_clamp = spec.tcp_mss_clamp;
  options.ipv4_id_atomic = spec.ipv4_id_atomic;
  options.ipv4_id_on_repeat = spec.ipv4_id_on_repeat;
  options.ipv4_id_ticks = spec.timeless ? kNever : ticks(120);
  options.slow_path = spec.slow_path;
  for (std::uint32_t i = 0; i < 4; ++i) options.secret[i] = 0x9e3779b97f4a7c15ull * (i + 1);
  return options;
}

void lay_out(World& world, const NatSpec& spec) {
  Placement placement{world, {}, 1, 0, 0, 0, 0, {}};
  world.node().next_seq = 1;
  world.node().abi_version = APNAT_ABI_VERSION;
  for (std::uint32_t i = 0; i < spec.pools.size(); ++i) place_pool(placement, i, spec.pools[i]);
  for (const auto& text : spec.gateway_addresses) {
    const Ip4 address = *Ip4::parse(text);
    struct external_address& row = placement.external(address);
    row.address = address.network();
    row.flags |= ADDRESS_LOCAL;
  }
  const std::uint8_t internal = INTERFACE_INTERNAL, external = INTERFACE_EXTERNAL;
  const std::uint8_t both = internal | external;
  place_interface(world, world.inside_ifindex(), spec.one_armed ? both : internal);
  place_interface(world, world.outside_ifindex(), spec.one_armed ? both : external);
}

}  // namespace apnat::test
