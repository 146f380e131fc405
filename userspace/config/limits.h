// limits.h - between what a number of the configuration must lie; said here once, for reading and checking.
#pragma once

#include <cstdint>

#include "apnat/tables.h"

namespace apnat {

struct Limits {
  std::int64_t least;
  std::int64_t most;
  constexpr bool allow(std::int64_t value) const { return value >= least && value <= most; }
};

namespace limits {

inline constexpr Limits kBlockSize{MIN_BLOCK_SIZE, SLOTS_PER_CLASS / 2};
inline constexpr Limits kMaxBlocks{1, MAX_SUBSCRIBER_BLOCKS};
inline constexpr Limits kFirstBlockReserve{0, BLOCKS_PER_ADDRESS - 1};
inline constexpr Limits kNewMappings{0, 65535};  // struct subscriber counts them in 16 bits
inline constexpr Limits kSubscriberPrefixLength{24, 32};
inline constexpr Limits kPsidOffset{0, 15};
inline constexpr Limits kSeconds{1, 365 * 24 * 3600};
inline constexpr Limits kHoldDown{0, 365 * 24 * 3600};
inline constexpr Limits kMssClamp{88, 65495};  // or 0: off. The kernel itself goes no lower than 88
inline constexpr Limits kPacketTooBigFloor{68, 1500};
// RFC 6146 waits no shorter, RFC 8200 no longer.
inline constexpr Limits kFragmentTimeout{2, 60};
// Below, a share could not hold a handful of the largest datagrams.
inline constexpr Limits kFragmentMemory{std::int64_t{4} << 20, std::int64_t{64} << 30};
inline constexpr Limits kPerSource{1, 65535};
inline constexpr Limits kRetentionDays{1, 3660};
inline constexpr Limits kUniquenessSeconds{1, 3600};

inline constexpr Limits kRotateKeep{1, 1000};
inline constexpr Limits kObservationDomain{1, 4'294'967'295};
inline constexpr Limits kTemplateRefresh{1, 86'400};
inline constexpr Limits kBatchEvents{1, 100'000};
inline constexpr Limits kBatchSeconds{1, 3'600};
inline constexpr Limits kSpoolBytes{std::int64_t{16} << 20, std::int64_t{1} << 50};
inline constexpr std::uint64_t kLeastRotateSize = 1 << 20;

inline constexpr std::uint32_t kLeastPorts = MIN_BLOCK_SIZE;  // a deterministic subscriber gets
inline constexpr std::size_t kPoolName = sizeof(pool::name) - 1;
inline constexpr std::size_t kNodeName = 64;
inline constexpr std::size_t kInterfaceName = 15;                       // IFNAMSIZ - 1
inline constexpr std::size_t kSocketPath = 107;                         // sun_path - 1
inline constexpr std::size_t kForwards = FORWARD_SETS * SET_SLOTS / 2;  // two choices of set fill evenly to here
inline constexpr std::size_t kFileBytes = 16 * 1024 * 1024;

// The gateway's own addresses take directory rows too.
inline constexpr std::size_t kPagesForOwn = 64;
inline constexpr std::size_t kExternalChunksForOwn = 64;

}  // namespace limits
}  // namespace apnat
