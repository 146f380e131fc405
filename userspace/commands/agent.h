// agent.h - what the agent's ends of the commands may ask of the agent. The
// daemon answers it; a command sees no more of the daemon than this.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/plan.h"
#include "datapath/datapath.h"
#include "events/fan_out.h"
#include "events/follow.h"
#include "history/query.h"
#include "history/store.h"
#include "slowpath/figures.h"

namespace apnat {

// The verdict counters as they stood at one moment.
struct CounterSample {
  std::uint64_t monotonic_ns = 0;
  std::vector<std::uint64_t> verdicts;  // index enum verdict
};

struct AgentFigures {
  WallTime started_at;
  std::uint64_t uptime_seconds = 0;
  CounterSample before;  // about a second before
  CounterSample now;
  SlowPathFigures slow_path;
  std::vector<FanOut::Figures> sinks;
  std::uint64_t events_held = 0;  // out of order, waiting for the ones before them
  std::uint64_t events_lost = 0;  // numbers that no record came for
  HistoryFigures history;
  WallTime history_until;  // everything that happened until then is in the history
};

class Agent {
 public:
  virtual ~Agent() = default;

  virtual Datapath& datapath() = 0;
  virtual const Plan& plan() const = 0;  // the running one
  virtual std::string node() const = 0;  // the name in every event
  virtual Followers& followers() = 0;
  virtual AgentFigures figures() const = 0;

  // Reads the configuration file again. The lines say what changes; with `dry_run` nothing does.
  virtual Result<std::vector<std::string>> reload(bool dry_run) = 0;

  // An event of the agent's own.
  virtual void tell(EventBody body) = 0;

  // Asks the history on a thread of its own; `done` comes back on this one, later. A question may take some seconds,
  // not more.
  using Question = std::function<Result<Findings>(Archive&, const HistoryView&)>;
  virtual void ask_history(Question question, std::function<void(Result<Findings>)> done) = 0;

  // Forwards were changed, at this moment or after it: the history is to know.
  virtual void rules_changed(WallTime earliest) = 0;

  // Off the interfaces, tables gone; the agent ends after it has answered.
  virtual Result<void> detach() = 0;
};

}  // namespace apnat
