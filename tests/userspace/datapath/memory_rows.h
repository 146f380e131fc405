// memory_rows.h - tables of plain memory for tests without a kernel: one pool on
// one external address, and subscribers with blocks as a program would give them.
#pragma once

#include <cstring>
#include <vector>

#include "datapath/endings.h"
#include "datapath/rows.h"

namespace apnat::test {

constexpr std::uint32_t kTestNow = 1'000'000;

class MemoryRows {
 public:
  static constexpr std::uint32_t kExternalRow = 7;

  explicit MemoryRows(enum assignment assignment = ASSIGN_DYNAMIC, enum log_level log = LOG_BLOCKS)
      : pools_(MAX_POOLS),
        activity_(MAX_POOLS),
        pool_addresses_(16),
        external_(256),
        forwards_(FORWARD_SETS),
        subscribers_(SUBSCRIBERS_PER_TABLE),
        mappings_(SETS_PER_ADDRESS),
        blocks_(BLOCKS_PER_ADDRESS),
        creations_(SETS_PER_ADDRESS) {
    struct pool& pool = pools_[0];
    std::strcpy(pool.name, "home");
    pool.assignment = static_cast<__u8>(assignment);
    pool.log = static_cast<__u8>(log);
    pool.block_size_log2 = 9;
    pool.max_blocks = 4;
    pool.subscriber_prefix_length = 32;
    pool.first_port_host = 1024;
    pool.last_port_host = 65535;
    pool.first_block = 2;
    pool.last_block = 127;
    pool.address_count = 1;
    pool_addresses_[0].external_row = kExternalRow;
    external() = {.address = Ip4(0xcb007105).network(),  // 203.0.113.5
                  .pool_plus_one = 1,
                  .flags = ADDRESS_POOL,
                  .tables = 0,
                  .blocks_owned = 0,
                  .first_blocks = 0,
                  .reserved = {}};
    rows_ = {.pools = pools_,
             .activity = activity_,
             .pool_addresses = pool_addresses_,
             .external_addresses = external_,
             .forward_sets = forwards_,
             .ipv4_ids = {},
             .ipv4_id_laps = {},
             .node = &node_,
             .subscriber_tables = {std::span(subscribers_)},
             .addresses = {AddressRows{mappings_, blocks_, creations_}}};
  }

  const Rows& rows() const { return rows_; }
  struct pool& pool() { return pools_[0]; }
  external_address& external() { return external_[kExternalRow]; }
  subscriber& owner(std::uint32_t reference) { return subscribers_[reference]; }
  port_block& block(unsigned number) { return blocks_[number]; }
  mapping& at(unsigned protocol_class, unsigned slot) { return rows_.addresses[0].at(protocol_class, slot); }
  static Ip4 address_of(std::uint32_t reference) { return Ip4(0x64400000 + reference); }  // 100.64.0.0 + n

  // As a program does it: the subscriber holds block `number` as its b-th.
  void give_block(std::uint32_t reference, unsigned b, unsigned number) {
    port_block& row = block(number);
    row.owner_plus_one = reference + 1;
    row.subscriber = address_of(reference).network();
    row.assigned_at_ns = 1'700'000'000'000'000'000;
    row.assigned_seq = number;
    subscriber& holder = owner(reference);
    const bool first = holder.external_row_plus_one == 0;
    holder.pool_plus_one = 1;
    holder.external_row_plus_one = kExternalRow + 1;
    holder.external_address = external().address;
    holder.block[b] = block_slots(pool(), number);
    ++external().blocks_owned;
    external().first_blocks += first;
  }

  void open_mapping(std::uint32_t reference, std::uint8_t protocol, unsigned slot, std::uint32_t last_seen,
                    std::uint32_t state = 0, std::uint8_t marks = MARK_IN_USE) {
    const unsigned protocol_class = protocol == 6 ? CLASS_TCP : protocol == 17 ? CLASS_UDP : CLASS_OTHER;
    mapping& row = at(protocol_class, slot);
    row.internal_address = address_of(reference).network();
    row.internal_port = htons(5000);
    row.protocol = protocol;
    row.marks = marks;
    row.last_seen = last_seen;
    row.state = state;
    creations_[protocol_class * SETS_PER_CLASS + slot / SET_SLOTS].created_at_ns[slot % SET_SLOTS] =
        1'700'000'001'000'000'000;
  }

 private:
  std::vector<struct pool> pools_;
  std::vector<pool_activity> activity_;
  std::vector<pool_address> pool_addresses_;
  std::vector<external_address> external_;
  std::vector<forward_set> forwards_;
  std::vector<subscriber> subscribers_;
  std::vector<mapping_set> mappings_;
  std::vector<port_block> blocks_;
  std::vector<creation_set> creations_;
  node_state node_{};
  Rows rows_;
};

}  // namespace apnat::test
