// demand.h - what a configuration asks of the tables, in numbers, before any row is made.
#pragma once

#include <cstdint>

#include "config/config.h"

namespace apnat {

inline constexpr std::uint32_t kDefaultBlockSize = 512;

// Blocks first..last of every address may be given out.
struct BlockNumbers {
  std::uint32_t first = 0;
  std::uint32_t end = 0;  // one past the last
  std::uint32_t count() const { return end > first ? end - first : 0; }
};

// Dynamic pools whose block_size is a power of two. Contiguous, and PSID without offset: the blocks that lie within
// `ports` whole. Scattered: all; the ports outside `ports` are spread over all blocks and skipped one by one. PSID
// with an offset: all; check() sees to it that each has equally many usable ports.
BlockNumbers usable_blocks(const PoolConfig& pool);

std::uint64_t subscriber_count(const PoolConfig& pool);  // that there can be
std::uint64_t external_count(const PoolConfig& pool);    // addresses

struct TableDemand {
  std::uint64_t external_addresses = 0;
  std::uint64_t logged_addresses = 0;  // of them, of pools that log mappings
  std::uint64_t external_chunks = 0;   // /24s that hold external addresses
  std::uint64_t subscriber_rows = 0;   // rows come by whole /24s
  std::uint64_t pages = 0;             // /16s of either realm
  std::uint64_t memory_bytes() const;
};
TableDemand table_demand(const Config& config);

// What the tables cost: an external address, what it costs more where mappings are logged, a started
// SUBSCRIBERS_PER_TABLE subscribers, and everything that is there whatever the configuration.
std::uint64_t bytes_per_address();
std::uint64_t creation_bytes_per_address();
std::uint64_t bytes_per_subscriber_table();
std::uint64_t fixed_bytes();

}  // namespace apnat
