// history_world.h - a history in a folder of its own, a clock to turn, and events in words.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "history/query.h"
#include "history/store.h"

namespace apnat::test {

inline Ip4 ip(const char* text) { return *Ip4::parse(text); }

// A folder in memory, gone at the end.
class TempFolder {
 public:
  TempFolder() {
    char name[] = "/dev/shm/apnat-history-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// 2026-03-01, at this time of the day.
inline WallTime at(int hour, int minute = 0, int second = 0, int day = 1) {
  return std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + std::chrono::days(day - 1) +
         std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
}

struct HistoryWorld {
  TempFolder folder;
  HandWoundClock clock{at(8)};
  std::unique_ptr<HistoryStore> store;
  std::uint64_t seq = 0;
  std::chrono::seconds retention = std::chrono::days(365);

  HistoryWorld() { open(); }

  std::filesystem::path history() const { return folder.path() / "history"; }
  void open() {
    store.reset();
    store = std::move(HistoryStore::open({history(), "cgn1", retention}, clock).value());
  }

  // Turns the clock forward, as a machine that is running does.
  void wait_until(WallTime time) { clock.advance(time - clock.realtime()); }

  void tell(EventBody body) { store->accept(Event{seq++, clock.realtime(), clock.monotonic_ns(), std::move(body)}); }
  void write() { store->flush().value(); }
  void started(bool adopted = true) {
    if (!adopted) store->begin_anew(clock.realtime());
    tell(AgentStarted{"0.1.0", adopted, 0});
  }
  // The agent's every-second work, until nothing is left to do.
  void settle() {
    for (int i = 0; i < 100; ++i) {
      clock.advance(std::chrono::milliseconds(10));
      store->work();
    }
    clock.advance(std::chrono::seconds(31));
    for (int i = 0; i < 20; ++i) store->work();
  }

  static PortBlockAssigned block(const char* subscriber, int first_port = 1024, const char* address = "203.0.113.5") {
    return {"residential",
            Prefix(ip(subscriber), 32),
            ip(address),
            {{static_cast<std::uint16_t>(first_port), static_cast<std::uint16_t>(first_port + 511)}}};
  }
  static PortBlockReleased released(const PortBlockAssigned& block, WallTime assigned_at) {
    return {block.pool, block.subscriber, block.external_address, block.ports, assigned_at, 0};
  }

  Findings ask(WallTime time, std::optional<std::uint16_t> port = 1100, std::chrono::seconds skew = {},
               std::optional<std::uint8_t> protocol = 6, const char* address = "203.0.113.5") {
    Archive archive;
    return archive
        .who_had(store->view(clock.realtime()),
                 {ip(address), port, protocol, to_micros(time), std::chrono::microseconds(skew).count()})
        .value();
  }
  // "unique 100.64.0.1", "ambiguous 100.64.0.1 100.64.0.2", "none", "unknown"
  static std::string words(const Findings& findings) {
    std::string text(word_of(findings.verdict));
    for (const Candidate& candidate : findings.candidates) text += " " + candidate.subscriber.text();
    return text;
  }
};

}  // namespace apnat::test
