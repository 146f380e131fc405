// day_file.h - the history of one day, as it is written: batches in, each one sorted
// run; runs merged little by little, so that a look-up never meets many.
//
// Everything is written in turns: begin(), any of the rest, commit(). What commit() has
// returned from is on the disk.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "history/database.h"
#include "history/lease.h"
#include "history/names.h"
#include "history/run.h"
#include "history/table_sums.h"

namespace apnat {

class DayFile {
 public:
  // What a file says of itself.
  struct About {
    int schema = 0;
    std::string node;
    Micros made = 0;
    Micros begin = 0;              // of what its leases are about: earlier than `made`, where it was told late
    Micros end = 0;                // of what it has been told until now
    std::string previous;          // the file of the day before; empty: none
    std::uint64_t data_plane = 0;  // whose events it has last; 0: not known
    bool carried = false;          // what was open at the end of `previous` is in it
    bool sealed = false;           // one run, nothing more to come
  };

  // Goes on with a file that is there, or makes it.
  static Result<std::unique_ptr<DayFile>> open(const std::filesystem::path& path, const About& if_new);

  const About& about() const { return about_; }
  const std::filesystem::path& path() const { return path_; }
  static Result<About> about_in(const Database& database);
  static Result<Names> names_in(const Database& database);
  // EUCLEAN: one of these tables is not as it was written. (Files of the first schema have nothing to tell it by.)
  static Result<void> check(const Database& database, const About& about, std::initializer_list<SideTable> tables);

  Result<void> begin();
  Result<void> commit();
  void roll_back();  // of what was written since begin() nothing is left

  Result<void> put_names(const Names& names);
  Result<void> put_leases(const std::vector<Lease>& sorted);
  Result<void> put_epoch(Micros from, const std::string& hash, const std::string& body);
  Result<void> end_epochs(Micros until);
  Result<void> put_gap(Micros from, Micros to, const std::string& reason);
  Result<void> put_data_plane(std::uint64_t id);
  Result<void> put_reset(const Reset& reset);
  Result<void> put_clock_step(Micros from, Micros to);
  Result<void> cut_clock_step(Micros from, Micros to, Micros sooner);  // if it is this file that has it
  Result<void> put_life(Micros at, const std::string& what);
  Result<void> reach(Micros begin, Micros end);  // widens what the file covers

  // What was open at the end of the file before, written little by little; a roll-back takes all of it back.
  Result<void> carry(const Lease& lease);
  Result<void> finish_carrying();

  // Merges of runs that are due, about `leases` leases' worth. True: there is more to do.
  Result<bool> merge(std::size_t leases);

  // Turns the file into one run, about `leases` leases' worth a call; `open` gets each lease that has not ended.
  // True: done. Only for a file that nothing is added to any more.
  using Each = std::function<Result<void>(const Lease&)>;
  Result<bool> seal(std::size_t leases, const Each& open);

  // Of a sealed file: gives the room of what was merged back to the disk, about so many pages a call, in transactions
  // of its own. True: done.
  Result<bool> tidy(std::size_t pages);

 private:
  // Runs on their way to becoming one.
  struct Merging {
    std::vector<Run> inputs;
    MergeReader reader;
    RunWriter writer;
  };

  DayFile(std::filesystem::path path, Database database) : path_(std::move(path)), database_(std::move(database)) {}
  Result<void> make(const About& if_new);
  Result<void> put_about(const About& about);
  Result<void> begin_checksums();
  Result<void> forget_unfinished();
  Result<void> set_about(const char* name, std::int64_t value);
  Result<void> find_runs();
  Result<void> start_merging(std::vector<Run> inputs, int level);
  Result<bool> merge_on(std::size_t leases, const Each& each);
  Result<void> finish_merging();
  Result<void> delete_garbage(std::size_t pages);

  std::filesystem::path path_;
  Database database_;
  About about_;
  About committed_;
  std::size_t pools_written_ = 0;
  std::size_t shapes_written_ = 0;
  std::bitset<kFirstShape> protocols_written_;
  std::vector<Run> runs_;  // complete ones
  std::vector<Run> garbage_;
  std::optional<Merging> merging_;
  bool sealing_ = false;  // merging_ is to be the last
  std::optional<RunWriter> carrying_;
  std::vector<Reset> resets_;
  TableSums sums_;
  Micros earliest_ = 0;  // while sealing: of leases that were not carried
};

}  // namespace apnat
