// epoch.cpp - an epoch's bytes, and the two directions of its rules.
#include "history/epoch.h"

#include <algorithm>

#include "history/varint.h"

namespace apnat {
namespace {

constexpr std::uint64_t kVersion = 1;

void write_row(VarintWriter& to, const struct pool& row) {
  for (std::uint32_t value :
       {std::uint32_t{row.assignment}, std::uint32_t{row.port_layout}, std::uint32_t{row.log},
        std::uint32_t{row.block_size_log2}, std::uint32_t{row.max_blocks}, std::uint32_t{row.subscriber_prefix_length},
        std::uint32_t{row.first_port_host}, std::uint32_t{row.last_port_host}, std::uint32_t{row.psid_offset},
        std::uint32_t{row.psid_length}, row.layout_key[0], row.layout_key[1], row.layout_key[2], row.layout_key[3]}) {
    to.number(value);
  }
}

void read_row(VarintReader& from, struct pool& row) {
  row.assignment = from.number_as<std::uint8_t>();
  row.port_layout = from.number_as<std::uint8_t>();
  row.log = from.number_as<std::uint8_t>();
  row.block_size_log2 = from.number_as<std::uint8_t>();
  row.max_blocks = from.number_as<std::uint8_t>();
  row.subscriber_prefix_length = from.number_as<std::uint8_t>();
  row.first_port_host = from.number_as<std::uint16_t>();
  row.last_port_host = from.number_as<std::uint16_t>();
  row.psid_offset = from.number_as<std::uint8_t>();
  row.psid_length = from.number_as<std::uint8_t>();
  for (auto& key : row.layout_key) key = from.number_as<std::uint32_t>();
}

void write_prefix(VarintWriter& to, const Prefix& prefix) {
  to.number(prefix.first().value());
  to.number(static_cast<std::uint64_t>(prefix.length()));
}

Prefix read_prefix(VarintReader& from) {
  const Ip4 first(from.number_as<std::uint32_t>());
  return {first, static_cast<int>(std::min<std::uint64_t>(from.number(), 32))};
}

// Sorted addresses as runs.
void write_addresses(VarintWriter& to, const std::vector<Ip4>& addresses) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> runs;
  for (Ip4 address : addresses) {
    if (!runs.empty() && runs.back().first + runs.back().second == address.value()) {
      ++runs.back().second;
    } else {
      runs.emplace_back(address.value(), 1);
    }
  }
  to.number(runs.size());
  for (const auto& [first, count] : runs) {
    to.number(first);
    to.number(count);
  }
}

std::vector<Ip4> read_addresses(VarintReader& from) {
  constexpr std::uint64_t kMost = 1 << 20;
  std::vector<Ip4> addresses;
  for (std::size_t i = from.count(); i > 0 && addresses.size() < kMost; --i) {
    const auto first = from.number_as<std::uint32_t>();
    const std::uint64_t count = std::min(from.number(), kMost);
    for (std::uint64_t n = 0; n < count; ++n) addresses.emplace_back(first + static_cast<std::uint32_t>(n));
  }
  return addresses;
}

void write_pool(VarintWriter& to, const PlannedPool& pool) {
  to.text(pool.name);
  write_row(to, pool.row);
  to.number(pool.ports.first);
  to.number(pool.ports.last);
  to.number(pool.deterministic_ratio);
  to.number(pool.internal.size());
  for (const Prefix& prefix : pool.internal) write_prefix(to, prefix);
  write_addresses(to, pool.external);
  to.number(pool.static_blocks.size());
  for (const PlannedBlock& block : pool.static_blocks) {
    write_prefix(to, block.subscriber);
    to.number(block.external_address.value());
    to.number(block.slots.first);
    to.number(block.slots.last);
  }
}

PlannedPool read_pool(VarintReader& from) {
  PlannedPool pool;
  pool.name = from.text();
  read_row(from, pool.row);
  pool.ports.first = from.number_as<std::uint16_t>();
  pool.ports.last = from.number_as<std::uint16_t>();
  pool.deterministic_ratio = from.number_as<std::uint32_t>();
  for (std::size_t i = from.count(); i > 0; --i) pool.internal.push_back(read_prefix(from));
  pool.external = read_addresses(from);
  for (std::size_t i = from.count(); i > 0; --i) {
    PlannedBlock block{.subscriber = read_prefix(from), .external_address = {}, .slots = {}};
    block.external_address = Ip4(from.number_as<std::uint32_t>());
    block.slots.first = from.number_as<std::uint16_t>();
    block.slots.last = from.number_as<std::uint16_t>();
    pool.static_blocks.push_back(block);
  }
  return pool;
}

RuledPorts ruled(const PlannedPool& pool, const PlannedBlock& block, RuledPorts::Rule rule) {
  return {.rule = rule,
          .pool = pool.name,
          .subscriber = block.subscriber,
          .external_address = block.external_address,
          .ports = ports_of_slots(pool.row, block.slots),
          .protocol = std::nullopt,
          .internal = std::nullopt};
}

RuledPorts ruled(const PlannedForward& forward) {
  return {.rule = RuledPorts::Rule::kForward,
          .pool = forward.pool,
          .subscriber = Prefix(forward.internal.address, 32),
          .external_address = forward.external.address,
          .ports = {{forward.external.port, forward.external.port}},
          .protocol = forward.protocol,
          .internal = forward.internal};
}

bool is_deterministic(const PlannedPool& pool) {
  return pool.row.assignment == ASSIGN_DETERMINISTIC && pool.deterministic_ratio > 0;
}

void add_deterministic_owners(const PlannedPool& pool, std::uint64_t address_index, std::optional<std::uint16_t> port,
                              std::vector<RuledPorts>& owners) {
  std::uint32_t first = 0;
  std::uint32_t end = pool.deterministic_ratio;
  if (port) {
    if (!pool.ports.contains(*port)) return;
    const auto n = deterministic_owner(pool.ports, pool.deterministic_ratio, slot_of_port(pool.row, *port));
    if (!n) return;
    first = *n;
    end = *n + 1;
  }
  for (std::uint64_t n = first; n < end; ++n) {
    const std::uint64_t subscriber = address_index * pool.deterministic_ratio + n;
    if (subscriber >= pool.subscriber_count()) return;
    owners.push_back(ruled(pool, pool.deterministic_block(subscriber), RuledPorts::Rule::kDeterministic));
  }
}

void add_pool_owners(const PlannedPool& pool, Ip4 address, std::optional<std::uint16_t> port,
                     std::vector<RuledPorts>& owners) {
  const auto at = std::ranges::lower_bound(pool.external, address);
  if (at == pool.external.end() || *at != address) return;
  if (is_deterministic(pool)) {
    add_deterministic_owners(pool, static_cast<std::uint64_t>(at - pool.external.begin()), port, owners);
  }
  for (const PlannedBlock& block : pool.static_blocks) {
    if (block.external_address != address) continue;
    if (port && (*port < block.slots.first || *port > block.slots.last)) continue;
    owners.push_back(ruled(pool, block, RuledPorts::Rule::kStaticBlock));
  }
}

void add_deterministic_places(const PlannedPool& pool, const Prefix& subscriber, std::vector<RuledPorts>& places) {
  const int shift = 32 - pool.row.subscriber_prefix_length;
  std::uint64_t before = 0;  // subscribers of the prefixes before
  for (const Prefix& prefix : pool.internal) {
    const std::uint64_t here = prefix.size() >> shift;
    if (prefix.overlaps(subscriber)) {
      const std::uint32_t low = std::max(prefix.first(), subscriber.first()).value() - prefix.first().value();
      const std::uint32_t high = std::min(prefix.last(), subscriber.last()).value() - prefix.first().value();
      for (std::uint64_t n = low >> shift; n <= high >> shift && n < here; ++n) {
        places.push_back(ruled(pool, pool.deterministic_block(before + n), RuledPorts::Rule::kDeterministic));
      }
    }
    before += here;
  }
}

}  // namespace

std::string encoded(const Epoch& epoch) {
  std::string bytes;
  VarintWriter to(bytes);
  to.number(kVersion);
  to.number(epoch.pools.size());
  for (const PlannedPool& pool : epoch.pools) write_pool(to, pool);
  to.number(epoch.forwards.size());
  for (const PlannedForward& forward : epoch.forwards) {
    to.text(forward.pool);
    for (std::uint32_t value :
         {std::uint32_t{forward.protocol}, forward.external.address.value(), std::uint32_t{forward.external.port},
          forward.internal.address.value(), std::uint32_t{forward.internal.port}}) {
      to.number(value);
    }
  }
  return bytes;
}

Result<Epoch> decode_epoch(std::string_view bytes) {
  Epoch epoch;
  VarintReader from(bytes);
  if (from.number() != kVersion) return fail("a configuration in the history is of a version that is not known");
  for (std::size_t i = from.count(); i > 0; --i) epoch.pools.push_back(read_pool(from));
  for (std::size_t i = from.count(); i > 0; --i) {
    PlannedForward forward;
    forward.pool = from.text();
    forward.protocol = from.number_as<std::uint8_t>();
    forward.external.address = Ip4(from.number_as<std::uint32_t>());
    forward.external.port = from.number_as<std::uint16_t>();
    forward.internal.address = Ip4(from.number_as<std::uint32_t>());
    forward.internal.port = from.number_as<std::uint16_t>();
    epoch.forwards.push_back(forward);
  }
  if (from.failed()) return fail("a configuration in the history is damaged");
  return epoch;
}

std::vector<RuledPorts> ruled_owners(const Epoch& epoch, Ip4 address, std::optional<std::uint16_t> port,
                                     std::optional<std::uint8_t> protocol) {
  std::vector<RuledPorts> owners;
  for (const PlannedForward& forward : epoch.forwards) {
    if (forward.external.address != address || (port && forward.external.port != *port)) continue;
    if (protocol && forward.protocol != *protocol) continue;
    owners.push_back(ruled(forward));
  }
  for (const PlannedPool& pool : epoch.pools) add_pool_owners(pool, address, port, owners);
  return owners;
}

std::vector<RuledPorts> ruled_places(const Epoch& epoch, const Prefix& subscriber) {
  std::vector<RuledPorts> places;
  for (const PlannedForward& forward : epoch.forwards) {
    if (subscriber.contains(forward.internal.address)) places.push_back(ruled(forward));
  }
  for (const PlannedPool& pool : epoch.pools) {
    if (is_deterministic(pool)) add_deterministic_places(pool, subscriber, places);
    for (const PlannedBlock& block : pool.static_blocks) {
      if (block.subscriber.overlaps(subscriber)) {
        places.push_back(ruled(pool, block, RuledPorts::Rule::kStaticBlock));
      }
    }
  }
  return places;
}

bool has_rules_for(const Epoch& epoch, Ip4 address) {
  return std::ranges::any_of(epoch.pools, [&](const PlannedPool& pool) {
    return pool.row.assignment != ASSIGN_DYNAMIC && std::ranges::binary_search(pool.external, address);
  });
}

}  // namespace apnat
