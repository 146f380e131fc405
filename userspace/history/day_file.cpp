// day_file.cpp - the statements, and when runs are merged.
#include "history/day_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "history/schema.h"

namespace apnat {
namespace {

// Runs of one level that make one of the next. More: less rewriting, but more runs for a look-up to ask.
constexpr std::size_t kFanIn = 16;
constexpr int kMostLevels = 16;
constexpr int kSealedLevel = 99;

std::int64_t number(Micros time) { return time; }

}  // namespace

// ---- opening ----------------------------------------------------------------------------------

Result<std::unique_ptr<DayFile>> DayFile::open(const std::filesystem::path& path, const About& if_new) {
  std::unique_ptr<DayFile> file(new DayFile(path, TRY(Database::open(path, Database::Use::kWrite))));
  TRY_VOID(file->make(if_new));
  TRY_VOID(file->find_runs());
  return file;
}

Result<void> DayFile::make(const About& if_new) {
  TRY_VOID(database_.run("BEGIN IMMEDIATE"));
  TRY_VOID(database_.run(kSchema));
  Statement made = TRY(database_.prepare("SELECT count(*) FROM about"));
  if (!TRY(made.step())) return fail("history: no answer");
  const bool is_new = made.number(0) == 0;
  made.reset();
  if (is_new) TRY_VOID(put_about(if_new));
  if (is_new || TRY(about_in(database_)).schema < kSchemaVersion) TRY_VOID(begin_checksums());
  about_ = TRY(about_in(database_));
  TRY_VOID(check(database_, about_, kSideTables));
  TRY_VOID(database_.run("UPDATE run SET state = 2 WHERE state = 0"));  // a merge that an agent did not finish
  return commit();
}

Result<void> DayFile::put_about(const About& about) {
  TRY_VOID(set_about("made_us", about.made));
  TRY_VOID(set_about("begin_us", about.begin));
  TRY_VOID(set_about("end_us", about.end));
  TRY_VOID(set_about("data_plane", static_cast<std::int64_t>(about.data_plane)));
  TRY_VOID(set_about("carried", about.carried));
  TRY_VOID(set_about("sealed", 0));
  Statement text = TRY(database_.prepare("INSERT OR REPLACE INTO about VALUES(?1, ?2)"));
  TRY_VOID(text.bind_text(1, "node").bind_text(2, about.node).run());
  return text.bind_text(1, "previous").bind_text(2, about.previous).run();
}

// Of a file that is new, or of one that an agent wrote which knew nothing of them.
Result<void> DayFile::begin_checksums() {
  TRY_VOID(set_about("schema", kSchemaVersion));
  for (SideTable table : kSideTables) sums_.changed(table);
  return sums_.write(database_);
}

Result<void> DayFile::find_runs() {
  merging_.reset();
  runs_ = TRY(runs_of(database_, RunState::kComplete));
  garbage_ = TRY(runs_of(database_, RunState::kGarbage));
  resets_.clear();
  Statement ask = TRY(database_.prepare("SELECT last_seen_us, at_us FROM reset"));
  while (TRY(ask.step())) resets_.push_back({ask.number(0), ask.number(1)});
  return {};
}

Result<DayFile::About> DayFile::about_in(const Database& database) {
  Statement ask = TRY(database.prepare("SELECT name, value FROM about"));
  About about;
  while (TRY(ask.step())) {
    const std::string_view name = ask.bytes(0);
    if (name == "schema") about.schema = static_cast<int>(ask.number(1));
    if (name == "node") about.node = ask.bytes(1);
    if (name == "made_us") about.made = ask.number(1);
    if (name == "begin_us") about.begin = ask.number(1);
    if (name == "end_us") about.end = ask.number(1);
    if (name == "previous") about.previous = ask.bytes(1);
    if (name == "data_plane") about.data_plane = static_cast<std::uint64_t>(ask.number(1));
    if (name == "carried") about.carried = ask.number(1) != 0;
    if (name == "sealed") about.sealed = ask.number(1) != 0;
  }
  // A newer agent's file is no damaged one: whoever went back to an older agent is told, and loses nothing.
  if (about.schema > kSchemaVersion) {
    return fail(fmt::format("the history was written by a newer apnatd: its schema is {}, this one knows up to {}",
                            about.schema, kSchemaVersion));
  }
  if (about.schema < 1) return std::unexpected(Error{EUCLEAN, "it does not say what it is"});
  TRY_VOID(check(database, about, {SideTable::kAbout}));
  return about;
}

Result<void> DayFile::check(const Database& database, const About& about, std::initializer_list<SideTable> tables) {
  return about.schema > 1 ? check_sums(database, tables) : Result<void>();
}

Result<Names> DayFile::names_in(const Database& database) {
  Names names;
  Statement pools = TRY(database.prepare("SELECT name, prefix_length FROM pool ORDER BY id"));
  while (TRY(pools.step())) {
    (void)names.number_of(Names::Pool{std::string(pools.bytes(0)), static_cast<int>(pools.number(1))});
  }
  Statement spaces = TRY(database.prepare("SELECT id, shape FROM space ORDER BY id"));
  while (TRY(spaces.step())) {
    const std::int64_t id = spaces.number(0);
    if (id < kFirstShape) {
      names.note_protocol(static_cast<std::uint8_t>(id));
      continue;
    }
    const auto shape = Shape::decode(spaces.bytes(1));
    if (!shape) return std::unexpected(Error{EUCLEAN, shape.error().text});
    if (names.number_of(*shape) != id) return std::unexpected(Error{EUCLEAN, "its shapes of blocks are mixed up"});
  }
  return names;
}

// ---- writing ----------------------------------------------------------------------------------

Result<void> DayFile::begin() { return database_.run("BEGIN IMMEDIATE"); }

Result<void> DayFile::commit() {
  sums_.changed(SideTable::kAbout);
  sums_.changed(SideTable::kRun);
  TRY_VOID(sums_.write(database_));
  TRY_VOID(database_.run("COMMIT"));
  committed_ = about_;
  return {};
}

void DayFile::roll_back() {
  merging_.reset();
  carrying_.reset();
  sealing_ = false;
  if (database_.is_in_transaction()) (void)database_.run("ROLLBACK");
  about_ = committed_;
  pools_written_ = shapes_written_ = 0;
  protocols_written_.reset();
  sums_.forget();
  if (!forget_unfinished() && database_.is_in_transaction()) (void)database_.run("ROLLBACK");
  (void)find_runs();
}

// What was being merged over several transactions.
Result<void> DayFile::forget_unfinished() {
  TRY_VOID(begin());
  TRY_VOID(database_.run("UPDATE run SET state = 2 WHERE state = 0"));
  return commit();
}

Result<void> DayFile::put_names(const Names& names) {
  if (pools_written_ < names.pools().size()) {
    sums_.changed(SideTable::kPool);
    Statement put = TRY(database_.prepare("INSERT OR REPLACE INTO pool VALUES(?1, ?2, ?3)"));
    for (; pools_written_ < names.pools().size(); ++pools_written_) {
      const Names::Pool& pool = names.pools()[pools_written_];
      put.bind(1, static_cast<std::int64_t>(pools_written_)).bind_text(2, pool.name);
      TRY_VOID(put.bind(3, static_cast<std::int64_t>(pool.prefix_length)).run());
    }
  }
  if (shapes_written_ == names.shapes().size() && protocols_written_ == names.protocols()) return {};
  sums_.changed(SideTable::kSpace);
  Statement put = TRY(database_.prepare("INSERT OR REPLACE INTO space VALUES(?1, ?2)"));
  for (; shapes_written_ < names.shapes().size(); ++shapes_written_) {
    const std::string bytes = names.shapes()[shapes_written_].encoded();
    TRY_VOID(put.bind(1, static_cast<std::int64_t>(kFirstShape + shapes_written_)).bind(2, bytes).run());
  }
  for (std::size_t protocol = 0; protocol < kFirstShape; ++protocol) {
    if (!names.protocols()[protocol] || protocols_written_[protocol]) continue;
    TRY_VOID(put.bind(1, static_cast<std::int64_t>(protocol)).bind(2, std::string_view()).run());
  }
  protocols_written_ = names.protocols();
  return {};
}

Result<void> DayFile::put_leases(const std::vector<Lease>& sorted) {
  if (sorted.empty()) return {};
  RunWriter writer = TRY(RunWriter::start(database_, 0));
  for (const Lease& lease : sorted) TRY_VOID(writer.add(lease));
  TRY_VOID(writer.finish());
  runs_.push_back({writer.id(), 0});
  return {};
}

Result<void> DayFile::put_epoch(Micros from, const std::string& hash, const std::string& body) {
  sums_.changed(SideTable::kEpoch);
  Statement put = TRY(database_.prepare("INSERT INTO epoch VALUES(?1, NULL, ?2, ?3)"));
  return put.bind(1, number(from)).bind_text(2, hash).bind(3, body).run();
}

Result<void> DayFile::end_epochs(Micros until) {
  sums_.changed(SideTable::kEpoch);
  Statement end = TRY(database_.prepare("UPDATE epoch SET until_us = ?1 WHERE until_us IS NULL"));
  return end.bind(1, number(until)).run();
}

Result<void> DayFile::put_gap(Micros from, Micros to, const std::string& reason) {
  Statement put = TRY(database_.prepare("INSERT INTO gap VALUES(?1, ?2, ?3)"));
  TRY_VOID(put.bind(1, number(from)).bind(2, number(to)).bind_text(3, reason).run());
  return TableSums::row_added(database_, SideTable::kGap);
}

Result<void> DayFile::put_reset(const Reset& reset) {
  Statement put = TRY(database_.prepare("INSERT INTO reset VALUES(?1, ?2)"));
  TRY_VOID(put.bind(1, number(reset.last_seen)).bind(2, number(reset.at)).run());
  TRY_VOID(TableSums::row_added(database_, SideTable::kReset));
  resets_.push_back(reset);
  return {};
}

Result<void> DayFile::put_data_plane(std::uint64_t id) {
  about_.data_plane = id;
  return set_about("data_plane", static_cast<std::int64_t>(id));
}

Result<void> DayFile::put_clock_step(Micros from, Micros to) {
  Statement put = TRY(database_.prepare("INSERT INTO clock_step VALUES(?1, ?2)"));
  TRY_VOID(put.bind(1, number(from)).bind(2, number(to)).run());
  return TableSums::row_added(database_, SideTable::kClockStep);
}

Result<void> DayFile::cut_clock_step(Micros from, Micros to, Micros sooner) {
  sums_.changed(SideTable::kClockStep);
  Statement cut = TRY(database_.prepare("UPDATE clock_step SET to_us = ?3 WHERE from_us = ?1 AND to_us = ?2"));
  return cut.bind(1, number(from)).bind(2, number(to)).bind(3, number(sooner)).run();
}

Result<void> DayFile::put_life(Micros at, const std::string& what) {
  Statement put = TRY(database_.prepare("INSERT INTO life VALUES(?1, ?2)"));
  return put.bind(1, number(at)).bind_text(2, what).run();
}

Result<void> DayFile::reach(Micros begin, Micros end) {
  if (begin < about_.begin) TRY_VOID(set_about("begin_us", about_.begin = begin));
  if (end > about_.end) TRY_VOID(set_about("end_us", about_.end = end));
  return {};
}

Result<void> DayFile::carry(const Lease& lease) {
  if (!carrying_) carrying_.emplace(TRY(RunWriter::start(database_, 1)));
  Lease carried = lease;
  carried.carried = true;
  return carrying_->add(carried);
}

Result<void> DayFile::finish_carrying() {
  if (carrying_) {
    TRY_VOID(carrying_->finish());
    runs_.push_back({carrying_->id(), 1});
    carrying_.reset();
  }
  about_.carried = true;
  return set_about("carried", 1);
}

Result<void> DayFile::set_about(const char* name, std::int64_t value) {
  Statement put = TRY(database_.prepare("INSERT OR REPLACE INTO about VALUES(?1, ?2)"));
  return put.bind_text(1, name).bind(2, value).run();
}

// ---- merging ----------------------------------------------------------------------------------

Result<bool> DayFile::merge(std::size_t leases) {
  TRY_VOID(delete_garbage(leases / 1'024 + 1));
  if (!merging_) {
    // The lowest level that is full: small runs are what look-ups suffer from.
    for (int level = 0; level < kMostLevels && !merging_; ++level) {
      std::vector<Run> full;
      std::ranges::copy_if(runs_, std::back_inserter(full), [&](const Run& run) { return run.level == level; });
      if (full.size() < kFanIn) continue;
      full.resize(kFanIn);
      TRY_VOID(start_merging(std::move(full), level + 1));
    }
  }
  if (merging_ && TRY(merge_on(leases, {}))) TRY_VOID(finish_merging());
  return merging_.has_value() || !garbage_.empty();
}

Result<bool> DayFile::seal(std::size_t leases, const Each& open) {
  if (about_.sealed) return true;
  if (!sealing_) {
    if (merging_) TRY_VOID(set_state(database_, merging_->writer.id(), RunState::kGarbage));
    earliest_ = about_.begin;
    TRY_VOID(start_merging(runs_, kSealedLevel));
    sealing_ = true;
  }
  if (!TRY(merge_on(leases, open))) return false;
  TRY_VOID(finish_merging());
  sealing_ = false;
  garbage_ = TRY(runs_of(database_, RunState::kGarbage));
  TRY_VOID(reach(earliest_, about_.end));
  about_.sealed = true;
  TRY_VOID(set_about("sealed", 1));
  return true;
}

Result<bool> DayFile::tidy(std::size_t pages) {
  if (!garbage_.empty()) {
    TRY_VOID(begin());
    TRY_VOID(delete_garbage(pages));
    TRY_VOID(commit());
    return false;
  }
  const std::string some = fmt::format("PRAGMA incremental_vacuum({})", pages);
  TRY_VOID(database_.run(some.c_str()));
  Statement ask = TRY(database_.prepare("PRAGMA freelist_count"));
  const bool is_done = !TRY(ask.step()) || ask.number(0) == 0;
  ask.reset();
  return is_done;
}

Result<void> DayFile::start_merging(std::vector<Run> inputs, int level) {
  MergeReader reader = TRY(MergeReader::start(database_, inputs));
  RunWriter writer = TRY(RunWriter::start(database_, level));
  merging_.emplace(Merging{std::move(inputs), std::move(reader), std::move(writer)});
  return {};
}

// `each` gets the open ones, and that it is there means that the file is being sealed. True: all has been read.
Result<bool> DayFile::merge_on(std::size_t leases, const Each& each) {
  std::vector<Lease> of_key;
  for (std::size_t done = 0; done < leases; done += of_key.size()) {
    TRY_VOID(merging_->reader.next(of_key));
    if (of_key.empty()) return true;
    if (each) end_forgotten(of_key, resets_);
    for (Lease& lease : of_key) {
      TRY_VOID(merging_->writer.add(lease));
      if (!each) continue;
      if (!lease.carried) earliest_ = std::min(earliest_, lease.first());
      if (lease.is_open()) TRY_VOID(each(lease));
    }
  }
  return false;
}

Result<void> DayFile::finish_merging() {
  TRY_VOID(merging_->writer.finish());
  const int level = sealing_ ? kSealedLevel : merging_->inputs.front().level + 1;
  for (const Run& input : merging_->inputs) {
    TRY_VOID(set_state(database_, input.id, RunState::kGarbage));
    garbage_.push_back(input);
    std::erase_if(runs_, [&](const Run& run) { return run.id == input.id; });
  }
  runs_.push_back({merging_->writer.id(), level});
  merging_.reset();
  return {};
}

Result<void> DayFile::delete_garbage(std::size_t pages) {
  while (!garbage_.empty() && pages > 0) {
    const std::int64_t run = garbage_.back().id;
    Statement few = TRY(database_.prepare(
        "DELETE FROM page WHERE id IN (SELECT id FROM page INDEXED BY page_by_key WHERE run = ?1 LIMIT ?2) "
        "RETURNING 1"));
    few.bind(1, run).bind(2, static_cast<std::int64_t>(std::min<std::size_t>(pages, 1'000)));
    std::size_t deleted = 0;
    while (TRY(few.step())) ++deleted;
    pages -= std::min(pages, std::max<std::size_t>(deleted, 1));
    if (deleted > 0) continue;
    Statement forget = TRY(database_.prepare("DELETE FROM run WHERE id = ?1"));
    TRY_VOID(forget.bind(1, run).run());
    garbage_.pop_back();
  }
  return {};
}

}  // namespace apnat
