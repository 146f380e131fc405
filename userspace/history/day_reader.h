// day_reader.h - the history of one day, as it is asked: a snapshot of the file on a
// connection of its own, which no writer waits for and that waits for none.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "history/database.h"
#include "history/epoch.h"
#include "history/lease.h"
#include "history/names.h"
#include "history/run.h"

namespace apnat {

class DayReader {
 public:
  struct EpochThen {
    Micros from = 0;
    std::optional<Micros> until;
    std::string hash;
    std::shared_ptr<const Epoch> epoch;
  };

  static Result<std::unique_ptr<DayReader>> open(const std::filesystem::path& path);

  const Names& names() const { return names_; }
  const std::vector<EpochThen>& epochs() const { return epochs_; }

  // What the file knows of an address: of one port or of all, of one protocol (and blocks, which serve every one) or of
  // all. Fused, and ended where it must have ended.
  Result<std::vector<Lease>> leases(Ip4 address, std::optional<std::uint16_t> port,
                                    std::optional<std::uint8_t> protocol);

  // Every lease that `wanted` says yes to, likewise. `go_on` is asked now and then; false: an error.
  Result<std::vector<Lease>> scan(const std::function<bool(const Lease&)>& wanted, const std::function<bool()>& go_on);

 private:
  DayReader(Database database, Statement find_page, Statement next_page)
      : database_(std::move(database)), find_page_(std::move(find_page)), next_page_(std::move(next_page)) {}
  Result<void> read_epochs();
  Result<void> add_key(LeaseKey key, std::vector<Lease>& found);
  Result<void> add_address(Ip4 address, std::optional<std::uint8_t> protocol, std::vector<Lease>& found);
  Result<void> scan_run(const Run& run, const std::function<bool(const Lease&)>& wanted,
                        const std::function<bool()>& go_on, std::vector<Lease>& found);
  Result<void> read_page_at(const Run& run, LeaseKey key);

  Database database_;
  Statement find_page_;
  Statement next_page_;
  std::vector<Run> runs_;
  std::vector<Reset> resets_;
  Names names_;
  std::vector<EpochThen> epochs_;
  std::vector<Lease> page_;  // the one read last
};

}  // namespace apnat
