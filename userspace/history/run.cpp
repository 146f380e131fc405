// run.cpp - pages in, pages out.
#include "history/run.h"

#include <algorithm>

#include "history/schema.h"

namespace apnat {

Result<std::vector<Run>> runs_of(const Database& database, RunState state) {
  Statement ask = TRY(database.prepare("SELECT id, level FROM run WHERE state = ?1 ORDER BY id"));
  ask.bind(1, static_cast<std::int64_t>(state));
  std::vector<Run> runs;
  while (TRY(ask.step())) runs.push_back({ask.number(0), static_cast<int>(ask.number(1))});
  return runs;
}

Result<void> read_page_row(std::int64_t key, std::string_view bytes, std::vector<Lease>& leases) {
  const std::size_t before = leases.size();
  const auto read = read_page(bytes, leases);
  if (!read) return std::unexpected(Error{EUCLEAN, read.error().text});
  if (leases.size() > before && leases[before].key == static_cast<LeaseKey>(key)) return {};
  return std::unexpected(Error{EUCLEAN, "a page of the history stands where it does not belong"});
}

Result<void> set_state(const Database& database, std::int64_t run, RunState state) {
  Statement set = TRY(database.prepare("UPDATE run SET state = ?2 WHERE id = ?1"));
  return set.bind(1, run).bind(2, static_cast<std::int64_t>(state)).run();
}

Result<RunWriter> RunWriter::start(Database& database, int level) {
  Statement make = TRY(database.prepare("INSERT INTO run(level, state) VALUES(?1, 0)"));
  TRY_VOID(make.bind(1, static_cast<std::int64_t>(level)).run());
  const std::int64_t id = database.last_id();
  Statement put = TRY(database.prepare("INSERT INTO page(run, key, leases) VALUES(?1, ?2, ?3)"));
  return RunWriter(database, std::move(put), id);
}

Result<void> RunWriter::add(const Lease& lease) {
  if (page_.is_full_for(lease.key)) TRY_VOID(put_page());
  page_.add(lease);
  return {};
}

Result<void> RunWriter::put_page() {
  const PageWriter::Page page = page_.take();
  leases_ += page.count;
  put_.bind(1, id_).bind(2, static_cast<std::int64_t>(page.first_key)).bind(3, page.bytes);
  return put_.run();
}

Result<void> RunWriter::finish() {
  if (!page_.is_empty()) TRY_VOID(put_page());
  Statement done = TRY(database_->prepare("UPDATE run SET state = 1, leases = ?2 WHERE id = ?1"));
  return done.bind(1, id_).bind(2, static_cast<std::int64_t>(leases_)).run();
}

Result<const Lease*> RunCursor::current(Statement& next_page) {
  while (at_ == leases_.size() && !ended_) {
    leases_.clear();
    at_ = 0;
    next_page.bind(1, run_).bind(2, last_page_);
    if (TRY(next_page.step())) {
      last_page_ = next_page.number(0);
      const auto read = read_page_row(last_page_, next_page.bytes(1), leases_);
      next_page.reset();
      if (!read) return std::unexpected(read.error());
    } else {
      ended_ = true;
    }
  }
  return ended_ ? nullptr : &leases_[at_];
}

Result<MergeReader> MergeReader::start(const Database& database, const std::vector<Run>& runs) {
  std::vector<RunCursor> cursors;
  for (const Run& run : runs) cursors.emplace_back(run.id, 0);
  return MergeReader(TRY(database.prepare(kNextPage)), std::move(cursors));
}

Result<void> MergeReader::next(std::vector<Lease>& leases) {
  leases.clear();
  std::optional<LeaseKey> lowest;
  for (RunCursor& cursor : cursors_) {
    const Lease* lease = TRY(cursor.current(next_page_));
    if (lease && (!lowest || lease->key < *lowest)) lowest = lease->key;
  }
  if (!lowest) return {};
  for (RunCursor& cursor : cursors_) {
    for (;;) {
      const Lease* lease = TRY(cursor.current(next_page_));
      if (!lease || lease->key != *lowest) break;
      leases.push_back(*lease);
      cursor.advance();
    }
  }
  if (leases.size() > 1) fuse(leases);
  return {};
}

}  // namespace apnat
