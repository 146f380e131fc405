// fan_out.h - every event to every sink. What a sink had no room for is counted,
// and the sink gets a Gap in its place as soon as it takes events again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "events/sink.h"

namespace apnat {

class FanOut {
 public:
  struct Figures {
    SinkFigures sink;
    std::uint64_t lost = 0;  // events that never reached it
  };

  void add(std::unique_ptr<Sink> sink);
  // One that must have written before any other may, and that stays (keep_only). Before the others are added.
  void add_first(std::unique_ptr<Sink> sink);
  bool has(const std::string& name) const;
  // Removes the sinks that are not named. Returns how many events they still held: nobody will write them.
  std::uint64_t keep_only(const std::vector<std::string>& names);
  void rename(const std::string& node);

  void accept(const Event& event);

  // Flushes every sink. True: everything accepted is where it must be. The first error of a run of errors, and
  // their end, are told through `report`.
  template <typename Report>
  bool flush(Report&& report) {
    bool all_written = true;
    bool is_held_up = false;  // by the one that must have written before the others
    for (Outlet& outlet : outlets_) {
      if (is_held_up) {
        outlet.sink->look();
        continue;
      }
      const bool is_written = flush(outlet, report);
      all_written &= is_written;
      is_held_up = outlet.is_first && !is_written;
    }
    return all_written;
  }

  // How many more events every sink could take now.
  std::size_t room() const;

  template <typename Report>
  void reopen(Report&& report) {
    for (Outlet& outlet : outlets_) {
      if (auto opened = outlet.sink->reopen(); !opened) report(outlet.sink->figures().name, opened.error().text);
    }
  }

  std::vector<Figures> figures() const;

 private:
  struct Lost {
    Event first;  // its place and time are the Gap's
    std::uint64_t last_seq;
  };
  struct Outlet {
    std::unique_ptr<Sink> sink;
    std::optional<Lost> missing;  // refused, and not told yet
    std::uint64_t lost = 0;
    bool failing = false;
    bool is_first = false;
  };

  static bool tell_missing(Outlet& outlet);

  template <typename Report>
  static bool flush(Outlet& outlet, Report& report) {
    auto flushed = outlet.sink->flush();
    const bool failed = !flushed.has_value();
    if (failed != outlet.failing) report(outlet.sink->figures().name, failed ? flushed.error().text : "writes again");
    outlet.failing = failed;
    if (!failed && outlet.missing) tell_missing(outlet);
    return !failed;
  }

  std::vector<Outlet> outlets_;
};

}  // namespace apnat
