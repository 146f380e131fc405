// store_files.cpp - the files of the history: found and judged at start, one more each
// day, the old ones closed and in the end deleted.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "history/store.h"

namespace apnat {
namespace {

constexpr Micros kDay = 86'400'000'000;
constexpr const char* kEnding = ".sqlite";
constexpr std::size_t kSealedAtOnce = 131'072;  // leases
constexpr std::size_t kTidiedAtOnce = 2'000;    // pages
// Files whose every page is looked at when the agent starts: those an agent was writing.
constexpr std::size_t kChecked = 2;

// "000042-2026-03-01.sqlite": the number keeps the order, whatever the clock does.
struct FileName {
  std::uint32_t number = 0;
  Micros day = 0;

  static std::optional<FileName> parse(const std::filesystem::path& path) {
    const std::string name = path.filename().string();
    unsigned number = 0, year = 0, month = 0, day = 0;
    int end = 0;
    if (std::sscanf(name.c_str(), "%6u-%4u-%2u-%2u%n", &number, &year, &month, &day, &end) != 4) return std::nullopt;
    if (name.substr(static_cast<std::size_t>(end)) != kEnding) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)), std::chrono::month(month),
                                           std::chrono::day(day)};
    if (!date.ok()) return std::nullopt;
    return FileName{number, to_micros(std::chrono::sys_days(date))};
  }
  std::string text() const {
    const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(to_wall(day)));
    return fmt::format("{:06}-{:04}-{:02}-{:02}{}", number, static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), kEnding);
  }
};

bool is_full(const Error& error) { return error.code == ENOSPC || error.code == EDQUOT; }

void remove_all_of(const std::filesystem::path& path) {
  std::error_code ignored;
  for (const char* ending : {"", "-wal", "-shm"}) std::filesystem::remove(path.string() + ending, ignored);
}

Result<std::vector<HistoryView::Span>> spans_in(const Database& database, std::string_view sql) {
  Statement ask = TRY(database.prepare(sql));
  std::vector<HistoryView::Span> spans;
  while (TRY(ask.step())) spans.push_back({ask.number(0), ask.number(1), std::string(ask.bytes(2))});
  return spans;
}

}  // namespace

// ---- opening ----------------------------------------------------------------------------------

Result<std::unique_ptr<HistoryStore>> HistoryStore::open(Options options, const Clock& clock) {
  std::unique_ptr<HistoryStore> store(new HistoryStore(std::move(options), clock));
  const std::filesystem::path& folder = store->options_.folder;
  std::error_code made;
  std::filesystem::create_directories(folder.parent_path(), made);
  if (::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST) {
    return fail(errno, "make the directory " + folder.string());
  }
  TRY_VOID(store->find_files());
  if (const auto remembered = store->remember_newest(); !remembered && !is_full(remembered.error())) {
    return std::unexpected(remembered.error());
  }
  store->remember_passing();
  return store;
}

Result<void> HistoryStore::find_files() {
  std::vector<std::filesystem::path> found;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(options_.folder, failed)) {
    if (FileName::parse(entry.path())) found.push_back(entry.path());
  }
  if (failed) return fail(failed.value(), "read the directory " + options_.folder.string());
  std::ranges::sort(found);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto looked = look_into(found[i], i + kChecked >= found.size());
    if (looked) continue;
    if (!is_damage(looked.error())) return looked;
    set_aside(found[i], looked.error().text);
  }
  return {};
}

Result<void> HistoryStore::look_into(const std::filesystem::path& path, bool check) {
  const Database database = TRY(Database::open(path, Database::Use::kRead));
  const DayFile::About about = TRY(DayFile::about_in(database));
  // Of all files those that are read here and now; whoever asks a file later checks the others.
  TRY_VOID(DayFile::check(database, about, {SideTable::kGap, SideTable::kClockStep}));
  if (check) {
    const std::string complaints = TRY(database.complaints());
    if (!complaints.empty()) return std::unexpected(Error{EUCLEAN, complaints});
    TRY_VOID(DayFile::check(database, about, kSideTables));
    TRY(DayFile::names_in(database));
  }
  auto gaps = TRY(spans_in(database, "SELECT from_us, to_us, reason FROM gap"));
  auto steps = TRY(spans_in(database, "SELECT from_us, to_us, 'the clock was set back' FROM clock_step"));
  std::ranges::move(gaps, std::back_inserter(gaps_));
  std::ranges::move(steps, std::back_inserter(clock_steps_));
  files_.push_back({path, about.made, about.begin, about.end, about.carried, about.sealed});
  last_time_ = std::max(last_time_, about.end);
  return {};
}

// Its day becomes a gap. What was open in it and still is, the data plane will say again.
void HistoryStore::set_aside(const std::filesystem::path& path, const std::string& why) {
  const std::string aside = fmt::format("{}.damaged-{}", path.string(), to_micros(clock_.realtime()) / 1'000'000);
  std::error_code failed;
  for (const char* ending : {"", "-wal", "-shm"}) {
    if (std::filesystem::exists(path.string() + ending)) {
      std::filesystem::rename(path.string() + ending, aside + ending, failed);
    }
  }
  log_error("a file of the history is damaged and was set aside; its day is not covered",
            {{"file", aside}, {"why", why}});
  ++set_aside_;
  missed_events_ = true;
  const Micros day = FileName::parse(path)->day;
  pending_.gaps.push_back({day, std::min(day + kDay, std::max(day, to_micros(clock_.realtime()))),
                           fmt::format("{} was damaged: {}", path.filename().string(), why)});
}

// What the newest file knows goes on: names, and the epoch that has not ended. The one before a damaged one was only
// opened yet.
Result<void> HistoryStore::remember_newest() {
  while (!files_.empty()) {
    const auto remembered = remember(files_.back().path);
    if (remembered || !is_damage(remembered.error())) return remembered;
    set_aside(files_.back().path, remembered.error().text);
    files_.pop_back();
  }
  return {};
}

// What was passing for the second time when the agent before this one ended may still be.
void HistoryStore::remember_passing() {
  if (files_.empty()) return;
  const Micros end = files_.back().end;
  for (const HistoryView::Span& span : clock_steps_) {
    if (span.from <= end && end < span.to) passing_ = Passing{span, false};
  }
}

Result<void> HistoryStore::remember(const std::filesystem::path& path) {
  const Database database = TRY(Database::open(path, Database::Use::kRead));
  const DayFile::About about = TRY(DayFile::about_in(database));
  TRY_VOID(DayFile::check(database, about, {SideTable::kPool, SideTable::kSpace, SideTable::kEpoch}));
  names_ = TRY(DayFile::names_in(database));
  data_plane_ = about.data_plane;
  Statement ask = TRY(database.prepare("SELECT from_us, hash, body FROM epoch WHERE until_us IS NULL"));
  while (TRY(ask.step())) {
    epoch_ = EpochNow{std::string(ask.bytes(2)), std::string(ask.bytes(1)), ask.number(0)};
  }
  return {};
}

// ---- a file a day -------------------------------------------------------------------------------

// A clock that is set back over midnight does not bring the day before back; one that was a day off does begin anew.
Result<void> HistoryStore::use_todays_file() {
  const Micros today = to_micros(clock_.realtime()) / kDay * kDay;
  if (!files_.empty()) {
    const Micros day = FileName::parse(files_.back().path)->day;
    if (day == today || day == today + kDay) {
      if (!file_) file_ = TRY(DayFile::open(files_.back().path, {}));
      return {};
    }
  }
  return make_file(static_cast<std::uint32_t>(today / kDay));
}

Result<void> HistoryStore::make_file(std::uint32_t day) {
  const Micros now = to_micros(clock_.realtime());
  const std::uint32_t number = files_.empty() ? 1 : FileName::parse(files_.back().path)->number + 1;
  const std::filesystem::path path = options_.folder / FileName{number, day * kDay}.text();
  const bool is_first = files_.empty();
  const Micros made = is_first ? std::min(now, pending_.begin) : now;
  const DayFile::About about{.node = options_.node,
                             .made = made,
                             .begin = made,
                             .end = now,
                             .previous = is_first ? "" : files_.back().path.filename().string(),
                             .data_plane = data_plane_,
                             .carried = is_first,
                             .sealed = false};
  auto file = DayFile::open(path, about);
  if (!file) {
    remove_all_of(path);
    return std::unexpected(file.error());
  }
  const auto& epoch = pending_.epochs.empty() ? epoch_ : pending_.epoch_before;
  if (epoch) {
    const auto known = [&]() -> Result<void> {
      TRY_VOID((*file)->begin());
      TRY_VOID((*file)->put_epoch(epoch->from, epoch->hash, epoch->bytes));
      return (*file)->commit();
    }();
    if (!known) {
      file->reset();
      remove_all_of(path);
      return known;
    }
  }
  file_ = std::move(*file);
  files_.push_back({path, made, made, now, is_first, false});
  return {};
}

// Whatever is still open in the files until now ended at the end of what they tell, by the clock of then; a new file
// takes what comes. An agent that is killed between the two leaves it to the next to begin again.
Result<void> HistoryStore::end_all_files(Micros last) {
  for (const HistoryView::File& file : files_) {
    if (!file.sealed) TRY_VOID(put_resets(file.path, {{last, last + 1}}));
  }
  return make_file(static_cast<std::uint32_t>(to_micros(clock_.realtime()) / kDay));
}

// A day that is not closed yet has open leases that the newest file does not have; and a step of the clock that was
// over sooner stands in the file of its beginning.
Result<void> HistoryStore::write_into_earlier_files() {
  if (pending_.resets.empty() && pending_.cut_steps.empty()) return {};
  for (std::size_t i = 0; i + 1 < files_.size(); ++i) {
    if (!files_[i].sealed) TRY_VOID(put_resets(files_[i].path, pending_.resets));
  }
  return {};
}

Result<void> HistoryStore::put_resets(const std::filesystem::path& path, const std::vector<Reset>& resets) {
  const auto file = TRY(DayFile::open(path, {}));
  TRY_VOID(file->begin());
  for (const Reset& reset : resets) TRY_VOID(file->put_reset(reset));
  for (const auto& [step, to] : pending_.cut_steps) TRY_VOID(file->cut_clock_step(step.from, step.to, to));
  return file->commit();
}

// ---- days that are over ---------------------------------------------------------------------------

bool HistoryStore::has_work() const {
  return sealing_ || std::any_of(files_.begin(), files_.end() - (files_.empty() ? 0 : 1),
                                 [](const HistoryView::File& file) { return !file.sealed; });
}

// The oldest file that is not closed, and the one after it, which gets what is open. False: there is none.
Result<bool> HistoryStore::find_unsealed() {
  for (std::size_t i = 0; i + 1 < files_.size(); ++i) {
    if (files_[i].sealed) continue;
    sealing_ = TRY(DayFile::open(files_[i].path, {}));
    if (i + 2 < files_.size()) target_ = TRY(DayFile::open(files_[i + 1].path, {}));
    return true;
  }
  return false;
}

// The file that receives is committed first: an agent that dies between the two carries once more.
Result<void> HistoryStore::seal_some() {
  if (!sealing_ && !TRY(find_unsealed())) return {};
  if (sealing_->about().sealed) {
    if (TRY(sealing_->tidy(kTidiedAtOnce))) sealing_.reset();
    return {};
  }
  DayFile& target = target_ ? *target_ : *file_;
  TRY_VOID(target.begin());
  TRY_VOID(sealing_->begin());
  const bool done = TRY(sealing_->seal(kSealedAtOnce, [&](const Lease& open) { return target.carry(open); }));
  if (done) TRY_VOID(target.finish_carrying());
  TRY_VOID(target.commit());
  TRY_VOID(sealing_->commit());
  if (!done) return {};
  for (std::size_t i = 0; i + 1 < files_.size(); ++i) {
    if (files_[i].path != sealing_->path()) continue;
    files_[i].sealed = true;
    files_[i].begin = sealing_->about().begin;
    files_[i + 1].carried = true;
  }
  target_.reset();
  return {};
}

void HistoryStore::delete_old() {
  const Micros oldest = to_micros(clock_.realtime()) - options_.retention.count() * 1'000'000;
  while (files_.size() > 1 && files_.front().end < oldest && files_.front().sealed) {
    remove_all_of(files_.front().path);
    log_info("a day of the history is beyond its retention and was deleted",
             {{"file", files_.front().path.filename().string()}});
    files_.erase(files_.begin());
  }
  const auto is_old = [&](const HistoryView::Span& span) { return span.to < oldest; };
  std::erase_if(gaps_, is_old);
  std::erase_if(clock_steps_, is_old);
}

}  // namespace apnat
