// spooled.cpp - the agent's half appends; the thread's half reads, sends, confirms, and begins again after a failure.
#include "events/sinks/spooled.h"

#include <signal.h>

#include <algorithm>
#include <random>

#include "base/log.h"

namespace apnat {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr auto kSyncPeriod = std::chrono::seconds(1);

// Signals are the main thread's: it is the one whose event loop waits for them.
std::thread thread_without_signals(std::function<void()> run) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(run));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

// Half to all of it, so that many gateways do not come back to one receiver in step.
std::chrono::milliseconds with_jitter(std::chrono::milliseconds backoff) {
  thread_local std::minstd_rand random(std::random_device{}());
  const auto half = backoff.count() / 2;
  return std::chrono::milliseconds(half + std::uniform_int_distribution<std::int64_t>(0, half)(random));
}

}  // namespace

Result<std::unique_ptr<SpooledSink>> SpooledSink::open(Settings settings, Encoder encoder,
                                                       MakeTransport make_transport) {
  auto spool = TRY(Spool::open(settings.folder, settings.limits));
  std::unique_ptr<SpooledSink> sink(new SpooledSink(std::move(settings), std::move(encoder), std::move(spool)));
  sink->note_figures({});
  SpooledSink* self = sink.get();
  sink->thread_ = thread_without_signals([self, make = std::move(make_transport)] { self->deliver(make); });
  return sink;
}

SpooledSink::~SpooledSink() {
  interrupt_.after(settings_.grace);
  ending_.store(true, std::memory_order_release);
  {
    std::lock_guard lock(mutex_);
    has_news_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

// ---- the agent's thread -------------------------------------------------------------------------------------------

bool SpooledSink::accept(const Event& event) {
  if (pending_records_ >= kMostPending) return false;
  encoded_.key.clear();
  encoded_.payload.clear();
  encoder_(event, settings_.node, encoded_);
  if (encoded_.payload.empty()) return true;  // this receiver has no form for it
  if (pending_.empty() || pending_.back().records() >= kRecordsABatch || pending_.back().size() >= kBytesABatch) {
    pending_.emplace_back();
  }
  pending_.back().add({event.seq, event.time.time_since_epoch().count(), encoded_.key, encoded_.payload});
  if (pending_records_++ == 0) pending_since_ = event.time;
  return true;
}

Result<void> SpooledSink::flush() {
  appended_ = append_pending();
  note_figures(appended_);
  // Who chose to lose events rather than to stop is not stopped; the figures say what is wrong.
  if (settings_.lose_when_full) return {};
  return appended_;
}

Result<void> SpooledSink::append_pending() {
  if (pending_.empty()) return {};
  Result<void> appended;
  while (!pending_.empty() && appended) {
    const std::size_t records = pending_.front().records();
    appended = spool_->append(pending_.front());
    if (!appended) break;
    pending_records_ -= records;
    pending_.pop_front();
  }
  {
    std::lock_guard lock(mutex_);
    has_news_ = true;
  }
  wake_.notify_one();
  return appended;
}

std::size_t SpooledSink::room() const {
  return settings_.lose_when_full ? kMostPending : kMostPending - pending_records_;
}

void SpooledSink::note_figures(const Result<void>& appended) {
  const Spool::Figures spool = spool_->figures();
  std::lock_guard lock(mutex_);
  figures_ = {.name = settings_.name,
              .written = delivered_,
              .waiting = spool.waiting,
              .error = appended ? error_ : appended.error().text,
              .oldest_waiting = WallTime(std::chrono::nanoseconds(spool.oldest_time_ns)),
              .retries = retries_,
              .errors = errors_,
              .spool_bytes = spool.bytes};
}

SinkFigures SpooledSink::figures() const {
  SinkFigures figures = figures_;
  if (figures.waiting == 0 && pending_records_ > 0) figures.oldest_waiting = pending_since_;
  figures.waiting += pending_records_;
  return figures;
}

// ---- the sink's thread --------------------------------------------------------------------------------------------

void SpooledSink::deliver(const MakeTransport& make_transport) {
  const auto transport = make_transport(interrupt_);
  while (!interrupt_.is_due()) {
    if (SteadyClock::now() - synced_at_ >= kSyncPeriod) {
      if (auto synced = spool_->sync(); !synced) log_warning("event spool", {{"error", synced.error().text}});
      synced_at_ = SteadyClock::now();
    }
    const auto worked = deliver_once(*transport);
    if (!worked) {
      if (is_ending()) break;
      begin_again(*transport, worked.error());
    } else if (!*worked) {
      if (is_ending()) break;
      wait(under_way_ ? transport->pace().age : kSyncPeriod);
    }
  }
  transport->close();
}

// One batch further. False: there is nothing to do.
Result<bool> SpooledSink::deliver_once(Transport& transport) {
  const Spool::Piece piece = TRY(spool_->read());
  if (!piece.records.empty()) {
    TRY_VOID(transport.send(piece.records));
    if (!under_way_) under_way_since_ = SteadyClock::now();
    under_way_ = piece.end;
    records_under_way_ += piece.records.size();
  }
  if (!under_way_) return false;
  const Transport::Pace pace = transport.pace();
  const bool old_enough = SteadyClock::now() - under_way_since_ >= pace.age;
  if (records_under_way_ >= pace.records || old_enough || (piece.records.empty() && is_ending())) {
    TRY_VOID(confirm(transport));
    return true;
  }
  return !piece.records.empty();
}

Result<void> SpooledSink::confirm(Transport& transport) {
  TRY_VOID(transport.confirm());
  // First written, then no longer waiting: whoever reads both in between counts a batch twice, and never none.
  {
    std::lock_guard lock(mutex_);
    delivered_ += records_under_way_;
    error_.clear();
  }
  if (auto stored = spool_->acknowledge(*under_way_); !stored) {
    log_warning("event spool: the receiver may get events twice", {{"error", stored.error().text}});
  }
  backoff_ = {};
  under_way_.reset();
  records_under_way_ = 0;
  return {};
}

void SpooledSink::begin_again(Transport& transport, const Error& error) {
  transport.close();
  spool_->rewind();
  bool is_new = false;
  {
    std::lock_guard lock(mutex_);
    is_new = error_ != error.text;
    error_ = error.text;
    ++errors_;
    ++retries_;
    under_way_.reset();
    records_under_way_ = 0;
  }
  if (is_new) log_warning("event sink: will try again", {{"sink", settings_.name}, {"error", error.text}});
  backoff_ = std::clamp(backoff_ * 2, settings_.first_backoff, settings_.longest_backoff);
  const auto until = SteadyClock::now() + with_jitter(backoff_);
  while (!is_ending() && SteadyClock::now() < until) {
    wait(std::chrono::ceil<std::chrono::milliseconds>(until - SteadyClock::now()));
  }
}

void SpooledSink::wait(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, at_most, [this] { return has_news_; });
  has_news_ = false;
}

}  // namespace apnat
