// run.h - sorted runs of leases in a day's file: written once, read from front to end
// or by key, and merged into longer ones. Nothing here begins or ends a transaction.
//
// A run counts for readers from the moment its row says that it is complete.
#pragma once

#include <optional>
#include <vector>

#include "history/database.h"
#include "history/lease.h"
#include "history/page.h"

namespace apnat {

enum class RunState { kBuilding = 0, kComplete = 1, kGarbage = 2 };

struct Run {
  std::int64_t id = 0;
  int level = 0;
};

Result<std::vector<Run>> runs_of(const Database& database, RunState state);
// A page as a row has it; EUCLEAN: the page, or the key by which it was found, is damaged.
Result<void> read_page_row(std::int64_t key, std::string_view bytes, std::vector<Lease>& leases);

Result<void> set_state(const Database& database, std::int64_t run, RunState state);

class RunWriter {
 public:
  static Result<RunWriter> start(Database& database, int level);

  Result<void> add(const Lease& lease);  // in order
  Result<void> finish();                 // now it is complete
  std::int64_t id() const { return id_; }

 private:
  RunWriter(const Database& database, Statement put, std::int64_t id)
      : database_(&database), put_(std::move(put)), id_(id) {}
  Result<void> put_page();

  const Database* database_;
  Statement put_;
  std::int64_t id_;
  PageWriter page_;
  std::size_t leases_ = 0;
};

// Goes through a run, a page in memory at a time.
class RunCursor {
 public:
  RunCursor(std::int64_t run, LeaseKey from) : run_(run), last_page_(static_cast<std::int64_t>(from) - 1) {}

  // The lease it stands at; null: the end. `next_page` is kNextPage, prepared.
  Result<const Lease*> current(Statement& next_page);
  void advance() { ++at_; }

 private:
  std::int64_t run_;
  std::int64_t last_page_;
  std::vector<Lease> leases_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

// All leases of several runs, in order, fused: one key at a time.
class MergeReader {
 public:
  static Result<MergeReader> start(const Database& database, const std::vector<Run>& runs);

  // The leases of the next key; empty: the end.
  Result<void> next(std::vector<Lease>& leases);

 private:
  MergeReader(Statement next_page, std::vector<RunCursor> cursors)
      : next_page_(std::move(next_page)), cursors_(std::move(cursors)) {}

  Statement next_page_;
  std::vector<RunCursor> cursors_;
};

}  // namespace apnat
