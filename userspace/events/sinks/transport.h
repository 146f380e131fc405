// transport.h - what carries spooled records to a receiver. It lives on a thread of its own, so it may wait for the
// network; never longer than the Interrupt allows.
#pragma once

#include <chrono>
#include <span>

#include "base/result.h"
#include "base/unique_fd.h"
#include "events/spool_format.h"

namespace apnat {

// Says that waiting is over: readable once the sink is to end.
class Interrupt {
 public:
  Interrupt();
  // From now on work may go on this long.
  void after(std::chrono::milliseconds grace);
  int fd() const { return timer_.get(); }
  bool is_due() const;

 private:
  UniqueFd timer_;
};

// Waits for `events` (POLLIN, POLLOUT) on `fd`. An error: the time is over, or the sink is to end.
Result<void> wait_for(int fd, short events, std::chrono::milliseconds patience, const Interrupt& interrupt);

class Transport {
 public:
  // How much may be under way before confirm() is asked for.
  struct Pace {
    std::size_t records = 0;
    std::chrono::milliseconds age{0};
  };

  virtual ~Transport() = default;

  virtual Pace pace() const = 0;
  // Hands the records over; they may still be under way afterwards.
  virtual Result<void> send(std::span<const SpoolRecord> records) = 0;
  // Everything handed over has arrived, as far as the protocol can say. An error: nobody knows; all since the last
  // confirm() is to be sent again.
  virtual Result<void> confirm() = 0;
  // After an error, and at the end.
  virtual void close() = 0;
};

}  // namespace apnat
