// placement.cpp - first fit, next to what is there.
#include "datapath/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/fingerprint.h"

namespace apnat {
namespace {

constexpr std::uint32_t kPoolAddressRows = 2 * MAX_EXTERNAL_TABLES;

// Numbers 0 .. count - 1; gives out aligned runs of what nobody has.
class Space {
 public:
  explicit Space(std::uint32_t count) : taken_(count) {}

  void take(std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t n = first; n < first + count && n < taken_.size(); ++n) taken_[n] = true;
  }

  std::optional<std::uint32_t> give(std::uint32_t count, std::uint32_t alignment) {
    if (count == 0) return 0;
    if (auto found = give_between(next_, taken_.size(), count, alignment)) return found;
    return give_between(0, taken_.size(), count, alignment);
  }

 private:
  std::optional<std::uint32_t> give_between(std::uint64_t from, std::uint64_t end, std::uint32_t count,
                                            std::uint32_t alignment) {
    for (std::uint64_t n = (from + alignment - 1) / alignment * alignment; n + count <= end; n += alignment) {
      if (std::find(taken_.begin() + n, taken_.begin() + n + count, true) != taken_.begin() + n + count) continue;
      take(static_cast<std::uint32_t>(n), count);
      next_ = n + count;
      return static_cast<std::uint32_t>(n);
    }
    return std::nullopt;
  }

  std::vector<bool> taken_;
  std::uint64_t next_ = 0;
};

class Placer {
 public:
  Placer(const Plan& plan, const Holding& held) : plan_(plan), held_(held) {}

  Result<Placement> place(const std::vector<Ip4>& local) {
    take_what_is_held();
    for (const PlannedPool& pool : plan_.pools) {
      placement_.pools.push_back(TRY(place_pool(pool)));
      TRY_VOID(place_subscribers(pool));
    }
    for (Ip4 address : local) (void)TRY(external_row(address));
    TRY_VOID(check_pages());
    return std::move(placement_);
  }

 private:
  void take_what_is_held() {
    for (const auto& [number, chunk] : held_.directory[REALM_INTERNAL]) subscribers_.take(chunk.base, chunk.rows());
    for (const auto& [number, chunk] : held_.directory[REALM_EXTERNAL]) {
      external_rows_.take(chunk.base, chunk.rows());
      for (const external_address& row : held_.rows.external_addresses.subspan(chunk.base, chunk.rows())) {
        if (row.pool_plus_one != 0) tables_.take(row.tables, 1);
      }
    }
    for (std::uint32_t n = 0; n < held_.rows.addresses.size(); ++n) {
      if (held_.rows.addresses[n].present()) tables_.take(n, 1);
    }
    for (std::uint32_t index = 0; index < held_.rows.pools.size(); ++index) {
      const struct pool& pool = held_.rows.pools[index];
      if (pool.name[0] == 0) continue;
      pools_.take(index, 1);
      pool_addresses_.take(pool.address_first, pool.address_count);
    }
  }

  std::optional<std::uint32_t> held_pool(const std::string& name) const {
    for (std::uint32_t index = 0; index < held_.rows.pools.size(); ++index) {
      if (name_of(held_.rows.pools[index]) == name) return index;
    }
    return std::nullopt;
  }

  Result<PlacedPool> place_pool(const PlannedPool& pool) {
    PlacedPool placed;
    const auto held = held_pool(pool.name);
    placed.kept = held && same_shape(held_.rows.pools[*held], pool.row);
    const auto index = placed.kept ? held : pools_.give(1, 1);
    if (!index) return fail(fmt::format("pool {}: the tables have room for {} pools", pool.name, +MAX_POOLS));
    placed.index = *index;
    for (Ip4 address : pool.external) placed.addresses.push_back(TRY(place_address(address, placed)));
    placed.address_first = TRY(place_run(pool, placed));
    return placed;
  }

  Result<PlacedAddress> place_address(Ip4 address, const PlacedPool& pool) {
    PlacedAddress placed{.address = address, .row = TRY(external_row(address))};
    const external_address& row = held_.rows.external_addresses[placed.row];
    placed.kept = pool.kept && row.pool_plus_one == pool.index + 1 && row.address == address.network() &&
                  held_.rows.find_address(row) != nullptr;
    const auto number = placed.kept ? std::optional<std::uint32_t>(row.tables) : tables_.give(1, 1);
    if (!number) {
      return fail(fmt::format("external address {}: the tables have room for {} addresses", address.text(),
                              +MAX_EXTERNAL_TABLES));
    }
    placed.tables = *number;
    return placed;
  }

  // The pool's run in pool_addresses: the one it has, if nothing in it changes.
  Result<std::uint32_t> place_run(const PlannedPool& pool, const PlacedPool& placed) {
    const auto count = static_cast<std::uint32_t>(placed.addresses.size());
    if (placed.kept) {
      const struct pool& row = held_.rows.pools[placed.index];
      const auto run = held_.rows.pool_addresses.subspan(row.address_first, row.address_count);
      if (std::ranges::equal(run, placed.addresses, {}, &pool_address::external_row, &PlacedAddress::row)) {
        return row.address_first;
      }
    }
    const auto first = pool_addresses_.give(count, 1);
    if (!first) {
      return fail(
          fmt::format("pool {}: its {} external addresses and those in use now are too many for one change; "
                      "remove some first",
                      pool.name, count));
    }
    return *first;
  }

  Result<std::uint32_t> external_row(Ip4 address) {
    const Chunk chunk = TRY(place_chunk(REALM_EXTERNAL, chunk_number(address), 0, external_rows_));
    return chunk.base + (address.value() & (ADDRESSES_PER_CHUNK - 1));
  }

  Result<void> place_subscribers(const PlannedPool& pool) {
    const unsigned shift = 32U - pool.row.subscriber_prefix_length;
    for (const Prefix& prefix : pool.internal) {
      for (std::uint32_t n = chunk_number(prefix.first()); n <= chunk_number(prefix.last()); ++n) {
        const Chunk chunk = TRY(place_chunk(REALM_INTERNAL, n, shift, subscribers_));
        if (chunk.shift == shift) continue;
        return fail(fmt::format("pool {}: {}/24 is shared with a pool of another subscriber_prefix_length", pool.name,
                                Ip4(n << 8).text()));
      }
    }
    return {};
  }

  Result<Chunk> place_chunk(enum realm realm, std::uint32_t number, unsigned shift, Space& space) {
    Chunks& placed = placement_.directory[realm];
    if (const auto found = placed.find(number); found != placed.end()) return found->second;
    const Chunks& held = held_.directory[realm];
    if (const auto found = held.find(number); found != held.end() && found->second.shift == shift) {
      return placed[number] = found->second;
    }
    Chunk chunk{.shift = shift};
    const auto base = space.give(chunk.rows(), chunk.rows());
    if (!base) {
      return fail(fmt::format("no room in the tables for {}/24 ({} realm)", Ip4(number << 8).text(),
                              realm == REALM_INTERNAL ? "internal" : "external"));
    }
    chunk.base = *base;
    return placed[number] = chunk;
  }

  // A directory page serves a /16. Old and new ones are there together for a moment.
  Result<void> check_pages() const {
    std::set<std::uint32_t> pages;
    for (std::uint32_t realm : {REALM_INTERNAL, REALM_EXTERNAL}) {
      for (const Directory* directory : {&placement_.directory, &held_.directory}) {
        for (const auto& [number, chunk] : (*directory)[realm]) pages.insert(realm << 16 | number >> 8);
      }
    }
    if (pages.size() < MAX_CHUNK_PAGES) return {};
    return fail(fmt::format("the addresses lie in {} different /16s; the tables have room for {}", pages.size(),
                            MAX_CHUNK_PAGES - 1));
  }

  const Plan& plan_;
  const Holding& held_;
  Placement placement_;
  Space subscribers_{SUBSCRIBERS_PER_TABLE * MAX_SUBSCRIBER_TABLES};
  Space external_rows_{MAX_EXTERNAL_ROWS};
  Space tables_{MAX_EXTERNAL_TABLES};
  Space pools_{MAX_POOLS};
  Space pool_addresses_{kPoolAddressRows};
};

// A mixer of 64 bits (the finaliser of splitmix64).
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
  return x ^ x >> 31;
}

}  // namespace

bool same_shape(const struct pool& one, const struct pool& other) {
  if (one.assignment != other.assignment || one.port_layout != other.port_layout) return false;
  if (one.subscriber_prefix_length != other.subscriber_prefix_length) return false;
  const bool blocks_matter = one.assignment == ASSIGN_DYNAMIC || one.port_layout == LAYOUT_PSID;
  if (blocks_matter && one.block_size_log2 != other.block_size_log2) return false;
  return one.port_layout != LAYOUT_PSID ||
         (one.psid_offset == other.psid_offset && one.psid_length == other.psid_length);
}

Result<Placement> place(const Plan& plan, const Holding& held, const std::vector<Ip4>& local) {
  return Placer(plan, held).place(local);
}

void derive_layout_key(const node_state& node, const std::string& name, __u32 (&key)[4]) {
  std::uint64_t hash = fnv1a(name);
  for (unsigned i = 0; i < 4; ++i) {
    hash = mix(hash ^ node.secret[i]) + i;
    key[i] = static_cast<__u32>(hash >> 32);
  }
}

struct pool pool_row(const PlannedPool& planned, const PlacedPool& placed, const node_state& node) {
  struct pool row = planned.row;
  row.address_first = placed.address_first;
  row.address_count = static_cast<__u32>(placed.addresses.size());
  derive_layout_key(node, planned.name, row.layout_key);
  std::memset(row.name, 0, sizeof(row.name));
  planned.name.copy(row.name, sizeof(row.name) - 1);
  return row;
}

subscriber subscriber_row(const PlannedPool& planned, const PlacedPool& placed,
                          const std::vector<PlannedBlock>& fixed) {
  subscriber row{};
  row.pool_plus_one = static_cast<__u16>(placed.index + 1);
  if (planned.row.assignment == ASSIGN_DYNAMIC) return row;
  row.flags = SUBSCRIBER_FIXED_BLOCKS;
  for (std::size_t b = 0; b < fixed.size() && b < MAX_SUBSCRIBER_BLOCKS; ++b) {
    const auto at = std::ranges::find(placed.addresses, fixed[b].external_address, &PlacedAddress::address);
    if (at == placed.addresses.end()) continue;
    row.external_row_plus_one = at->row + 1;
    row.external_address = at->address.network();
    row.tables = static_cast<__u16>(at->tables);
    row.block[b] = fixed[b].slots;
  }
  return row;
}

void for_each_subscriber(const PlannedPool& pool,
                         const std::function<void(const Prefix&, const std::vector<PlannedBlock>&)>& each) {
  std::map<Prefix, std::vector<PlannedBlock>> fixed;
  for (const PlannedBlock& block : pool.static_blocks) fixed[block.subscriber].push_back(block);
  const bool deterministic = pool.row.assignment == ASSIGN_DETERMINISTIC;
  const std::uint64_t count = pool.subscriber_count();
  std::vector<PlannedBlock> blocks;
  for (std::uint64_t n = 0; n < count; ++n) {
    const Prefix prefix = pool.subscriber(n);
    blocks.clear();
    if (deterministic) {
      blocks.push_back(pool.deterministic_block(n));
    } else if (const auto found = fixed.find(prefix); found != fixed.end()) {
      blocks = found->second;
    }
    each(prefix, blocks);
  }
}

}  // namespace apnat
