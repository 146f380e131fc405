// verdict_counters.h - how every packet ended, summed over the processors.
#pragma once

#include <cstdint>
#include <vector>

namespace apnat {

// Index enum verdict; all zero where the table cannot be read.
std::vector<std::uint64_t> read_verdict_counters(int map_fd);

}  // namespace apnat
