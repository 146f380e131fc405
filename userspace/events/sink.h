// sink.h - where events go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "events/event.h"

namespace apnat {

struct SinkFigures {
  std::string name;           // "file /var/log/apnat/events.jsonl"
  std::uint64_t written = 0;  // events that are where they must be
  std::uint64_t waiting = 0;  // accepted, not written yet
  std::string error;          // of the last flush or delivery; empty: all is well
  WallTime oldest_waiting{};  // when the oldest of them happened; only where something waits
  std::uint64_t retries = 0;  // times that it was tried again after a failure
  std::uint64_t errors = 0;   // times that it failed
  std::uint64_t spool_bytes = 0;
};

// The account of attempts to write, for those figures.
struct Attempts {
  std::string error;  // of the last; empty: it went well
  std::uint64_t retries = 0;
  std::uint64_t errors = 0;

  void note(const Result<void>& attempt) {
    if (!error.empty()) ++retries;
    if (!attempt) ++errors;
    error = attempt ? "" : attempt.error().text;
  }
};

class Sink {
 public:
  virtual ~Sink() = default;

  // Takes the event, to be written at the latest by flush(). False: there is no room for it, it was not taken.
  virtual bool accept(const Event& event) = 0;

  // Writes what was accepted. After an error the rest is still held: call again.
  virtual Result<void> flush() = 0;

  // Events it could still accept. The agent reads no more from the ring than every sink has room for.
  virtual std::size_t room() const = 0;

  virtual SinkFigures figures() const = 0;

  // Renews what figures() tells of another thread's work. flush() does it too.
  virtual void look() {}

  // From now on this is the node's name in events.
  virtual void rename(const std::string& node) = 0;

  // The file may have been moved away (log rotation): open it anew.
  virtual Result<void> reopen() { return {}; }
};

}  // namespace apnat
