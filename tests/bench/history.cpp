// history.cpp - writes a history of many block or mapping records as the agent would, a day after the other, then asks
// it random questions: records/s, bytes a record, milliseconds a question, and the plan of the look-up.
#include "history/store.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <random>

#include "history/query.h"
#include "history/schema.h"

using namespace apnat;

namespace {

struct Options {
  std::string folder;
  std::uint64_t records = 2'000'000;
  std::uint64_t per_day = 1'200'000;  // 100,000 subscribers, six blocks a day each
  unsigned questions = 1'000;
  unsigned subscriber_questions = 25;
  unsigned batch = 4'096;
  bool mappings = false;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Every port block of 1,600 addresses, each in turn held for some hours, then held down, then another's. Told in
// the order of time, as the ring brings it.
class Subscribers {
 public:
  static constexpr std::uint32_t kAddresses = 1'600;
  static constexpr std::uint32_t kBlocks = 126;

  explicit Subscribers(const Options& options) : options_(options) {}

  struct Asked {
    WhoHad who;
    Ip4 holder;
  };

  // The next record, at its moment.
  Event next(WallTime now, std::uint64_t monotonic_ns) {
    Event event;
    event.seq = seq_++;
    event.time = now;
    event.monotonic_ns = monotonic_ns;
    event.clock_error = std::chrono::microseconds(250);
    if (held_.size() == kMostHeld && !waiting_) {
      waiting_ = true;
      event.body = options_.mappings ? EventBody(deleted(held_[head_])) : EventBody(released(held_[head_]));
      return event;
    }
    if (held_.size() < kMostHeld) held_.emplace_back();
    const Held& fresh = held_[waiting_ ? head_ : held_.size() - 1] = hold(now);
    if (waiting_) head_ = (head_ + 1) % kMostHeld;
    waiting_ = false;
    event.body = options_.mappings ? EventBody(created(fresh)) : EventBody(assigned(fresh));
    if (random_() % 1'000 == 0 && asked_.size() < 100'000) {
      // A moment after: blocks are held for hours.
      asked_.push_back({{fresh.address, fresh.port, 6, to_micros(now) + 500'000, 0}, fresh.holder});
    }
    return event;
  }

  const std::vector<Asked>& asked() const { return asked_; }

 private:
  static constexpr std::size_t kMostHeld = 100'000;

  struct Held {
    Ip4 address;
    std::uint16_t port = 0;
    Ip4 holder;
    WallTime since;
  };

  // Places are taken in a scattered order and come again only after all others have.
  Held hold(WallTime now) {
    const std::uint64_t places = options_.mappings ? kAddresses * 64'000ull : kAddresses * std::uint64_t{kBlocks};
    const std::uint64_t place = (place_ += 7'919) % places;
    Held held;
    held.address = Ip4(0xcb007100u + static_cast<std::uint32_t>(place % kAddresses));
    held.port = static_cast<std::uint16_t>(1'024 + (place / kAddresses) * (options_.mappings ? 1 : 512));
    held.holder = Ip4(0x64400000u + static_cast<std::uint32_t>(random_() % 100'000));
    held.since = now;
    return held;
  }
  PortBlockAssigned assigned(const Held& h) const {
    return {"residential", Prefix(h.holder, 32), h.address, {{h.port, static_cast<std::uint16_t>(h.port + 511)}}};
  }
  PortBlockReleased released(const Held& h) const {
    const PortBlockAssigned block = assigned(h);
    return {block.pool, block.subscriber, block.external_address, block.ports, h.since, 100};
  }
  static Endpoint inside(const Held& h) {
    return {h.holder, static_cast<std::uint16_t>(h.since.time_since_epoch().count() >> 10)};
  }
  MappingCreated created(const Held& h) const {
    return {"residential", Prefix(h.holder, 32), 6, inside(h), {h.address, h.port}, {}};
  }
  MappingDeleted deleted(const Held& h) const {
    return {"residential", Prefix(h.holder, 32), 6, inside(h), {h.address, h.port}, h.since, "expired"};
  }

  Options options_;
  std::mt19937_64 random_{1};
  std::uint64_t seq_ = 0;
  std::uint64_t place_ = 0;
  std::vector<Held> held_;
  std::size_t head_ = 0;
  bool waiting_ = false;
  std::vector<Asked> asked_;
};

struct Times {
  double writing = 0;  // accept and flush, as the agent does for each batch
  double upkeep = 0;   // once a second: days that are over
};

Times write_all(const Options& options, HistoryStore& store, HandWoundClock& clock, Subscribers& subscribers) {
  Times times;
  const std::chrono::nanoseconds step(86'400'000'000'000 / options.per_day);
  for (std::uint64_t written = 0; written < options.records;) {
    const auto start = std::chrono::steady_clock::now();
    for (unsigned i = 0; i < options.batch && written < options.records; ++i, ++written) {
      clock.advance(step);
      store.accept(subscribers.next(clock.realtime(), clock.monotonic_ns()));
    }
    if (const auto flushed = store.flush(); !flushed) {
      fmt::print(stderr, "{}\n", flushed.error().text);
      std::exit(1);
    }
    times.writing += seconds_since(start);
    const auto upkeep = std::chrono::steady_clock::now();
    store.work();
    times.upkeep += seconds_since(upkeep);
  }
  const auto upkeep = std::chrono::steady_clock::now();
  for (int i = 0; i < 100'000 && store.has_work(); ++i) store.work();
  times.upkeep += seconds_since(upkeep);
  return times;
}

Epoch pool_of_blocks() {
  PlannedPool pool;
  pool.name = "residential";
  pool.row.assignment = ASSIGN_DYNAMIC;
  pool.row.block_size_log2 = 9;
  pool.row.subscriber_prefix_length = 32;
  pool.row.first_port_host = 1'024;
  pool.row.last_port_host = 65'535;
  return {{pool}, {}};
}

void show_plan(const HistoryView& view) {
  const auto database = Database::open(view.files.front().path, Database::Use::kRead);
  auto plan = database->prepare(std::string("EXPLAIN QUERY PLAN ") + kFindPage);
  while (plan->step().value_or(false)) fmt::print("plan: {}\n", plan->bytes(3));
}

int ask_all(const Options& options, const HistoryView& view, const Subscribers& subscribers) {
  std::mt19937_64 random(7);
  Archive archive;
  std::vector<double> took;
  unsigned wrong = 0;
  for (unsigned i = 0; i < options.questions && !subscribers.asked().empty(); ++i) {
    const auto& asked = subscribers.asked()[random() % subscribers.asked().size()];
    const auto start = std::chrono::steady_clock::now();
    const auto found = archive.who_had(view, asked.who);
    took.push_back(seconds_since(start) * 1'000);
    const bool right = found && std::ranges::any_of(found->candidates, [&](const Candidate& candidate) {
                         return candidate.subscriber.first() == asked.holder;
                       });
    wrong += !right || found->verdict != HistoryVerdict::kUnique;
  }
  std::ranges::sort(took);
  fmt::print("questions: {}, median {:.2f} ms, 99 % below {:.2f} ms, longest {:.2f} ms; wrong: {}\n", took.size(),
             took[took.size() / 2], took[took.size() * 99 / 100], took.back(), wrong);
  return wrong == 0 ? 0 : 1;
}

// What one subscriber had, that day: every page of the day is read, and of the one before what was open.
int ask_subscribers(const Options& options, const HistoryView& view, const Subscribers& subscribers) {
  constexpr Micros kDay = 86'400'000'000;
  std::mt19937_64 random(11);
  Archive archive;
  std::vector<double> took;
  unsigned wrong = 0;
  for (unsigned i = 0; i < options.subscriber_questions && !subscribers.asked().empty(); ++i) {
    const auto& asked = subscribers.asked()[random() % subscribers.asked().size()];
    const Micros day = asked.who.at / kDay * kDay;
    const auto start = std::chrono::steady_clock::now();
    const auto found = archive.what_had(view, {Prefix(asked.holder, 32), day, day + kDay});
    took.push_back(seconds_since(start) * 1'000);
    wrong += !found || std::ranges::none_of(found->candidates, [&](const Candidate& candidate) {
      return candidate.external_address == asked.who.address && candidate.ports.front().contains(*asked.who.port);
    });
  }
  if (took.empty()) return 0;
  std::ranges::sort(took);
  fmt::print("a subscriber's day: {} questions, median {:.0f} ms, longest {:.0f} ms; wrong: {}\n", took.size(),
             took[took.size() / 2], took.back(), wrong);
  return wrong == 0 ? 0 : 1;
}

int run(const Options& options) {
  HandWoundClock clock(WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)));
  auto store = HistoryStore::open({options.folder, "bench"}, clock);
  if (!store) {
    fmt::print(stderr, "{}\n", store.error().text);
    return 1;
  }
  (*store)->begin_epoch(pool_of_blocks(), clock.realtime(), clock.realtime());
  Subscribers subscribers(options);
  const Times times = write_all(options, **store, clock, subscribers);
  const HistoryFigures figures = (*store)->history_figures();
  const auto records = static_cast<double>(options.records);
  fmt::print("wrote {} {} records in {} files: {:.0f} a second ({:.0f} with the closing of days), {:.1f} bytes each\n",
             options.records, options.mappings ? "mapping" : "block", figures.files, records / times.writing,
             records / (times.writing + times.upkeep), static_cast<double>(figures.bytes) / records);
  const HistoryView view = (*store)->view(clock.realtime());
  show_plan(view);
  const int wrong = ask_all(options, view, subscribers);
  return ask_subscribers(options, view, subscribers) + wrong;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"how fast the history is written and asked"};
  app.add_option("--folder", options.folder, "an empty folder, on the disk that is meant")->required();
  app.add_option("--records", options.records)->capture_default_str();
  app.add_option("--per-day", options.per_day, "records a day of the history")->capture_default_str();
  app.add_option("--questions", options.questions)->capture_default_str();
  app.add_option("--subscriber-questions", options.subscriber_questions)->capture_default_str();
  app.add_option("--batch", options.batch, "records a commit")->capture_default_str();
  app.add_flag("--mappings", options.mappings, "mapping records instead of blocks");
  CLI11_PARSE(app, argc, argv);
  return run(options);
}
