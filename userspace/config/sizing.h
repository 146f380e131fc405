// sizing.h - what a deployment would need, before it is bought: `natctl plan`. Pure arithmetic.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apnat/tables.h"
#include "base/result.h"
#include "net/port_range.h"

namespace apnat {

// Figures of the field that nobody's own network has to agree with; each can be set.
struct SizingAssumptions {
  double connections_per_subscriber_day = 33'000;  // RFC 7422 section 1
  double blocks_per_subscriber_day = 6;            // blocks given in a day, over all of a subscriber's
  double blocks_in_use = 2;                        // by an active subscriber at the busy hour
  double active_share = 1.0;                       // of the subscribers, at the busy hour
  double record_bytes = 260;                       // one event as a line of JSON
};

struct SizingQuestion {
  std::uint64_t subscribers = 0;
  std::uint64_t external_addresses = 0;
  std::uint32_t block_size = 512;
  std::uint32_t max_blocks = 4;
  PortRange ports{1024, 65535};
  enum assignment assignment = ASSIGN_DYNAMIC;
  enum log_level log = LOG_BLOCKS;
  SizingAssumptions assume{};
};

struct Sizing {
  double sharing_ratio = 0;               // subscribers an address
  std::uint64_t blocks_per_address = 0;   // dynamic
  std::uint64_t blocks = 0;               // dynamic: in all
  std::uint64_t ports_each = 0;           // if all subscribers shared all ports evenly
  std::uint64_t most_ports_each = 0;      // what the quota lets one have
  std::uint64_t subscribers_at_once = 0;  // how many can be active with the blocks that an active one uses
  std::uint64_t memory_bytes = 0;
  double records_per_day = 0;
  double log_bytes_per_day = 0;
  double log_bytes_per_year = 0;
  double mean_records_per_second = 0;
  std::vector<std::string> remarks;  // what will not fit, in words
};

// Refuses a question that has no answer: nobody, no address, no block within the ports.
Result<Sizing> sizing(const SizingQuestion& question);

}  // namespace apnat
