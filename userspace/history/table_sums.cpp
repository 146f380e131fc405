// table_sums.cpp - a sum of fingerprints, one a row, so that a row may be added without reading the others.
#include "history/table_sums.h"

#include <fmt/format.h>

#include "base/fingerprint.h"
#include "history/varint.h"

namespace apnat {
namespace {

struct Described {
  const char* name;
  const char* columns;  // of an epoch not the body, which its hash is of
};

Described described(SideTable table) {
  switch (table) {
    case SideTable::kAbout:
      return {"about", "name, value"};
    case SideTable::kPool:
      return {"pool", "id, name, prefix_length"};
    case SideTable::kSpace:
      return {"space", "id, shape"};
    case SideTable::kRun:
      return {"run", "id, level, state, leases"};
    case SideTable::kEpoch:
      return {"epoch", "from_us, until_us, hash"};
    case SideTable::kGap:
      return {"gap", "from_us, to_us, reason"};
    case SideTable::kReset:
      return {"reset", "last_seen_us, at_us"};
    case SideTable::kClockStep:
      break;
  }
  return {"clock_step", "from_us, to_us"};
}

std::uint64_t fingerprint_of_row(const Statement& row) {
  std::string bytes;
  VarintWriter to(bytes);
  for (int column = 0; column < row.columns(); ++column) {
    to.number(row.is_null(column) ? 0 : 1);
    to.text(row.bytes(column));
  }
  return fnv1a(bytes);
}

Result<std::uint64_t> sum_of_rows(Statement rows) {
  std::uint64_t sum = 0;
  while (TRY(rows.step())) sum += fingerprint_of_row(rows);
  return sum;
}

Result<std::uint64_t> sum_of(const Database& database, SideTable table) {
  const Described what = described(table);
  return sum_of_rows(TRY(database.prepare(fmt::format("SELECT {} FROM {}", what.columns, what.name))));
}

// None: it was never written.
Result<std::optional<std::uint64_t>> written_sum(const Database& database, SideTable table) {
  Statement ask = TRY(database.prepare("SELECT sum FROM checksum WHERE of_table = ?1"));
  ask.bind_text(1, described(table).name);
  if (!TRY(ask.step())) return std::nullopt;
  return static_cast<std::uint64_t>(ask.number(0));
}

Result<void> put_sum(const Database& database, SideTable table, std::uint64_t sum) {
  Statement put = TRY(database.prepare("INSERT OR REPLACE INTO checksum VALUES(?1, ?2)"));
  return put.bind_text(1, described(table).name).bind(2, static_cast<std::int64_t>(sum)).run();
}

}  // namespace

Result<void> check_sums(const Database& database, std::initializer_list<SideTable> tables) {
  for (SideTable table : tables) {
    if (TRY(written_sum(database, table)) == TRY(sum_of(database, table))) continue;
    return std::unexpected(Error{EUCLEAN, fmt::format("its table '{}' is damaged", described(table).name)});
  }
  return {};
}

Result<void> TableSums::row_added(const Database& database, SideTable table) {
  const Described what = described(table);
  Statement row = TRY(database.prepare(fmt::format("SELECT {} FROM {} WHERE rowid = ?1", what.columns, what.name)));
  row.bind(1, database.last_id());
  const std::uint64_t added = TRY(sum_of_rows(std::move(row)));
  return put_sum(database, table, TRY(written_sum(database, table)).value_or(0) + added);
}

Result<void> TableSums::write(const Database& database) {
  for (SideTable table : changed_) TRY_VOID(put_sum(database, table, TRY(sum_of(database, table))));
  changed_.clear();
  return {};
}

}  // namespace apnat
