// daemon.cpp - start order, the turn of the loop, and the two ways to end.
#include "apnatd/daemon.h"

#include <fmt/format.h>
#include <net/if.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <iterator>

#include "apnatd/load_plan.h"
#include "apnatd/sinks.h"
#include "base/log.h"
#include "commands/command.h"
#include "commands/rates.h"
#include "config/change.h"
#include "history/epoch.h"

namespace apnat {
namespace {

// Several times as many turns as a full ring needs.
constexpr int kMostTurns = 16;

// How often what is stuck is tried again, and the ring looked at though nobody rang.
constexpr auto kRetry = std::chrono::milliseconds(200);

constexpr const char* kGroup = "apnat";

// Questions to the history that may wait, and how long one may take.
constexpr std::size_t kMostQuestions = 16;
constexpr auto kPatience = std::chrono::seconds(8);

// How often it is looked whether the forwards are still those the history knows.
constexpr auto kRulesEvery = std::chrono::seconds(60);

// All blocks, without what lives in them.
Filter who_holds() {
  Filter filter;
  filter.with_live_mappings = false;
  return filter;
}

}  // namespace

// The data plane's ring, as the pump wants it.
class Daemon::Ring final : public RecordSource {
 public:
  explicit Ring(Datapath& datapath) : datapath_(datapath) {}
  std::size_t read(const std::function<void(const event_record&)>& each, std::size_t at_most) override {
    return datapath_.read_ring(each, at_most);
  }
  void release() override { datapath_.release_ring(); }
  bool is_crowded() const override {
    const RingFigures ring = datapath_.ring();
    return ring.waiting_bytes > ring.size_bytes / 2;
  }
  std::uint64_t take_seq() override { return datapath_.take_seq(); }
  std::uint64_t settled_seq() override { return datapath_.settled_seq(); }
  std::uint64_t consumed_seq() const override { return datapath_.consumed_seq(); }
  void set_consumed_seq(std::uint64_t below) override { datapath_.set_consumed_seq(below); }

 private:
  Datapath& datapath_;
};

// The names behind a record's numbers.
class Daemon::Names final : public Facts {
 public:
  explicit Names(const Datapath& datapath) : datapath_(datapath) {}
  std::string pool_name(std::uint16_t pool) const override { return datapath_.pool_name(pool); }
  bool logs_destinations(std::uint16_t pool) const override { return datapath_.logs_destinations(pool); }
  Prefix subscriber_of(std::uint16_t pool, Ip4 address) const override {
    return datapath_.subscriber_of(pool, address);
  }
  std::vector<PortRange> ports_of(std::uint16_t pool, struct slot_range slots) const override {
    return datapath_.ports_of(pool, slots);
  }
  std::string interface_name(std::uint16_t ifindex) const override {
    char name[IF_NAMESIZE] = {};
    return ::if_indextoname(ifindex, name) ? name : fmt::format("interface {}", ifindex);
  }

 private:
  const Datapath& datapath_;
};

Daemon::Daemon(std::filesystem::path config_file, EventLoop loop, Plan plan)
    : config_file_(std::move(config_file)),
      loop_(std::move(loop)),
      plan_(std::move(plan)),
      node_(node_of(plan_)),
      started_at_(clock_.realtime()),
      started_ns_(clock_.monotonic_ns()),
      told_until_(started_at_),
      rules_noted_at_(started_at_),
      archive_([this] { return !worker_->is_stopping() && std::chrono::steady_clock::now() < patience_ends_; }),
      followers_(node_) {}

Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(const std::filesystem::path& config_file) {
  Plan plan = TRY(load_plan(config_file, {}));
  std::unique_ptr<Daemon> daemon(new Daemon(config_file, TRY(EventLoop::open()), std::move(plan)));
  TRY_VOID(daemon->open_rooms());
  TRY_VOID(daemon->watch());
  // After the signals are taken: threads made from here on leave them to this one.
  daemon->slow_path_ = TRY(SlowPath::start(daemon->plan_.config.fragments));
  daemon->slow_path_->keep_up(*daemon->datapath_, daemon->plan_);
  daemon->announce_start();
  daemon->sweep();  // what the agent before had begun to end
  return daemon;
}

// The control socket comes before the data plane: it shows that no other agent is at work here.
Result<void> Daemon::open_rooms() {
  TRY_VOID(open_control());
  TRY_VOID(open_history());
  for (auto& sink : TRY(open_missing_sinks(plan_.config, node_, sinks_))) sinks_.add(std::move(sink));
  datapath_.emplace(TRY(Datapath::open(plan_)));
  ring_ = std::make_unique<Ring>(*datapath_);
  names_ = std::make_unique<Names>(*datapath_);
  pump_ = std::make_unique<Pump>(*ring_, *names_, clock_, sinks_, followers_,
                                 [](const std::string& sink, const std::string& what) {
                                   log_warning("event sink", {{"sink", sink}, {"says", what}});
                                 });
  now_ = before_ = {clock_.monotonic_ns(), datapath_->verdicts()};
  return {};
}

// The first of the sinks: no other writes an event, and no record leaves the ring, before the history has it on disk.
Result<void> Daemon::open_history() {
  auto history =
      TRY(HistoryStore::open({plan_.config.paths.state / "history", node_, plan_.config.history.retention}, clock_));
  history_ = history.get();
  sinks_.add_first(std::move(history));
  worker_ = TRY(Worker::start(kMostQuestions));
  return {};
}

Result<void> Daemon::open_control() {
  for (const AgentCommand& command : kAgentCommands) {
    const AgentEnd run = command.run;
    routes_[command.name] = {command.way, [this, run](const Arguments& arguments, const AnswerTo& answer) {
                               run(*this, arguments, answer);
                             }};
  }
  const auto find = [this](std::string_view name) -> const Route* {
    const auto found = routes_.find(name);
    return found == routes_.end() ? nullptr : &found->second;
  };
  server_ = TRY(Server::open(loop_, plan_.config.paths.socket, kGroup, find, {}));
  return {};
}

Result<void> Daemon::watch() {
  TRY_VOID(loop_.on_signal(SIGTERM, [this] { stop("SIGTERM"); }));
  TRY_VOID(loop_.on_signal(SIGINT, [this] { stop("SIGINT"); }));
  TRY_VOID(loop_.on_signal(SIGHUP, [this] { hang_up(); }));
  TRY_VOID(loop_.watch(datapath_->ring_fd(), EPOLLIN, [this](std::uint32_t) { pump(); }));
  ring_watched_ = true;
  TRY_VOID(loop_.watch(datapath_->routes_fd(), EPOLLIN, [this](std::uint32_t) { datapath_->heed_routes(); }));
  TRY(loop_.every(kRetry, [this] {
    pump();
    datapath_->heed_routes();
  }));
  TRY_VOID(loop_.watch(worker_->fd(), EPOLLIN, [this](std::uint32_t) { worker_->deliver(); }));
  TRY(loop_.every(std::chrono::seconds(1), [this] { every_second(); }));
  return {};
}

// What is in the ring is older than this agent: it goes first.
void Daemon::announce_start() {
  const Datapath::Opened& opened = datapath_->opened();
  history_->follow(opened.began_at_tai_ns, opened.adopted ? clock_.from_tai(opened.began_at_tai_ns) : started_at_,
                   opened.adopted);
  if (opened.adopted && datapath_->clock_offset_ns() != 0) history_->expect_clock(datapath_->clock_offset_ns());
  rules_changed(started_at_);
  pump();
  pump_->tell(AgentStarted{APNAT_VERSION, opened.adopted, opened.mappings_adopted});
  tell_config();
  tell_holdings();
  pump();
  log_notice(opened.adopted ? "took over a running data plane" : "started a new data plane",
             {{"node", node_}, {"mappings", opened.mappings_adopted}, {"config", config_file_.string()}});
  for (const InterfaceView& interface : datapath_->interfaces()) {
    log_info("interface", {{"name", interface.name}, {"role", interface.role}, {"mode", interface.mode}});
    for (const std::string& warning : interface.warnings) log_warning(warning, {{"interface", interface.name}});
  }
  ::sd_notify(0, "READY=1");
}

Result<Daemon::End> Daemon::run() {
  TRY_VOID(loop_.run());
  ::sd_notify(0, "STOPPING=1");
  announce_stop();
  return detached_ ? End::kDetached : End::kStopped;
}

void Daemon::announce_stop() {
  pump_->tell(AgentStopped{stop_reason_});
  pump_out();
  for (const FanOut::Figures& sink : sinks_.figures()) {
    if (!sink.sink.waiting) continue;
    log_error("events could not be written; those of the ring are left to the next agent",
              {{"sink", sink.sink.name}, {"events", sink.sink.waiting}, {"error", sink.sink.error}});
  }
  log_notice("stopped", {{"reason", stop_reason_}, {"translating", !detached_}});
}

// While something is stuck the ring would ring without end: the retry timer comes back to it.
bool Daemon::pump() {
  const WallTime now = clock_.realtime();
  const bool went_well = pump_->turn();
  if (went_well && pump_->is_level()) told_until_ = now;
  if (went_well && pump_->held() == 0 && !is_telling_) datapath_->give_back();
  if (went_well == ring_watched_) return went_well;
  if (loop_.change(datapath_->ring_fd(), went_well ? std::uint32_t{EPOLLIN} : 0)) ring_watched_ = went_well;
  return went_well;
}

// To the end of the ring, which may hold more than one turn takes; but programs go on filling it.
void Daemon::pump_out() {
  for (int turn = 0; turn < kMostTurns && pump() && !pump_->is_level(); ++turn) {
  }
}

void Daemon::every_second() {
  before_ = std::move(now_);
  now_ = {clock_.monotonic_ns(), datapath_->verdicts()};
  sweep();
  if (slow_path_) slow_path_->keep_up(*datapath_, plan_);
  tell_holdings();
  if (clock_.realtime() >= rules_noted_at_ + kRulesEvery) rules_changed(rules_noted_at_);
  history_->work();
  if (const auto offset = history_->clock_offset()) datapath_->set_clock_offset_ns(*offset);
  const PacketRates rates = packet_rates(before_, now_);
  ::sd_notifyf(0, "WATCHDOG=1\nSTATUS=%llu packets/s, %llu dropped/s",
               static_cast<unsigned long long>(rates.per_second),
               static_cast<unsigned long long>(rates.dropped_per_second));
}

// What the sweeper ends must be told: while nothing can be written, nothing is ended.
void Daemon::sweep() {
  if (!pump_->may_tell()) return;
  std::vector<EventBody> ended;
  datapath_->sweep(ended, pump_->room() / 2);
  if (slow_path_) std::ranges::move(slow_path_->take_events(), std::back_inserter(ended));
  tell_all(ended);
  pump();
}

// They may be very many, and take their numbers behind what is still in the ring: that is read in between.
void Daemon::tell_all(std::vector<EventBody>& bodies) {
  is_telling_ = true;  // what is still in `bodies` is on no record yet: no block of it may be given back
  for (EventBody& body : bodies) {
    for (bool goes_well = true; goes_well && !pump_->may_tell();) goes_well = pump();
    pump_->tell(std::move(body));
  }
  bodies.clear();
  is_telling_ = false;
}

void Daemon::tell(EventBody body) {
  pump_->tell(std::move(body));
  pump();
}

void Daemon::ask_history(Question question, std::function<void(Result<Findings>)> done) {
  pump();
  struct Shared {
    Result<Findings> findings = fail("not answered");
  };
  const auto shared = std::make_shared<Shared>();
  const auto view = std::make_shared<const HistoryView>(history_->view(told_until_));
  const bool is_taken = worker_->ask(
      [this, shared, view, question = std::move(question)] {
        patience_ends_ = std::chrono::steady_clock::now() + kPatience;
        shared->findings = question(archive_, *view);
      },
      [shared, done] { done(std::move(shared->findings)); });
  if (!is_taken) done(fail("the history is answering as many questions as it may; try again"));
}

// What gives ports by a rule, as it is now. Saying the same again changes nothing.
void Daemon::rules_changed(WallTime earliest) {
  Epoch epoch{plan_.pools, {}};
  for (PlannedPool& pool : epoch.pools) {
    if (const auto row = datapath_->pool_row(pool.name)) std::ranges::copy(row->layout_key, pool.row.layout_key);
  }
  for (const ForwardView& view : datapath_->forwards()) epoch.forwards.push_back(view.forward);
  rules_noted_at_ = clock_.realtime();
  history_->begin_epoch(epoch, earliest, rules_noted_at_);
}

// After events were missed, and at start: the block table knows who holds what, and since when.
void Daemon::tell_holdings() {
  if (!history_->wants_holdings()) return;
  datapath_->blocks(who_holds(), [&](const BlockView& block) {
    if (block.assigned_at) {
      history_->hold({block.pool, block.subscriber, block.external_address, block.ports}, *block.assigned_at);
    }
    return true;
  });
}

void Daemon::tell_config() {
  pump_->tell(ConfigApplied{plan_.hash, plan_.parameters + (plan_.logging.empty() ? "" : "; " + plan_.logging)});
}

void Daemon::hang_up() {
  ::sd_notify(0, "RELOADING=1");
  sinks_.reopen([](const std::string& sink, const std::string& why) {
    log_error("event sink was not opened anew; the old file is kept", {{"sink", sink}, {"error", why}});
  });
  const auto changes = reload(false);
  if (!changes) {
    log_error("reload refused, the running configuration stays: " + changes.error().text);
  } else {
    for (const std::string& line : *changes) log_notice("reload: " + line);
    if (changes->empty()) log_notice("reload: nothing changed");
  }
  ::sd_notify(0, "READY=1");
}

Result<std::vector<std::string>> Daemon::reload(bool dry_run) {
  Plan wanted =
      TRY(load_plan(config_file_, {.tables = plan_.memory_bytes(), .fragments = plan_.config.fragments.memory}));
  const Change changes = TRY(change(plan_, wanted));
  if (dry_run || changes.empty()) return changes.lines;
  const std::string node = node_of(wanted);
  auto new_sinks = TRY(open_missing_sinks(wanted.config, node, sinks_));

  const WallTime before = clock_.realtime();
  std::vector<EventBody> ended;
  const auto applied = datapath_->apply(wanted, ended);
  tell_all(ended);
  pump();  // sinks that are about to go get what is still theirs
  if (!applied) return within("the data plane refused", applied.error());

  const std::vector<std::string> unchanged = unchanged_sink_names(plan_.config, wanted.config);
  plan_ = std::move(wanted);
  slow_path_->keep_up(*datapath_, plan_);
  node_ = node;
  followers_.rename(node);
  sinks_.rename(node);
  history_->set_retention(plan_.config.history.retention);
  rules_changed(before);
  for (auto& sink : new_sinks) sinks_.add(std::move(sink));
  if (const std::uint64_t abandoned = sinks_.keep_only(sink_names(plan_.config))) {
    log_error("a sink was taken away with events it had not written", {{"events", abandoned}});
  }
  change_sinks(unchanged);
  tell_config();
  pump();
  return changes.lines;
}

// Two sinks cannot share a spool: the old one goes, and the new one finds what it had not delivered.
void Daemon::change_sinks(const std::vector<std::string>& unchanged) {
  sinks_.keep_only(unchanged);
  auto opened = open_missing_sinks(plan_.config, node_, sinks_);
  if (!opened) {
    log_error("an event sink could not be opened with its new settings", {{"error", opened.error().text}});
    return;
  }
  for (auto& sink : *opened) sinks_.add(std::move(sink));
}

// The programs go first; what they wrote until then is told, then that every block is free.
Result<void> Daemon::detach() {
  TRY_VOID(datapath_->detach());
  detached_ = true;
  slow_path_.reset();
  pump_out();
  release_all_blocks();
  stop("detached: nothing is translated any more");
  return {};
}

void Daemon::release_all_blocks() {
  std::vector<EventBody> released;
  datapath_->blocks(who_holds(), [&](const BlockView& block) {
    if (block.assigned_at) {
      released.push_back(PortBlockReleased{block.pool, block.subscriber, block.external_address, block.ports,
                                           *block.assigned_at, block.mappings_created});
    }
    return true;
  });
  tell_all(released);
}

void Daemon::stop(std::string reason) {
  stop_reason_ = std::move(reason);
  loop_.stop();
}

AgentFigures Daemon::figures() const {
  return {.started_at = started_at_,
          .uptime_seconds = (clock_.monotonic_ns() - started_ns_) / 1'000'000'000,
          .before = before_,
          .now = now_,
          .slow_path = slow_path_ ? slow_path_->figures() : SlowPathFigures{},
          .sinks = sinks_.figures(),
          .events_held = pump_->held(),
          .events_lost = pump_->lost(),
          .history = history_->history_figures(),
          .history_until = told_until_};
}

}  // namespace apnat
