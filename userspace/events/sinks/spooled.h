// spooled.h - a sink whose receiver is elsewhere: events go into a spool on disk, and a thread of its own takes them
// from there to the receiver, again and again until they have arrived. The agent's thread never waits for the receiver.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "events/sink.h"
#include "events/sinks/encoder.h"
#include "events/sinks/transport.h"
#include "events/spool.h"

namespace apnat {

class SpooledSink final : public Sink {
 public:
  struct Settings {
    std::string name;  // "syslog tls://siem.example.net:6514"
    std::string node;
    std::filesystem::path folder;
    Spool::Limits limits;
    bool lose_when_full = false;  // on_spool_full = "continue": what has no place is lost, and a gap says so
    std::chrono::milliseconds first_backoff{200};
    std::chrono::milliseconds longest_backoff{60'000};
    std::chrono::milliseconds grace{2'000};  // for what is left, once the sink is to end
  };
  // Called on the sink's thread.
  using MakeTransport = std::function<std::unique_ptr<Transport>(const Interrupt&)>;

  static Result<std::unique_ptr<SpooledSink>> open(Settings settings, Encoder encoder, MakeTransport make_transport);
  ~SpooledSink() override;

  bool accept(const Event& event) override;
  Result<void> flush() override;
  std::size_t room() const override;
  void rename(const std::string& node) override { settings_.node = node; }
  SinkFigures figures() const override;
  void look() override { note_figures(appended_); }

 private:
  static constexpr std::size_t kMostPending = 64 * 1024;
  static constexpr std::size_t kRecordsABatch = 2048;
  static constexpr std::size_t kBytesABatch = 512 * 1024;

  SpooledSink(Settings settings, Encoder encoder, std::unique_ptr<Spool> spool)
      : settings_(std::move(settings)), encoder_(std::move(encoder)), spool_(std::move(spool)) {}

  Result<void> append_pending();
  void note_figures(const Result<void>& appended);

  // The sink's thread.
  void deliver(const MakeTransport& make_transport);
  Result<bool> deliver_once(Transport& transport);
  Result<void> confirm(Transport& transport);
  void begin_again(Transport& transport, const Error& error);
  void wait(std::chrono::milliseconds at_most);
  bool is_ending() const { return ending_.load(std::memory_order_acquire); }

  Settings settings_;
  Encoder encoder_;
  std::unique_ptr<Spool> spool_;

  // The agent's thread.
  Encoded encoded_;
  std::deque<SpoolBatch> pending_;
  std::size_t pending_records_ = 0;
  WallTime pending_since_{};  // when the event happened that pending_ began with
  Result<void> appended_;     // the last attempt
  // Answers are made in a child of the agent, where another thread's lock would never be given back: figures() only
  // reads this, and flush() renews it. Of the spool and what comes after it; figures() adds what is pending.
  SinkFigures figures_;

  // The sink's thread.
  std::optional<SpoolMark> under_way_;
  std::size_t records_under_way_ = 0;
  std::chrono::steady_clock::time_point under_way_since_;
  std::chrono::milliseconds backoff_{0};
  std::chrono::steady_clock::time_point synced_at_;

  Interrupt interrupt_;
  std::atomic<bool> ending_ = false;
  std::mutex mutex_;  // for what follows
  std::condition_variable wake_;
  bool has_news_ = false;
  std::string error_;
  std::uint64_t delivered_ = 0;
  std::uint64_t retries_ = 0;
  std::uint64_t errors_ = 0;

  std::thread thread_;  // the last: it uses all of the above
};

}  // namespace apnat
