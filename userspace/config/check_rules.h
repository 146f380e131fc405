// check_rules.h - the parts of check(), one a group of sections. Of check.cpp alone.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "config/complaints.h"
#include "config/config.h"
#include "config/limits.h"

namespace apnat {

void check_pools(const Config& config, Complaints& complaints);     // each pool by itself
void check_overlaps(const Config& config, Complaints& complaints);  // one address, one owner
void check_capacity(const Config& config, Complaints& complaints);  // of the tables
void check_static_blocks(const Config& config, Complaints& complaints);
void check_forwards(const Config& config, Complaints& complaints);
void check_event_sinks(const std::vector<EventSinkConfig>& sinks, Complaints& complaints);

// What read_config has checked already, for a Config that was not read from a file.
inline bool check_number(Complaints& complaints, Where where, std::string_view key, std::int64_t value, Limits limits) {
  if (limits.allow(value)) return true;
  complaints.add(where,
                 fmt::format("{} is {}; write a whole number from {} to {}", key, value, limits.least, limits.most));
  return false;
}

inline void check_absolute(Complaints& complaints, Where where, std::string_view key,
                           const std::filesystem::path& path) {
  if (path.is_absolute() && path.native().find('\0') == std::string::npos) return;
  complaints.add(where, fmt::format("{} is \"{}\"; write an absolute path", key, path.string()));
}

// nullptr: no pool of that name.
inline const PoolConfig* find_pool(const Config& config, std::string_view name) {
  for (const PoolConfig& pool : config.pools) {
    if (pool.name == name) return &pool;
  }
  return nullptr;
}

}  // namespace apnat
