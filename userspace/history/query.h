// query.h - who had this address and port then, and what did this subscriber have:
// answers with their certainty. Asks files, never the store: it may run on any thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "history/day_reader.h"
#include "history/store.h"

namespace apnat {

struct WhoHad {
  Ip4 address;
  std::optional<std::uint16_t> port;
  std::optional<std::uint8_t> protocol;
  Micros at = 0;
  Micros skew = 0;  // either way
};

struct WhatHad {
  Prefix subscriber;
  Micros from = 0;
  Micros to = 0;
};

enum class HistoryVerdict { kUnique, kAmbiguous, kNone, kUnknown };

// What a candidate is known from.
enum class Basis { kBlock, kMapping, kDeterministic, kStaticBlock, kForward };

struct Candidate {
  Basis basis = Basis::kBlock;
  std::string pool;
  Prefix subscriber;
  Ip4 external_address;
  std::vector<PortRange> ports;
  std::optional<std::uint8_t> protocol;
  std::optional<Endpoint> internal;
  std::optional<Endpoint> destination;
  Micros from = 0;
  std::optional<Micros> to;     // none: it has not ended
  bool end_unrecorded = false;  // `to` is when it had ended at the latest
  std::uint32_t clock_error_us = 0;
};

struct Findings {
  HistoryVerdict verdict = HistoryVerdict::kUnknown;
  std::vector<Candidate> candidates;
  Micros covered_from = 0;
  Micros covered_until = 0;
  bool covered = false;                        // the whole time that was asked for
  std::vector<HistoryView::Span> not_covered;  // of it
  std::vector<std::string> remarks;
  std::uint32_t clock_error_us = 0;  // the largest known of the candidates
};

// Reads files, and keeps those open that cannot change any more.
class Archive {
 public:
  explicit Archive(std::function<bool()> may_go_on = [] { return true; }) : may_go_on_(std::move(may_go_on)) {}

  Result<Findings> who_had(const HistoryView& view, const WhoHad& asked);
  // Candidates only: no verdict is given but kNone, kUnknown, and kUnique where there is something.
  Result<Findings> what_had(const HistoryView& view, const WhatHad& asked);

 private:
  static constexpr std::size_t kKeptOpen = 16;
  struct Look;

  Result<DayReader*> reader(const HistoryView::File& file);
  // Of files that are still written: a snapshot that stays would keep their log from being emptied.
  void release_changing();

  std::function<bool()> may_go_on_;
  struct Kept {
    std::unique_ptr<DayReader> reader;
    std::uint64_t used = 0;
    bool sealed = false;
  };
  std::map<std::filesystem::path, Kept> kept_;
  std::uint64_t uses_ = 0;
};

std::string_view word_of(HistoryVerdict verdict);
std::string_view word_of(Basis basis);

}  // namespace apnat
