// check_pools.cpp - each pool by itself: its name, its addresses, and whether its ports can be given out as asked.
#include <algorithm>
#include <bit>
#include <set>

#include "config/check_rules.h"
#include "config/demand.h"

namespace apnat {
namespace {

void check_name(const PoolConfig& pool, std::set<std::string_view>& seen, Complaints& complaints) {
  const Where where = at_or(pool.name_at, pool.where);
  auto is_name = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  if (pool.name.empty() || pool.name.size() > limits::kPoolName || !std::ranges::all_of(pool.name, is_name)) {
    complaints.add(where, fmt::format("name of a pool: write 1 to {} of a-z, 0-9, '_' and '-'", limits::kPoolName));
  } else if (!seen.insert(pool.name).second) {
    complaints.add(where, fmt::format("a second pool \"{}\"; every pool needs a name of its own", pool.name));
  }
}

// Addresses that are never a host's on the wire between two others.
bool is_special(const Prefix& prefix) {
  static const Prefix kSpecial[] = {Prefix(Ip4(0), 8), Prefix(Ip4(127u << 24), 8), Prefix(Ip4(224u << 24), 3)};
  return std::ranges::any_of(kSpecial, [&](const Prefix& special) { return special.overlaps(prefix); });
}

void check_prefixes(const PoolConfig& pool, Complaints& complaints) {
  if (pool.internal.empty()) complaints.add(pool.where, "internal is empty: nobody would be translated; name a prefix");
  if (pool.external.empty()) complaints.add(pool.where, "external is empty: there is no address to share; name one");
  for (const auto* prefixes : {&pool.internal, &pool.external}) {
    for (const PrefixAt& at : *prefixes) {
      if (!is_special(at.prefix)) continue;
      complaints.add(at.where,
                     fmt::format("{} holds addresses that are not for hosts (0/8, 127/8, 224/3); leave them out",
                                 at.prefix.text()));
    }
  }
  for (const PrefixAt& at : pool.internal) {
    if (at.prefix.length() <= pool.subscriber_prefix_length) continue;
    complaints.add(at.where,
                   fmt::format("internal {} is smaller than one subscriber; with subscriber_prefix_length {} "
                               "write a /{} or shorter",
                               at.prefix.text(), pool.subscriber_prefix_length, pool.subscriber_prefix_length));
  }
}

// Keys that mean nothing with this pool's assignment or layout: left in, they would deceive whoever reads the file.
void check_idle_keys(const PoolConfig& pool, Complaints& complaints) {
  struct Key {
    std::string_view name;
    bool written;
    Where where;
  };
  const Key dynamic_only[] = {
      {"block_size", pool.block_size.has_value(), pool.block_size_at},
      {"max_blocks", pool.max_blocks_at.line != 0, pool.max_blocks_at},
      {"first_block_reserve", pool.first_block_reserve != 0 || pool.first_block_reserve_at.line != 0,
       pool.first_block_reserve_at},
  };
  const bool deterministic = pool.assignment == ASSIGN_DETERMINISTIC;
  for (const Key& key : dynamic_only) {
    if (!key.written || pool.assignment == ASSIGN_DYNAMIC) continue;
    complaints.add(at_or(key.where, pool.where),
                   fmt::format("{} is for assignment = \"dynamic\"; take it out: {}", key.name,
                               deterministic ? "the division of ports by subscribers gives each its range"
                                             : "[[static_block]] gives each subscriber its range"));
  }
  if (pool.psid_offset_at.line && pool.port_layout != LAYOUT_PSID) {
    complaints.add(pool.psid_offset_at, "psid_offset is for port_layout = \"psid\"; take it out");
  }
}

void check_layout(const PoolConfig& pool, Complaints& complaints) {
  const Where where = at_or(pool.port_layout_at, pool.where);
  if (pool.assignment == ASSIGN_STATIC && pool.port_layout != LAYOUT_CONTIGUOUS) {
    complaints.add(where, "a static pool names its ports itself, as ranges; write port_layout = \"contiguous\"");
  }
  if (pool.assignment == ASSIGN_DETERMINISTIC && pool.port_layout == LAYOUT_PSID) {
    complaints.add(where,
                   "port sets are powers of two, a deterministic division is not; write assignment = \"dynamic\", or "
                   "port_layout = \"contiguous\" or \"scattered\"");
  }
}

// Every port set must be as large as the others: `ports` is whole stretches of 2^(16-a), one for each value of A.
void check_psid(const PoolConfig& pool, std::uint32_t block_size, Complaints& complaints) {
  const Where where = at_or(pool.psid_offset_at, pool.where);
  const int size_bits = std::countr_zero(block_size);
  if (pool.psid_offset > size_bits) {
    complaints.add(where,
                   fmt::format("psid_offset {} leaves no bits for ports: a block of {} has {}; write at most {}, "
                               "or a larger block_size",
                               pool.psid_offset, block_size, size_bits, size_bits));
    return;
  }
  if (pool.psid_offset == 0) return;
  const std::uint32_t stretch = 1u << (16 - pool.psid_offset);
  const std::uint32_t first = std::max<std::uint32_t>(pool.ports.first, stretch);
  const std::uint32_t end = pool.ports.last + 1u;
  if (first % stretch == 0 && end % stretch == 0 && first < end) return;
  const std::uint32_t up = (first + stretch - 1) / stretch * stretch;
  const std::uint32_t down = end / stretch * stretch;
  const std::string right = up < down ? fmt::format("write \"{}-{}\"", up, down - 1)
                                      : fmt::format("write \"{}-65535\" or a larger psid_offset", stretch);
  complaints.add(at_or(pool.ports_at, pool.where),
                 fmt::format("ports {} would make port sets of different sizes: with psid_offset {} they come in "
                             "stretches of {}, the first of which is nobody's (RFC 7597); {}",
                             pool.ports.text(), pool.psid_offset, stretch, right));
}

void check_dynamic(const PoolConfig& pool, Complaints& complaints) {
  const std::uint32_t size = pool.block_size.value_or(kDefaultBlockSize);
  const Where where = at_or(pool.block_size_at, pool.where);
  if (!check_number(complaints, where, "block_size", size, limits::kBlockSize)) return;
  if (!std::has_single_bit(size)) {
    complaints.add(where, fmt::format("block_size is {}; write a power of two such as {} or {}", size,
                                      std::bit_floor(size), std::bit_ceil(size)));
    return;
  }
  if (pool.port_layout == LAYOUT_PSID) check_psid(pool, size, complaints);
  const BlockNumbers blocks = usable_blocks(pool);
  if (blocks.count() == 0) {
    complaints.add(at_or(pool.ports_at, pool.where),
                   fmt::format("ports {} hold no whole block of {}; write a wider range, or a smaller block_size",
                               pool.ports.text(), size));
  } else if (pool.first_block_reserve >= blocks.count()) {
    complaints.add(at_or(pool.first_block_reserve_at, pool.where),
                   fmt::format("first_block_reserve is {}, and an address has {} blocks; write less",
                               pool.first_block_reserve, blocks.count()));
  }
}

void check_deterministic(const PoolConfig& pool, Complaints& complaints) {
  const std::uint64_t subscribers = subscriber_count(pool);
  const std::uint64_t addresses = external_count(pool);
  if (subscribers == 0 || addresses == 0) return;
  const std::uint64_t ratio = (subscribers + addresses - 1) / addresses;
  const std::uint64_t each = pool.ports.count() / ratio;
  if (each >= limits::kLeastPorts) return;
  const std::uint64_t most = pool.ports.count() / limits::kLeastPorts;
  const std::string right = most == 0
                                ? std::string("write a wider range of ports")
                                : fmt::format("give it {} addresses, or more ports", (subscribers + most - 1) / most);
  complaints.add(pool.where, fmt::format("{} subscribers on {} addresses leave {} ports each, and {} are the least; {}",
                                         subscribers, addresses, each, limits::kLeastPorts, right));
}

void check_pool(const PoolConfig& pool, Complaints& complaints) {
  if (!check_number(complaints, at_or(pool.subscriber_prefix_length_at, pool.where), "subscriber_prefix_length",
                    pool.subscriber_prefix_length, limits::kSubscriberPrefixLength) ||
      !check_number(complaints, at_or(pool.psid_offset_at, pool.where), "psid_offset", pool.psid_offset,
                    limits::kPsidOffset)) {
    return;
  }
  check_prefixes(pool, complaints);
  check_number(complaints, at_or(pool.max_blocks_at, pool.where), "max_blocks", pool.max_blocks, limits::kMaxBlocks);
  check_number(complaints, at_or(pool.max_new_mappings_per_second_at, pool.where), "max_new_mappings_per_second",
               pool.max_new_mappings_per_second, limits::kNewMappings);
  check_idle_keys(pool, complaints);
  check_layout(pool, complaints);
  if (pool.ports.first == 0) {
    complaints.add(at_or(pool.ports_at, pool.where), "ports begin at 0, which is no port; write 1 or, better, 1024");
    return;
  }
  if (pool.ports.first > pool.ports.last) {
    complaints.add(at_or(pool.ports_at, pool.where), "ports end before they begin");
    return;
  }
  if (pool.assignment == ASSIGN_DYNAMIC) check_dynamic(pool, complaints);
  if (pool.assignment == ASSIGN_DETERMINISTIC) check_deterministic(pool, complaints);
}

}  // namespace

void check_pools(const Config& config, Complaints& complaints) {
  if (config.pools.empty()) complaints.add({}, "no pool: there is nothing to translate; write at least one [[pool]]");
  if (config.pools.size() > MAX_POOLS) {
    complaints.add(config.pools[MAX_POOLS].where,
                   fmt::format("{} pools; there is room for {}", config.pools.size(), int{MAX_POOLS}));
  }
  std::set<std::string_view> names;
  for (const PoolConfig& pool : config.pools) {
    check_name(pool, names, complaints);
    check_pool(pool, complaints);
  }
}

}  // namespace apnat
