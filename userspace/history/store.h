// store.h - the history: who had which external ports when, a file a day, kept for as
// long as the operator says.
//
// It is the first of the sinks: what flush() has returned from is on the disk, and no
// other sink writes an event before that. An event told twice is recorded once.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "events/sink.h"
#include "history/day_file.h"
#include "history/epoch.h"
#include "history/names.h"

namespace apnat {

// What a query needs to know of the store: values, so that it may run on another thread.
struct HistoryView {
  struct File {
    std::filesystem::path path;
    Micros made = 0;   // what was open then is in it, if it is `carried`
    Micros begin = 0;  // of what it tells: earlier than `made`, where something was told late
    Micros end = 0;
    bool carried = false;
    bool sealed = false;
  };
  struct Span {
    Micros from = 0;
    Micros to = 0;
    std::string reason;
  };
  std::vector<File> files;  // oldest first
  Micros covered_from = 0;
  Micros covered_until = 0;
  std::vector<Span> gaps;         // inside it, where something may be missing
  std::vector<Span> clock_steps;  // these times passed twice
};

struct HistoryFigures {
  std::filesystem::path folder;
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t leases_written = 0;  // by this agent
  Micros covered_from = 0;
  std::size_t gaps = 0;
  std::size_t files_set_aside = 0;  // damaged; found when this agent started
  SinkFigures writing;
};

class HistoryStore final : public Sink {
 public:
  struct Options {
    std::filesystem::path folder;
    std::string node;
    std::chrono::seconds retention = std::chrono::days(365);
    std::size_t most_waiting = 256 * 1024;  // events, as many as a full ring holds
  };

  // Looks through what is there: a file that is damaged is set aside, and its day is a gap. A full disk is not
  // refused: it may have room later.
  static Result<std::unique_ptr<HistoryStore>> open(Options options, const Clock& clock);
  ~HistoryStore() override;

  bool accept(const Event& event) override;
  Result<void> flush() override;
  std::size_t room() const override;
  SinkFigures figures() const override;
  void rename(const std::string& node) override { options_.node = node; }

  // From now on this decides who gets which port. It was put in place between the two moments, and until the second
  // the one before it may still have decided. What is running already may be said again.
  void begin_epoch(const Epoch& epoch, WallTime earliest, WallTime latest);

  // What comes from now on is this data plane's: `id` is no other's. Where the history has another's until now, that
  // one had ended by the time this one began, and all that was open with it. The agent that began it (it is not
  // `adopted`) may have died before it had that on record; so may some after it.
  void follow(std::uint64_t id, WallTime began, bool adopted);

  // A data plane began anew at this moment: whatever was open before had ended by then.
  void begin_anew(WallTime at);

  // Wall clock minus monotonic clock, as the agent before this one knew it: a clock set back while there was none
  // shows.
  void expect_clock(std::int64_t offset_ns) { clock_offset_ns_ = offset_ns; }
  // What the next agent is to expect; none: not known, or a step is not written yet.
  std::optional<std::int64_t> clock_offset() const {
    return pending_.clock_steps.empty() ? clock_offset_ns_ : std::nullopt;
  }

  // This block is held now: recorded if the event that said so was lost.
  void hold(const PortBlockAssigned& block, WallTime assigned_at);
  // Events were missed since it was last asked: what is held now should be said again.
  bool wants_holdings();

  // Once a second: a new day's file, the old one sealed, files beyond retention deleted.
  void work();
  bool has_work() const;  // a day that is over is not closed yet
  void set_retention(std::chrono::seconds retention) { options_.retention = retention; }

  HistoryView view(WallTime covered_until) const;
  HistoryFigures history_figures() const;

 private:
  struct Taker;
  struct EpochNow {
    std::string bytes;
    std::string hash;
    Micros from = 0;
  };
  // Accepted, not written yet.
  struct Pending {
    std::vector<Lease> leases;
    std::vector<HistoryView::Span> gaps;
    std::vector<HistoryView::Span> clock_steps;
    std::vector<std::pair<HistoryView::Span, Micros>> cut_steps;  // on record, and over sooner
    std::vector<Reset> resets;
    std::vector<std::pair<Micros, std::string>> life;
    struct Epoch {
      EpochNow epoch;
      Micros before_ended = 0;
    };
    std::vector<Epoch> epochs;
    std::optional<EpochNow> epoch_before;  // the first of them
    // What has been written until now was another data plane's, by a clock that was ahead: it ends with its files.
    std::optional<Micros> ended_at;
    std::optional<std::uint64_t> data_plane;
    Micros begin = Lease::kOpen;
    Micros end = 0;
    std::size_t events = 0;
    WallTime oldest{};  // of them
    bool heartbeat = false;
    bool is_empty() const;
  };
  // How a pool's records become leases.
  struct PoolNow {
    std::uint16_t number = 0;
    std::uint16_t space = 0;
    std::optional<Shape> shape;
  };

  HistoryStore(Options options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}

  // Opening.
  Result<void> find_files();
  Result<void> look_into(const std::filesystem::path& path, bool check);
  void set_aside(const std::filesystem::path& path, const std::string& why);
  Result<void> remember_newest();
  Result<void> remember(const std::filesystem::path& path);
  void remember_passing();

  // Taking events.
  void note_time(const Event& event);
  void note_clock(WallTime wall, std::uint64_t monotonic_ns);
  void passes_twice(Micros from, Micros to, bool began_anew);
  void set_forward(Micros before, Micros after);
  void note_start(const Event& event, const AgentStarted& started);
  std::optional<Lease> block_lease(const std::string& pool, const Prefix& subscriber, Ip4 address,
                                   const std::vector<PortRange>& ports);
  std::optional<Lease> mapping_lease(const std::string& pool, const Prefix& subscriber, std::uint8_t protocol,
                                     const Endpoint& internal, const Endpoint& external);
  PoolNow* pool_now(const std::string& name, const Prefix& subscriber);
  void put(std::optional<Lease> lease, const Event& event);
  void end_under_other_shapes(const Lease& ended, const PortBlockReleased& block, const Event& event);

  // Writing.
  Result<void> write_pending();
  Result<void> write_into(DayFile& file);
  Result<void> use_todays_file();
  Result<void> end_all_files(Micros last);
  Result<void> write_into_earlier_files();
  Result<void> put_resets(const std::filesystem::path& path, const std::vector<Reset>& resets);
  Result<void> make_file(std::uint32_t day);
  void give_up_turn();

  // Upkeep.
  Result<void> seal_some();
  Result<bool> find_unsealed();
  void delete_old();

  Options options_;
  const Clock& clock_;
  std::vector<HistoryView::File> files_;
  std::vector<HistoryView::Span> gaps_;
  std::vector<HistoryView::Span> clock_steps_;
  std::size_t set_aside_ = 0;

  std::unique_ptr<DayFile> file_;     // the newest
  std::unique_ptr<DayFile> sealing_;  // an older one
  std::unique_ptr<DayFile> target_;   // the one after it, where that is not the newest
  Names names_;
  std::optional<EpochNow> epoch_;
  std::uint64_t data_plane_ = 0;  // on record; 0: not known
  std::map<std::string, PoolNow, std::less<>> pools_;
  std::string last_pool_;  // of pools_, to find it faster
  PoolNow* last_pool_now_ = nullptr;

  Pending pending_;
  // The time that passes for the second time now.
  struct Passing {
    HistoryView::Span span;
    bool began_anew = false;  // with another data plane
  };
  std::optional<Passing> passing_;
  std::optional<std::int64_t> clock_offset_ns_;  // wall - monotonic, when it was last seen
  Micros last_time_ = 0;                         // of events, and of the file that was found
  std::uint64_t last_seq_ = 0;
  bool missed_events_ = true;
  std::uint64_t events_written_ = 0;
  std::uint64_t leases_written_ = 0;
  std::uint64_t worked_at_ns_ = 0;
  bool merge_due_ = false;
  bool careful_ = false;  // the last write failed: do only what must be done
  Attempts attempts_;
};

}  // namespace apnat
