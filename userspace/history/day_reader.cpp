// day_reader.cpp - a look-up is one search of the index for each run.
#include "history/day_reader.h"

#include <algorithm>

#include "base/fingerprint.h"
#include "history/day_file.h"
#include "history/schema.h"

namespace apnat {

Result<std::unique_ptr<DayReader>> DayReader::open(const std::filesystem::path& path) {
  Database database = TRY(Database::open(path, Database::Use::kRead));
  TRY_VOID(database.run("BEGIN"));
  const DayFile::About about = TRY(DayFile::about_in(database));
  TRY_VOID(DayFile::check(
      database, about, {SideTable::kPool, SideTable::kSpace, SideTable::kRun, SideTable::kEpoch, SideTable::kReset}));
  Statement find_page = TRY(database.prepare(kFindPage));
  Statement next_page = TRY(database.prepare(kNextPage));
  std::unique_ptr<DayReader> reader(new DayReader(std::move(database), std::move(find_page), std::move(next_page)));
  reader->names_ = TRY(DayFile::names_in(reader->database_));
  reader->runs_ = TRY(runs_of(reader->database_, RunState::kComplete));
  Statement resets = TRY(reader->database_.prepare("SELECT last_seen_us, at_us FROM reset"));
  while (TRY(resets.step())) reader->resets_.push_back({resets.number(0), resets.number(1)});
  TRY_VOID(reader->read_epochs());
  return reader;
}

Result<void> DayReader::read_epochs() {
  Statement ask = TRY(database_.prepare("SELECT from_us, until_us, hash, body FROM epoch"));
  while (TRY(ask.step())) {
    EpochThen then{.from = ask.number(0), .until = std::nullopt, .hash = std::string(ask.bytes(2)), .epoch = nullptr};
    if (!ask.is_null(1)) then.until = ask.number(1);
    if (fingerprint(ask.bytes(3)) != then.hash) return std::unexpected(Error{EUCLEAN, "a configuration is damaged"});
    auto epoch = decode_epoch(ask.bytes(3));
    if (!epoch) return std::unexpected(Error{EUCLEAN, epoch.error().text});
    then.epoch = std::make_shared<const Epoch>(std::move(*epoch));
    epochs_.push_back(std::move(then));
  }
  return {};
}

Result<void> DayReader::read_page_at(const Run& run, LeaseKey key) {
  page_.clear();
  find_page_.bind(1, run.id).bind(2, static_cast<std::int64_t>(key));
  if (!TRY(find_page_.step())) return {};
  const auto read = read_page_row(find_page_.number(0), find_page_.bytes(1), page_);
  find_page_.reset();
  return read;
}

Result<void> DayReader::add_key(LeaseKey key, std::vector<Lease>& found) {
  for (const Run& run : runs_) {
    TRY_VOID(read_page_at(run, key));
    const auto [first, end] = std::ranges::equal_range(page_, key, {}, &Lease::key);
    found.insert(found.end(), first, end);
  }
  return {};
}

// All that begins with the address: the page in which it begins, and those after it.
Result<void> DayReader::add_address(Ip4 address, std::optional<std::uint8_t> protocol, std::vector<Lease>& found) {
  const LeaseKey first = lease_key(address, 0, 0);
  for (const Run& run : runs_) {
    find_page_.bind(1, run.id).bind(2, static_cast<std::int64_t>(first));
    LeaseKey start = first;
    if (TRY(find_page_.step())) {
      start = static_cast<LeaseKey>(find_page_.number(0));
      find_page_.reset();
    }
    for (RunCursor cursor(run.id, start);; cursor.advance()) {
      const Lease* lease = TRY(cursor.current(next_page_));
      if (!lease || address_of(lease->key) > address) break;
      const std::uint16_t space = space_of(lease->key);
      if (address_of(lease->key) < address || (protocol && space < kFirstShape && space != *protocol)) continue;
      found.push_back(*lease);
    }
  }
  return {};
}

Result<std::vector<Lease>> DayReader::leases(Ip4 address, std::optional<std::uint16_t> port,
                                             std::optional<std::uint8_t> protocol) {
  std::vector<Lease> found;
  if (!port) {
    TRY_VOID(add_address(address, protocol, found));
  } else {
    for (std::uint16_t known = 0; known < kFirstShape; ++known) {
      if (!names_.protocols()[known] || (protocol && known != *protocol)) continue;
      TRY_VOID(add_key(lease_key(address, known, *port), found));
    }
    for (std::size_t i = 0; i < names_.shapes().size(); ++i) {
      const auto block = names_.shapes()[i].block_of(*port);
      if (block) TRY_VOID(add_key(lease_key(address, static_cast<std::uint16_t>(kFirstShape + i), *block), found));
    }
  }
  fuse(found);
  end_forgotten(found, resets_);
  return found;
}

Result<void> DayReader::scan_run(const Run& run, const std::function<bool(const Lease&)>& wanted,
                                 const std::function<bool()>& go_on, std::vector<Lease>& found) {
  Statement pages = TRY(database_.prepare("SELECT key, leases FROM page WHERE run = ?1 ORDER BY key"));
  pages.bind(1, run.id);
  for (std::size_t count = 0; TRY(pages.step()); ++count) {
    if (count % 1'024 == 0 && !go_on()) return std::unexpected(Error{ETIME, "the question took too long"});
    page_.clear();
    TRY_VOID(read_page_row(pages.number(0), pages.bytes(1), page_));
    std::ranges::copy_if(page_, std::back_inserter(found), wanted);
  }
  return {};
}

Result<std::vector<Lease>> DayReader::scan(const std::function<bool(const Lease&)>& wanted,
                                           const std::function<bool()>& go_on) {
  std::vector<Lease> found;
  for (const Run& run : runs_) TRY_VOID(scan_run(run, wanted, go_on, found));
  fuse(found);
  // Whether an open one must have ended shows only among those of others on the same ports.
  for (Lease& lease : found) {
    if (!lease.is_open()) continue;
    std::vector<Lease> of_key;
    TRY_VOID(add_key(lease.key, of_key));
    fuse(of_key);
    end_forgotten(of_key, resets_);
    const auto same = std::ranges::find_if(of_key, [&](const Lease& other) { return is_same_lease(lease, other); });
    if (same != of_key.end()) lease = *same;
  }
  return found;
}

}  // namespace apnat
