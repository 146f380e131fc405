// rows.h - the tables as memory: spans of rows, whoever owns them. The kernel's
// maps in the agent (tables.h), plain vectors in tests. No libbpf here.
//
// The rows are shared with programs that run at this moment: what both sides
// write is read and written through the atomic helpers below.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "apnat/options.h"
#include "apnat/tables.h"
#include "base/clock.h"
#include "net/address.h"

namespace apnat {

template <typename T>
T load(const T& field) {
  return std::atomic_ref<T>(const_cast<T&>(field)).load(std::memory_order_acquire);
}
template <typename T>
void store(T& field, std::type_identity_t<T> value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_release);
}
template <typename T>
bool exchange_if(T& field, std::type_identity_t<T> expected, std::type_identity_t<T> desired) {
  return std::atomic_ref<T>(field).compare_exchange_strong(expected, desired);
}

// A slot range is stored as one word: the program must never see half of it.
inline void store(slot_range& field, slot_range value) { __atomic_store(&field, &value, __ATOMIC_RELEASE); }

// One external address: its mappings, its blocks, and, where its pool logs mappings, when each was made.
struct AddressRows {
  std::span<mapping_set> mappings;
  std::span<port_block> blocks;
  std::span<creation_set> creations;

  bool present() const { return !mappings.empty(); }
  mapping& at(unsigned protocol_class, unsigned slot) const {
    return mappings[protocol_class * SETS_PER_CLASS + slot / SET_SLOTS].slot[slot % SET_SLOTS];
  }
  std::uint64_t created_at_ns(unsigned protocol_class, unsigned slot) const {
    if (creations.empty()) return 0;
    return load(creations[protocol_class * SETS_PER_CLASS + slot / SET_SLOTS].created_at_ns[slot % SET_SLOTS]);
  }
  void forget_creation(unsigned protocol_class, unsigned slot) const {
    if (creations.empty()) return;
    store(creations[protocol_class * SETS_PER_CLASS + slot / SET_SLOTS].created_at_ns[slot % SET_SLOTS], 0);
  }
};

struct Rows {
  std::span<struct pool> pools;
  std::span<pool_activity> activity;
  std::span<pool_address> pool_addresses;
  std::span<external_address> external_addresses;
  std::span<forward_set> forward_sets;
  std::span<ipv4_id_row> ipv4_ids;
  std::span<struct ipv4_id_laps> ipv4_id_laps;
  node_state* node = nullptr;
  std::vector<std::span<subscriber>> subscriber_tables;  // by table number; empty: not made
  std::vector<AddressRows> addresses;                    // by tables number

  subscriber* find_subscriber(std::uint32_t reference) const {
    const std::uint32_t table = reference / SUBSCRIBERS_PER_TABLE;
    if (table >= subscriber_tables.size() || subscriber_tables[table].empty()) return nullptr;
    return &subscriber_tables[table][reference % SUBSCRIBERS_PER_TABLE];
  }

  // The tables of an external row; nullptr: it has none.
  const AddressRows* find_address(const external_address& row) const {
    if (row.pool_plus_one == 0 || row.tables >= addresses.size() || !addresses[row.tables].present()) return nullptr;
    return &addresses[row.tables];
  }
};

// One instant in the units of the tables.
struct Moment {
  std::uint32_t ticks = 0;
  std::uint64_t tai_ns = 0;
  std::chrono::seconds tai_offset{0};

  static Moment of(const Clock& clock) {
    return {.ticks = static_cast<std::uint32_t>(clock.monotonic_ns() >> TICK_SHIFT),
            .tai_ns = clock.to_tai(clock.realtime()),
            .tai_offset = clock.tai_offset()};
  }
  WallTime wall(std::uint64_t tai) const {
    return WallTime(std::chrono::nanoseconds(static_cast<std::int64_t>(tai)) - tai_offset);
  }
};

constexpr std::uint32_t ticks_of(std::chrono::nanoseconds duration) {
  return static_cast<std::uint32_t>((static_cast<std::uint64_t>(duration.count()) + (1ULL << TICK_SHIFT) - 1) >>
                                    TICK_SHIFT);
}

// Ticks since `then`; a time just written by a program may lie a little ahead of ours.
constexpr std::int64_t ticks_since(std::uint32_t then, std::uint32_t now) {
  return static_cast<std::int32_t>(now - then);
}

inline Prefix subscriber_prefix(const struct pool& pool, Ip4 address) {
  const int length = pool.subscriber_prefix_length == 0 ? 32 : pool.subscriber_prefix_length;
  return Prefix(Ip4(address.value() & (~std::uint32_t{0} << (32 - length))), length);
}

inline std::string name_of(const struct pool& pool) {
  return std::string(pool.name, strnlen(pool.name, sizeof(pool.name)));
}

}  // namespace apnat
