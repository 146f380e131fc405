// plan.h - what a configuration asks of the data plane, as plain values: one
// `struct options`, and for each pool the row the program reads and who has what.
//
// A Plan says nothing of row numbers or kernel objects: datapath/ places it in
// the tables, next to what lives there already.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apnat/options.h"
#include "apnat/tables.h"
#include "config/config.h"
#include "net/address.h"

namespace apnat {

// A subscriber whose ports the plan fixes (deterministic, static).
struct PlannedBlock {
  Prefix subscriber;
  Ip4 external_address;
  struct slot_range slots;
};

struct PlannedPool {
  std::string name;
  // Complete but for address_first and address_count, which datapath/ places. layout_key is zero here:
  // datapath/ derives it from the node's secret and the pool's name.
  struct pool row{};
  std::vector<Prefix> internal;  // sorted, disjoint
  std::vector<Ip4> external;     // every address, sorted
  std::vector<PlannedBlock> static_blocks;
  PortRange ports{1024, 65535};
  std::uint32_t deterministic_ratio = 0;  // subscribers an address; deterministic only

  // RFC 7422: the n-th subscriber of the pool, counted through `internal` in order. With layout scattered the range
  // is one of slots, and the ports behind it lie anywhere.
  PlannedBlock deterministic_block(std::uint64_t n) const;
  std::uint64_t subscriber_count() const;
  Prefix subscriber(std::uint64_t n) const;
};

struct PlannedForward {
  std::string pool;
  std::uint8_t protocol = 0;
  Endpoint external;
  Endpoint internal;
  friend bool operator==(const PlannedForward&, const PlannedForward&) = default;
};

struct PlannedInterface {
  std::string name;
  bool internal = false;
  bool external = false;
};

struct Plan {
  Config config;             // what it was made of
  struct options options{};  // the secret is zero here: datapath/ fills it from the node's state
  std::vector<PlannedInterface> interfaces;
  std::vector<PlannedPool> pools;  // in the file's order
  std::vector<PlannedForward> forwards;
  // For the sweeper, in ticks.
  std::uint32_t block_idle_ticks = 0;
  std::uint32_t hold_down_ticks = 0;
  // What decides who gets which port (RFC 7422 section 3), as one stable text, and its SHA-256-free
  // 64-bit FNV-1a hash in hex: the config_applied event.
  std::string parameters;
  std::string hash;
  std::string logging;  // the pools that record more than blocks: asking for it is on record too

  std::uint64_t memory_bytes() const;  // what the tables of this plan cost
};

// Never fails on a configuration that check() has passed.
Plan plan(const Config& config);

}  // namespace apnat
