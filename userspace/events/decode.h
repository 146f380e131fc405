// decode.h - the ring buffer's bytes become Events. Pure: what a record does not
// carry (names) is asked of Facts, the clock's offset is a parameter.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "apnat/events.h"
#include "apnat/tables.h"
#include "events/event.h"

namespace apnat {

// The names behind the numbers of a record.
class Facts {
 public:
  virtual ~Facts() = default;
  virtual std::string pool_name(std::uint16_t pool_index) const = 0;
  virtual bool logs_destinations(std::uint16_t pool_index) const = 0;
  virtual Prefix subscriber_of(std::uint16_t pool_index, Ip4 address) const = 0;
  virtual std::vector<PortRange> ports_of(std::uint16_t pool_index, struct slot_range slots) const = 0;
  virtual std::string interface_name(std::uint16_t ifindex) const = 0;
};

// Never fails: a record of a type or version we do not know becomes a Gap of its one number, so that it is not
// missed silently. `tai_offset` is TAI - UTC (Clock::tai_offset), `clock_error` Clock::clock_error.
Event decode(const event_record& record, const Facts& facts, std::chrono::seconds tai_offset,
             std::chrono::microseconds clock_error);

// A name of verdicts.def; "VERDICT_n" for a number that is none.
std::string verdict_name(unsigned verdict);

}  // namespace apnat
