// daemon.h - the agent: owns one of each room, in the order they start, and wires
// them. It decides nothing that a room could decide.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/worker.h"
#include "commands/agent.h"
#include "config/plan.h"
#include "control/server.h"
#include "datapath/datapath.h"
#include "events/fan_out.h"
#include "events/follow.h"
#include "events/pump.h"
#include "history/query.h"
#include "history/store.h"
#include "slowpath/slow_path.h"

namespace apnat {

class Daemon final : public Agent {
 public:
  enum class End { kStopped, kDetached };

  // Everything that can be refused is refused before the data plane is touched.
  static Result<std::unique_ptr<Daemon>> start(const std::filesystem::path& config_file);
  ~Daemon() override;

  // Until a signal, or detach. The data plane goes on translating after kStopped.
  Result<End> run();

  Datapath& datapath() override { return *datapath_; }
  const Plan& plan() const override { return plan_; }
  std::string node() const override { return node_; }
  Followers& followers() override { return followers_; }
  AgentFigures figures() const override;
  Result<std::vector<std::string>> reload(bool dry_run) override;
  Result<void> detach() override;
  void tell(EventBody body) override;
  void ask_history(Question question, std::function<void(Result<Findings>)> done) override;
  void rules_changed(WallTime earliest) override;

 private:
  Daemon(std::filesystem::path config_file, EventLoop loop, Plan plan);

  Result<void> open_rooms();
  Result<void> open_history();
  Result<void> open_control();
  Result<void> watch();
  void announce_start();
  void announce_stop();

  bool pump();  // false: something is stuck
  void pump_out();
  void every_second();
  void sweep();
  void tell_all(std::vector<EventBody>& bodies);
  void tell_config();
  void tell_holdings();
  void release_all_blocks();
  void change_sinks(const std::vector<std::string>& unchanged);
  void hang_up();  // SIGHUP: the file, and the sinks' files
  void stop(std::string reason);

  class Ring;
  class Names;

  std::filesystem::path config_file_;
  EventLoop loop_;
  SystemClock clock_;
  Plan plan_;
  std::string node_;
  WallTime started_at_;
  std::uint64_t started_ns_;
  FanOut sinks_;
  HistoryStore* history_ = nullptr;  // the first of sinks_
  WallTime told_until_;              // when the ring was last read empty and written
  WallTime rules_noted_at_;
  Archive archive_;  // the worker's alone, as the next
  std::chrono::steady_clock::time_point patience_ends_;
  std::unique_ptr<Worker> worker_;
  Followers followers_;
  std::map<std::string, Route, std::less<>> routes_;
  std::unique_ptr<Server> server_;
  std::optional<Datapath> datapath_;
  std::unique_ptr<SlowPath> slow_path_;
  std::unique_ptr<Ring> ring_;
  std::unique_ptr<Names> names_;
  std::unique_ptr<Pump> pump_;
  CounterSample before_;
  CounterSample now_;
  bool ring_watched_ = false;
  bool is_telling_ = false;
  std::string stop_reason_;
  bool detached_ = false;
};

}  // namespace apnat
