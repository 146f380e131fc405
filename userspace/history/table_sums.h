// table_sums.h - checksums of a day file's small tables: names, shapes, gaps and the like, each over all of its rows.
// (Pages of leases and configurations have theirs within.) A row that was changed, lost or brought back is found.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>

#include "history/database.h"

namespace apnat {

enum class SideTable { kAbout, kPool, kSpace, kRun, kEpoch, kGap, kReset, kClockStep };
inline constexpr std::initializer_list<SideTable> kSideTables = {
    SideTable::kAbout, SideTable::kPool, SideTable::kSpace, SideTable::kRun,
    SideTable::kEpoch, SideTable::kGap,  SideTable::kReset, SideTable::kClockStep};

// EUCLEAN: one of them is not as it was written.
Result<void> check_sums(const Database& database, std::initializer_list<SideTable> tables);

// What has been written in a transaction; its sums go into it before it is committed.
class TableSums {
 public:
  void changed(SideTable table) { changed_.insert(table); }
  void forget() { changed_.clear(); }
  // One row was added, just now: for tables that only grow, and may grow long.
  static Result<void> row_added(const Database& database, SideTable table);
  Result<void> write(const Database& database);

 private:
  std::set<SideTable> changed_;
};

}  // namespace apnat
