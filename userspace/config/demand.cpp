// demand.cpp - counting addresses, blocks, rows and bytes.
#include "config/demand.h"

#include <algorithm>
#include <bit>
#include <set>
#include <vector>

namespace apnat {
namespace {

constexpr std::uint32_t kPages = 65536;  // /16s there are

int shift_of(const PoolConfig& pool) { return 32 - std::clamp(pool.subscriber_prefix_length, 24, 32); }

// The /16s and /24s that prefixes of one realm touch. Prefixes as long as a /24 or shorter do not share one.
class Touched {
 public:
  // Returns how many /24s are new.
  std::uint64_t add(const Prefix& prefix) {
    for (std::uint32_t page = prefix.first().value() >> 16; page <= prefix.last().value() >> 16; ++page) {
      pages_[page] = true;
    }
    if (prefix.length() <= 24) return prefix.size() / ADDRESSES_PER_CHUNK;
    return shared_.insert(prefix.first().value() >> 8).second ? 1 : 0;
  }
  std::uint64_t pages() const { return static_cast<std::uint64_t>(std::ranges::count(pages_, true)); }

 private:
  std::vector<bool> pages_ = std::vector<bool>(kPages);
  std::set<std::uint32_t> shared_;
};

}  // namespace

BlockNumbers usable_blocks(const PoolConfig& pool) {
  const std::uint32_t size = pool.block_size.value_or(kDefaultBlockSize);
  const bool spread = pool.port_layout == LAYOUT_SCATTERED || (pool.port_layout == LAYOUT_PSID && pool.psid_offset > 0);
  if (spread) return {0, SLOTS_PER_CLASS / size};
  return {(pool.ports.first + size - 1) / size, (pool.ports.last + 1u) / size};
}

std::uint64_t subscriber_count(const PoolConfig& pool) {
  std::uint64_t count = 0;
  for (const PrefixAt& at : pool.internal) count += at.prefix.size() >> shift_of(pool);
  return count;
}

std::uint64_t external_count(const PoolConfig& pool) {
  std::uint64_t count = 0;
  for (const PrefixAt& at : pool.external) count += at.prefix.size();
  return count;
}

TableDemand table_demand(const Config& config) {
  TableDemand demand;
  Touched internal;
  Touched external;
  for (const PoolConfig& pool : config.pools) {
    const std::uint64_t addresses = external_count(pool);
    demand.external_addresses += addresses;
    if (pool.log != LOG_BLOCKS) demand.logged_addresses += addresses;
    for (const PrefixAt& at : pool.external) demand.external_chunks += external.add(at.prefix);
    for (const PrefixAt& at : pool.internal) {
      demand.subscriber_rows += internal.add(at.prefix) * (ADDRESSES_PER_CHUNK >> shift_of(pool));
    }
  }
  demand.pages = internal.pages() + external.pages();
  return demand;
}

std::uint64_t bytes_per_address() {
  return SETS_PER_ADDRESS * sizeof(struct mapping_set) + BLOCKS_PER_ADDRESS * sizeof(struct port_block);
}

std::uint64_t creation_bytes_per_address() { return SETS_PER_ADDRESS * sizeof(struct creation_set); }

std::uint64_t bytes_per_subscriber_table() { return SUBSCRIBERS_PER_TABLE * sizeof(struct subscriber); }

std::uint64_t fixed_bytes() {
  return DIRECTORY_ROOTS * sizeof(struct directory_root) +
         std::uint64_t{MAX_CHUNK_PAGES} * CHUNKS_PER_PAGE * sizeof(struct directory_chunk) +
         MAX_EXTERNAL_ROWS * sizeof(struct external_address) + MAX_EXTERNAL_TABLES * sizeof(struct pool_address) +
         MAX_POOLS * (sizeof(struct pool) + sizeof(struct pool_activity)) + FORWARD_SETS * sizeof(struct forward_set) +
         MAX_IFINDEX * sizeof(struct interface) +
         std::uint64_t{MAX_VLAN_TABLES} * VLANS_PER_TABLE * sizeof(struct vlan_member) + sizeof(struct node_state) +
         EVENT_RING_BYTES;
}

std::uint64_t TableDemand::memory_bytes() const {
  const std::uint64_t subscriber_tables = (subscriber_rows + SUBSCRIBERS_PER_TABLE - 1) / SUBSCRIBERS_PER_TABLE;
  return external_addresses * bytes_per_address() + logged_addresses * creation_bytes_per_address() +
         subscriber_tables * bytes_per_subscriber_table() + fixed_bytes();
}

}  // namespace apnat
