// store.cpp - events become leases, leases become batches. Files are store_files.cpp's.
#include "history/store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/fingerprint.h"
#include "base/log.h"

namespace apnat {
namespace {

// Wall clock against monotonic clock, between two events: less is the time between two readings of them.
constexpr std::int64_t kClockStepNs = 5'000'000;
constexpr std::uint64_t kHeartbeatNs = 30'000'000'000;
constexpr const char* kSetBack = "the clock was set back";
constexpr const char* kBeganAnew = "the data plane began anew; its last events before that may be missing";
// Forward: less is an NTP that slews.
constexpr std::int64_t kSetForwardNs = 1'000'000'000;

std::uint32_t clock_error_of(const Event& event) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(event.clock_error.count(), 0, 0xffffffff));
}

}  // namespace

HistoryStore::~HistoryStore() = default;

bool HistoryStore::Pending::is_empty() const {
  return !ended_at && !data_plane && leases.empty() && gaps.empty() && clock_steps.empty() && cut_steps.empty() &&
         resets.empty() && life.empty() && epochs.empty() && events == 0 && !heartbeat;
}

// ---- taking events ----------------------------------------------------------------------------

// What each event says of who has which ports.
struct HistoryStore::Taker {
  HistoryStore& store;
  const Event& event;

  void operator()(const PortBlockAssigned& e) const {
    store.put(store.block_lease(e.pool, e.subscriber, e.external_address, e.ports), event);
  }
  void operator()(const PortBlockReleased& e) const {
    auto lease = store.block_lease(e.pool, e.subscriber, e.external_address, e.ports);
    if (lease) {
      lease->from = to_micros(e.assigned_at), lease->to = to_micros(event.time);
      store.end_under_other_shapes(*lease, e, event);
    }
    store.put(std::move(lease), event);
  }
  void operator()(const MappingCreated& e) const {
    auto lease = store.mapping_lease(e.pool, e.subscriber, e.protocol, e.internal, e.external);
    if (lease) lease->destination = e.destination;
    store.put(std::move(lease), event);
  }
  void operator()(const MappingDeleted& e) const {
    auto lease = store.mapping_lease(e.pool, e.subscriber, e.protocol, e.internal, e.external);
    if (lease) lease->from = to_micros(e.created_at), lease->to = to_micros(event.time);
    store.put(std::move(lease), event);
  }
  void operator()(const AgentStarted& e) const { store.note_start(event, e); }
  void operator()(const AgentStopped& e) const {
    store.pending_.life.emplace_back(to_micros(event.time), "stopped: " + e.reason);
  }
  void operator()(const Gap& e) const {
    const Micros before = store.last_time_ ? store.last_time_ : to_micros(event.time);
    store.pending_.gaps.push_back({std::min(before, to_micros(event.time)), to_micros(event.time),
                                   fmt::format("events {} to {} are missing: {}", e.first_seq, e.last_seq, e.reason)});
    store.missed_events_ = true;
  }
  // They give nobody a port.
  void operator()(const QuotaExceeded&) const {}
  void operator()(const PoolExhausted&) const {}
  void operator()(const SourceSpoofed&) const {}
  void operator()(const Ipv4IdRepeated&) const {}
  void operator()(const FragmentIdsWrapped&) const {}
  void operator()(const TraceAsked&) const {}
  void operator()(const ConfigApplied&) const {}  // begin_epoch says it in full
};

bool HistoryStore::accept(const Event& event) {
  if (room() == 0) return false;
  std::visit(Taker{*this, event}, event.body);
  if (pending_.events++ == 0) pending_.oldest = event.time;
  note_time(event);
  return true;
}

std::size_t HistoryStore::room() const {
  const std::size_t held = std::max(pending_.events, pending_.leases.size());
  return options_.most_waiting - std::min(options_.most_waiting, held);
}

void HistoryStore::note_time(const Event& event) {
  const Micros time = to_micros(event.time);
  note_clock(event.time, event.monotonic_ns);
  pending_.begin = std::min(pending_.begin, time);
  pending_.end = std::max(pending_.end, time);
  last_time_ = time;
  last_seq_ = event.seq;
}

void HistoryStore::note_clock(WallTime wall, std::uint64_t monotonic_ns) {
  const std::int64_t offset = wall.time_since_epoch().count() - static_cast<std::int64_t>(monotonic_ns);
  if (clock_offset_ns_ && offset < *clock_offset_ns_ - kClockStepNs) {
    const Micros back = (*clock_offset_ns_ - offset) / 1'000;
    passes_twice(to_micros(wall), to_micros(wall) + back, false);
  }
  if (clock_offset_ns_ && offset > *clock_offset_ns_ + kSetForwardNs) {
    set_forward(to_micros(wall) - (offset - *clock_offset_ns_) / 1'000, to_micros(wall));
  }
  clock_offset_ns_ = offset;
}

void HistoryStore::passes_twice(Micros from, Micros to, bool began_anew) {
  passing_ = Passing{{from, to, kSetBack}, began_anew};
  pending_.clock_steps.push_back(passing_->span);
}

// A machine that comes up in 1970 is put right a moment later: only that moment passed twice, not all the years since.
void HistoryStore::set_forward(Micros before, Micros after) {
  if (!passing_ || before < passing_->span.from || before >= passing_->span.to) return;
  const HistoryView::Span was = passing_->span;
  const auto is_it = [&](const HistoryView::Span& span) { return span.from == was.from && span.to == was.to; };
  if (const auto found = std::ranges::find_if(pending_.clock_steps, is_it); found != pending_.clock_steps.end()) {
    found->to = before;
  } else if (const auto old = std::ranges::find_if(clock_steps_, is_it); old != clock_steps_.end()) {
    pending_.cut_steps.emplace_back(was, old->to = before);
  }
  // How long the machine had been down by the right clock is known now.
  if (passing_->began_anew && after > was.to) pending_.gaps.push_back({was.to, after, kBeganAnew});
  const bool began_anew = passing_->began_anew;
  passing_.reset();
  if (after < was.to) passes_twice(after, was.to, began_anew);
}

void HistoryStore::note_start(const Event& event, const AgentStarted& started) {
  const Micros now = to_micros(event.time);
  pending_.life.emplace_back(now, fmt::format("started: apnatd {}{}", started.version,
                                              started.adopted ? ", took over a running data plane" : ""));
  const bool is_known = passing_ && passing_->span.from <= now && last_time_ <= passing_->span.to;
  if (now < last_time_ && !is_known) passes_twice(now, last_time_, false);
}

void HistoryStore::follow(std::uint64_t id, WallTime began, bool adopted) {
  if (id == data_plane_) return;
  // A history that does not know whose it is was written by an agent that knew nothing of this.
  if (!adopted || data_plane_ != 0) begin_anew(began);
  pending_.data_plane = id;
}

void HistoryStore::begin_anew(WallTime at) {
  if (last_time_ == 0) return;  // the first of its history
  const Micros now = to_micros(at);
  const Micros last = files_.empty() ? last_time_ : files_.back().end;
  if (now < last) {
    // From here on times do not tell what was before from what came after.
    pending_.ended_at = last;
    pending_.gaps.push_back({last, last + static_cast<Micros>(kHeartbeatNs / 1'000), kBeganAnew});
    passes_twice(now, std::max(last, last_time_), true);
    last_time_ = now;
    return;
  }
  pending_.resets.push_back({last, now});
  pending_.gaps.push_back({last, now, kBeganAnew});
}

HistoryStore::PoolNow* HistoryStore::pool_now(const std::string& name, const Prefix& subscriber) {
  if (last_pool_now_ && last_pool_ == name) return last_pool_now_;
  auto found = pools_.find(name);
  if (found == pools_.end()) {
    const auto number = names_.number_of(Names::Pool{name, subscriber.length()});
    if (!number) return nullptr;
    found = pools_.emplace(name, PoolNow{*number, 0, std::nullopt}).first;
  }
  last_pool_ = name;
  return last_pool_now_ = &found->second;
}

std::optional<Lease> HistoryStore::block_lease(const std::string& pool, const Prefix& subscriber, Ip4 address,
                                               const std::vector<PortRange>& ports) {
  const PoolNow* now = pool_now(pool, subscriber);
  if (!now || ports.empty()) return std::nullopt;
  std::uint16_t space = now->space;
  auto block = now->shape ? now->shape->block_of(ports) : std::nullopt;
  if (!block) {  // a record of a pool as it was before, or that is no longer there
    const auto number = names_.number_of(Shape::of_ports(ports));
    if (!number) return std::nullopt;
    space = *number;
    block = 0;
  }
  Lease lease;
  lease.key = lease_key(address, space, *block);
  lease.holder = subscriber.first();
  lease.pool = now->number;
  return lease;
}

// The block may have been assigned when its pool was cut in another way, and was recorded as that: what has ended under
// one number has not ended under another. Answers put equal candidates together.
void HistoryStore::end_under_other_shapes(const Lease& ended, const PortBlockReleased& block, const Event& event) {
  const auto& shapes = names_.shapes();
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const auto number = shapes[i].block_of(block.ports);
    const auto space = static_cast<std::uint16_t>(kFirstShape + i);
    if (!number || space == space_of(ended.key)) continue;
    Lease lease = ended;
    lease.key = lease_key(block.external_address, space, *number);
    put(std::move(lease), event);
  }
}

std::optional<Lease> HistoryStore::mapping_lease(const std::string& pool, const Prefix& subscriber,
                                                 std::uint8_t protocol, const Endpoint& internal,
                                                 const Endpoint& external) {
  const PoolNow* now = pool_now(pool, subscriber);
  if (!now) return std::nullopt;
  names_.note_protocol(protocol);
  Lease lease;
  lease.key = lease_key(external.address, protocol, external.port);
  lease.holder = subscriber.first();
  lease.pool = now->number;
  lease.internal = internal;
  return lease;
}

// An assignment begins with its event; what has ended brings its beginning with it.
void HistoryStore::put(std::optional<Lease> lease, const Event& event) {
  if (!lease) {
    const Micros time = to_micros(event.time);
    pending_.gaps.push_back({time, time, fmt::format("event {} could not be recorded: too many names", event.seq)});
    return;
  }
  lease->clock_error_us = clock_error_of(event);
  if (lease->is_open()) lease->from = to_micros(event.time);
  pending_.leases.push_back(*std::move(lease));
}

void HistoryStore::hold(const PortBlockAssigned& block, WallTime assigned_at) {
  auto lease = block_lease(block.pool, block.subscriber, block.external_address, block.ports);
  if (!lease) return;
  lease->from = to_micros(assigned_at);
  pending_.leases.push_back(*std::move(lease));
}

bool HistoryStore::wants_holdings() { return std::exchange(missed_events_, false); }

void HistoryStore::begin_epoch(const Epoch& epoch, WallTime earliest, WallTime latest) {
  pools_.clear();
  last_pool_now_ = nullptr;
  for (const PlannedPool& pool : epoch.pools) {
    PoolNow now;
    now.number = names_.number_of(Names::Pool{pool.name, pool.row.subscriber_prefix_length}).value_or(0);
    if (pool.row.assignment == ASSIGN_DYNAMIC) {
      const Shape shape = Shape::of_pool(pool.row);
      if (const auto space = names_.number_of(shape)) now.space = *space, now.shape = shape;
    }
    pools_[pool.name] = std::move(now);
  }
  const std::string bytes = encoded(epoch);
  const std::string hash = fingerprint(bytes);
  if (epoch_ && epoch_->hash == hash) return;
  if (pending_.epochs.empty()) pending_.epoch_before = epoch_;
  epoch_ = EpochNow{bytes, hash, to_micros(earliest)};
  pending_.epochs.push_back({*epoch_, to_micros(latest)});
}

// ---- writing ----------------------------------------------------------------------------------

Result<void> HistoryStore::flush() {
  if (pending_.is_empty()) return {};
  auto written = write_pending();
  careful_ = !written;
  attempts_.note(written);
  return written;
}

Result<void> HistoryStore::write_pending() {
  fuse(pending_.leases);
  if (pending_.ended_at) TRY_VOID(end_all_files(*pending_.ended_at));
  pending_.ended_at.reset();
  TRY_VOID(use_todays_file());
  TRY_VOID(write_into_earlier_files());
  auto written = write_into(*file_);
  if (!written) {
    give_up_turn();
    return written;
  }
  events_written_ += pending_.events;
  leases_written_ += pending_.leases.size();
  HistoryView::File& about = files_.back();
  about.begin = file_->about().begin;
  about.end = file_->about().end;
  std::ranges::move(pending_.gaps, std::back_inserter(gaps_));
  std::ranges::move(pending_.clock_steps, std::back_inserter(clock_steps_));
  data_plane_ = pending_.data_plane.value_or(data_plane_);
  pending_ = {};
  return {};
}

Result<void> HistoryStore::write_into(DayFile& file) {
  TRY_VOID(file.begin());
  TRY_VOID(file.put_names(names_));
  TRY_VOID(file.put_leases(pending_.leases));
  for (const HistoryView::Span& gap : pending_.gaps) TRY_VOID(file.put_gap(gap.from, gap.to, gap.reason));
  for (const HistoryView::Span& step : pending_.clock_steps) TRY_VOID(file.put_clock_step(step.from, step.to));
  for (const auto& [step, to] : pending_.cut_steps) TRY_VOID(file.cut_clock_step(step.from, step.to, to));
  for (const Reset& reset : pending_.resets) TRY_VOID(file.put_reset(reset));
  if (pending_.data_plane) TRY_VOID(file.put_data_plane(*pending_.data_plane));
  for (const auto& [at, what] : pending_.life) TRY_VOID(file.put_life(at, what));
  for (const auto& [epoch, before_ended] : pending_.epochs) {
    TRY_VOID(file.end_epochs(before_ended));
    TRY_VOID(file.put_epoch(epoch.from, epoch.hash, epoch.bytes));
  }
  if (pending_.end) TRY_VOID(file.reach(pending_.begin, pending_.end));
  if (!careful_) merge_due_ = TRY(file.merge(std::max<std::size_t>(8 * pending_.leases.size(), 16'384)));
  return file.commit();
}

// A roll-back of the newest file takes what was carried into it, too.
void HistoryStore::give_up_turn() {
  file_->roll_back();
  if (!sealing_) return;
  sealing_->roll_back();
  sealing_.reset();
  target_.reset();
}

void HistoryStore::work() {
  const std::uint64_t now = clock_.monotonic_ns();
  const WallTime wall = clock_.realtime();
  // Who was kept from the processor between the two would see a step that was none.
  if (clock_.monotonic_ns() - now < kClockStepNs / 2) note_clock(wall, now);
  const bool has_step = !pending_.clock_steps.empty() || !pending_.cut_steps.empty();
  if (now < worked_at_ns_ + kHeartbeatNs && !merge_due_ && !has_step && !has_work()) return;
  if (now >= worked_at_ns_ + kHeartbeatNs) {
    worked_at_ns_ = now;
    // How long the agent was there shows where a gap begins, should the machine die.
    pending_.end = std::max(pending_.end, to_micros(clock_.realtime()));
    pending_.begin = std::min(pending_.begin, to_micros(clock_.realtime()));
    pending_.heartbeat = true;
    delete_old();
  }
  if (!flush() || !file_) return;
  if (const auto sealed = seal_some(); !sealed) {
    log_warning("the history of a day that is over could not be closed yet", {{"error", sealed.error().text}});
    give_up_turn();
  }
}

// ---- looking ----------------------------------------------------------------------------------

SinkFigures HistoryStore::figures() const {
  return {.name = "history " + options_.folder.string(),
          .written = events_written_,
          .waiting = pending_.events,
          .error = attempts_.error,
          .oldest_waiting = pending_.oldest,
          .retries = attempts_.retries,
          .errors = attempts_.errors};
}

HistoryView HistoryStore::view(WallTime covered_until) const {
  HistoryView view;
  view.files = files_;
  view.covered_from = files_.empty() ? to_micros(covered_until) : files_.front().made;
  view.covered_until = to_micros(covered_until);
  view.gaps = gaps_;
  view.clock_steps = clock_steps_;
  return view;
}

HistoryFigures HistoryStore::history_figures() const {
  HistoryFigures figures{.folder = options_.folder,
                         .files = files_.size(),
                         .leases_written = leases_written_,
                         .covered_from = files_.empty() ? 0 : files_.front().made,
                         .gaps = gaps_.size(),
                         .files_set_aside = set_aside_,
                         .writing = this->figures()};
  for (const HistoryView::File& file : files_) {
    for (const char* ending : {"", "-wal"}) {
      std::error_code absent;
      const auto size = std::filesystem::file_size(file.path.string() + ending, absent);
      if (!absent) figures.bytes += size;
    }
  }
  return figures;
}

}  // namespace apnat
