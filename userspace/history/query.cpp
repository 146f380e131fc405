// query.cpp - which files know, what they say, and how sure that is.
#include "history/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace apnat {
namespace {

// A lease's times are widened by the clock's error of then: one that just misses the window may stand in the file
// before.
constexpr Micros kLargestClockError = 60'000'000;

constexpr Micros kSameMoment = 1'000'000;

struct Window {
  Micros from = 0;
  Micros to = 0;
  bool meets(Micros first, Micros last) const { return first <= to && last >= from; }
};

bool is_ruled(Basis basis) { return basis != Basis::kBlock && basis != Basis::kMapping; }

// With the clock's own error, where it is known.
bool meets(const Candidate& candidate, const Window& window) {
  const Micros error = candidate.clock_error_us;
  const Micros to = candidate.to.value_or(Lease::kOpen - error);
  return window.meets(std::min(candidate.from, to) - error, std::max(candidate.from, to) + error);
}

bool spans(const Candidate& candidate, const Window& window) {
  return candidate.from <= window.from && (!candidate.to || *candidate.to >= window.to);
}

// Two tellings of one thing: of two files, or, for a rule, of two configurations one after the other.
bool is_same_thing(const Candidate& one, const Candidate& other) {
  if (one.basis != other.basis || one.pool != other.pool || one.subscriber != other.subscriber ||
      one.external_address != other.external_address || one.ports != other.ports || one.protocol != other.protocol ||
      one.internal != other.internal) {
    return false;
  }
  if (!is_ruled(one.basis)) return std::abs(one.from - other.from) <= kSameMoment;
  const auto follows = [](const Candidate& a, const Candidate& b) { return !a.to || *a.to >= b.from; };
  return one.from <= other.from ? follows(one, other) : follows(other, one);
}

// `later`: told by a later file, which knows better how it ended.
void take_in(Candidate& candidate, const Candidate& later) {
  candidate.from = std::min(candidate.from, later.from);
  candidate.to = later.to;
  candidate.end_unrecorded = later.end_unrecorded;
  candidate.clock_error_us = std::max(candidate.clock_error_us, later.clock_error_us);
  if (!candidate.destination) candidate.destination = later.destination;
}

Basis basis_of(RuledPorts::Rule rule) {
  switch (rule) {
    case RuledPorts::Rule::kDeterministic:
      return Basis::kDeterministic;
    case RuledPorts::Rule::kStaticBlock:
      return Basis::kStaticBlock;
    case RuledPorts::Rule::kForward:
      break;
  }
  return Basis::kForward;
}

Candidate candidate_of(const Lease& lease, const Names& names) {
  Candidate candidate;
  const Names::Pool* pool = names.pool(lease.pool);
  const Shape* shape = names.shape(space_of(lease.key));
  candidate.basis = shape ? Basis::kBlock : Basis::kMapping;
  candidate.pool = pool ? pool->name : "";
  candidate.subscriber = Prefix(lease.holder, pool ? pool->prefix_length : 32);
  candidate.external_address = address_of(lease.key);
  if (shape) {
    candidate.ports = shape->ports_of(number_of(lease.key));
  } else {
    candidate.ports = {{number_of(lease.key), number_of(lease.key)}};
    candidate.protocol = static_cast<std::uint8_t>(space_of(lease.key));
  }
  candidate.internal = lease.internal;
  candidate.destination = lease.destination;
  candidate.from = lease.from;
  if (!lease.is_open()) candidate.to = lease.to;
  candidate.end_unrecorded = lease.end_unrecorded;
  candidate.clock_error_us = lease.clock_error_us;
  return candidate;
}

Candidate candidate_of(const RuledPorts& ruled, const DayReader::EpochThen& then) {
  Candidate candidate;
  candidate.basis = basis_of(ruled.rule);
  candidate.pool = ruled.pool;
  candidate.subscriber = ruled.subscriber;
  candidate.external_address = ruled.external_address;
  candidate.ports = ruled.ports;
  candidate.protocol = ruled.protocol;
  candidate.internal = ruled.internal;
  candidate.from = then.from;
  candidate.to = then.until;
  return candidate;
}

std::size_t subscribers_of(const std::vector<Candidate>& candidates) {
  std::set<Prefix> subscribers;
  for (const Candidate& candidate : candidates) subscribers.insert(candidate.subscriber);
  return subscribers.size();
}

}  // namespace

// One question on its way through the files.
struct Archive::Look {
  Archive& archive;
  const HistoryView& view;
  Window asked;   // as it was asked
  Window window;  // as it must be looked for: times that passed twice are taken whole
  Findings findings;
  std::vector<std::size_t> chosen;  // of view.files, oldest first
  std::size_t asking = 0;           // of view.files

  struct Known {
    Candidate candidate;
    std::size_t seen_in = 0;  // the last of the files that were asked and know it
    Micros epoch_from = 0;    // of a rule: the last configuration that has it
  };
  std::vector<Known> known;
  std::multimap<std::tuple<Ip4, Ip4, std::uint16_t>, std::size_t> by_place;

  Look(Archive& archive, const HistoryView& view, Window asked)
      : archive(archive), view(view), asked(asked), window(asked) {
    archive.release_changing();
    findings.covered_from = view.covered_from;
    findings.covered_until = view.covered_until;
    for (const HistoryView::Span& step : view.clock_steps) {
      if (!asked.meets(step.from, step.to)) continue;
      window = {std::min(window.from, step.from), std::max(window.to, step.to)};
      findings.remarks.push_back(
          "the node's clock was set back over this time, which therefore passed twice: who had the ports in either "
          "passing is named");
    }
    choose_files();
    find_coverage();
  }
  ~Look() { archive.release_changing(); }

  // Files that say something of the window, and the one in which everything stands that was open when it began. What
  // was told late stands in a later file, which says so once it is closed: until then it is asked in any case.
  void choose_files() {
    bool has_anchor = false;
    for (std::size_t i = view.files.size(); i-- > 0;) {
      const HistoryView::File& file = view.files[i];
      const bool is_anchor = !has_anchor && file.made <= window.from - kLargestClockError;
      const bool has_some = window.meets(file.begin - kLargestClockError, file.end + kLargestClockError);
      if (is_anchor || !file.sealed || has_some) chosen.push_back(i);
      has_anchor |= is_anchor && file.carried;
    }
    std::ranges::reverse(chosen);
  }

  void find_coverage() {
    auto& missing = findings.not_covered;
    if (asked.from < view.covered_from) {
      missing.push_back({asked.from, std::min(asked.to, view.covered_from), "before the history begins"});
    }
    if (asked.to > view.covered_until) {
      missing.push_back({std::max(asked.from, view.covered_until), asked.to, "after what has been recorded"});
    }
    for (const HistoryView::Span& gap : view.gaps) {
      if (asked.meets(gap.from, gap.to)) missing.push_back(gap);
    }
  }

  void lose(const HistoryView::File& file, const Error& error) {
    findings.not_covered.push_back({std::max(asked.from, file.begin),
                                    std::min(asked.to, std::max(file.end, asked.from)),
                                    fmt::format("{}: {}", file.path.filename().string(), error.text)});
  }

  void add(Candidate candidate, Micros epoch_from = 0) {
    const auto place = std::tuple(candidate.subscriber.first(), candidate.external_address,
                                  candidate.ports.empty() ? 0 : candidate.ports.front().first);
    const auto [first, end] = by_place.equal_range(place);
    for (auto at = first; at != end; ++at) {
      Known& there = known[at->second];
      if (!is_same_thing(there.candidate, candidate)) continue;
      take_in(there.candidate, candidate);
      there.seen_in = asking;
      there.epoch_from = std::max(there.epoch_from, epoch_from);
      return;
    }
    by_place.emplace(place, known.size());
    known.push_back({std::move(candidate), asking, epoch_from});
  }

  // Hands each chosen file to `ask`. A file that cannot be read is a part of the time that is not covered; only time
  // that ran out ends the question.
  template <typename Ask>
  Result<void> ask_files(Ask&& ask) {
    for (std::size_t i : chosen) {
      asking = i;
      const HistoryView::File& file = view.files[i];
      auto reader = archive.reader(file);
      auto asked_it = reader ? ask(**reader) : Result<void>(std::unexpected(reader.error()));
      if (asked_it) continue;
      if (asked_it.error().code == ETIME || !archive.may_go_on_()) return fail(ETIME, "the question took too long");
      lose(file, asked_it.error());
    }
    return {};
  }

  // What the file says of something that had not ended; true: it knows it.
  static Result<bool> ask_again(DayReader& file, Known& wanted) {
    if (is_ruled(wanted.candidate.basis)) return ask_rule_again(file, wanted);
    if (wanted.candidate.ports.empty()) return false;
    const Candidate& candidate = wanted.candidate;
    const auto leases = file.leases(candidate.external_address, candidate.ports.front().first, candidate.protocol);
    if (!leases) return false;  // a damaged file knows nothing
    for (const Lease& lease : *leases) {
      const Candidate there = candidate_of(lease, file.names());
      if (!is_same_thing(candidate, there)) continue;
      take_in(wanted.candidate, there);
      return true;
    }
    return false;
  }

  // A rule goes on from one configuration to the next, as long as each begins before the one before it has ended.
  static bool ask_rule_again(DayReader& file, Known& wanted) {
    bool knows = false;
    for (const DayReader::EpochThen& then : file.epochs()) {
      const bool is_the_one = then.from == wanted.epoch_from;
      const bool is_the_next = knows && wanted.candidate.to && then.from > wanted.epoch_from &&
                               then.from <= *wanted.candidate.to && has(*then.epoch, wanted.candidate);
      if (!is_the_one && !is_the_next) continue;
      knows = true;
      wanted.epoch_from = then.from;
      wanted.candidate.to = then.until;
    }
    return knows;
  }

  static bool has(const Epoch& epoch, const Candidate& wanted) {
    if (wanted.ports.empty()) return false;
    const auto owners = ruled_owners(epoch, wanted.external_address, wanted.ports.front().first, wanted.protocol);
    return std::ranges::any_of(owners, [&](const RuledPorts& owner) {
      Candidate there = candidate_of(owner, {});
      there.from = wanted.from;
      return is_same_thing(wanted, there);
    });
  }

  // What had not ended when the last file that was asked ended is in every later file up to the one in which it did.
  Result<void> find_end(Known& wanted) {
    std::size_t high = view.files.size();
    while (high - wanted.seen_in > 1) {
      if (!archive.may_go_on_()) return fail(ETIME, "the question took too long");
      const std::size_t middle = wanted.seen_in + (high - wanted.seen_in) / 2;
      const Micros epoch_from = wanted.epoch_from;
      auto reader = archive.reader(view.files[middle]);
      if (!reader || !TRY(ask_again(**reader, wanted))) {
        high = middle;
        continue;
      }
      if (wanted.candidate.to) return {};
      wanted.seen_in = middle;
      if (wanted.epoch_from != epoch_from) high = view.files.size();
    }
    return {};
  }

  Result<void> find_ends() {
    for (Known& wanted : known) {
      if (!wanted.candidate.to && meets(wanted.candidate, window)) TRY_VOID(find_end(wanted));
    }
    return {};
  }

  void finish() {
    for (Known& one : known) findings.candidates.push_back(std::move(one.candidate));
    std::erase_if(findings.candidates, [&](const Candidate& candidate) { return !meets(candidate, window); });
    std::ranges::sort(findings.candidates, {}, [](const Candidate& candidate) {
      return std::tuple(candidate.from, candidate.external_address, candidate.ports, candidate.subscriber);
    });
    for (const Candidate& candidate : findings.candidates) {
      findings.clock_error_us = std::max(findings.clock_error_us, candidate.clock_error_us);
    }
    findings.covered = findings.not_covered.empty();
  }

  void judge() {
    const std::size_t subscribers = subscribers_of(findings.candidates);
    const bool certain = findings.covered || std::ranges::any_of(findings.candidates, [&](const Candidate& candidate) {
                           return spans(candidate, asked);
                         });
    if (subscribers > 1) {
      findings.verdict = HistoryVerdict::kAmbiguous;
    } else if (!certain) {
      findings.verdict = HistoryVerdict::kUnknown;
    } else {
      findings.verdict = subscribers == 1 ? HistoryVerdict::kUnique : HistoryVerdict::kNone;
    }
  }

  // A forward has its port to itself: whoever holds the block around it cannot use it for this protocol.
  void prefer_forwards() {
    const bool has = std::ranges::any_of(findings.candidates, [&](const Candidate& candidate) {
      return candidate.basis == Basis::kForward && spans(candidate, asked);
    });
    if (has) std::erase_if(findings.candidates, [](const Candidate& c) { return c.basis != Basis::kForward; });
  }

  void explain(const WhoHad& question) {
    const std::size_t subscribers = subscribers_of(findings.candidates);
    if (!question.port && subscribers > 1) {
      findings.remarks.push_back(fmt::format(
          "no port was given: {} subscribers had ports of this address, each its own. A server behind this address "
          "sees them apart only by the source port, which RFC 6302 asks it to log",
          subscribers));
      return;
    }
    if (subscribers < 2) return;
    const Window moment{question.at, question.at};
    std::vector<Candidate> then;
    std::ranges::copy_if(findings.candidates, std::back_inserter(then),
                         [&](const Candidate& candidate) { return meets(candidate, moment); });
    if (question.skew > 0 && subscribers_of(then) < 2) {
      findings.remarks.push_back(
          fmt::format("the skew makes it ambiguous: within it the port changed hands; at the very time it was {}",
                      then.empty() ? "nobody's" : then.front().subscriber.text() + "'s"));
    }
    if (!question.protocol) {
      findings.remarks.push_back("no protocol was given: a port may be another subscriber's for each");
    }
  }
};

Result<DayReader*> Archive::reader(const HistoryView::File& file) {
  Kept& kept = kept_[file.path];
  kept.used = ++uses_;
  if (!kept.reader) {
    auto opened = DayReader::open(file.path);
    if (!opened) {
      kept_.erase(file.path);
      return std::unexpected(opened.error());
    }
    kept.reader = std::move(*opened);
    kept.sealed = file.sealed;
  }
  DayReader* reader = kept.reader.get();
  while (kept_.size() > kKeptOpen) {
    kept_.erase(std::ranges::min_element(kept_, {}, [](const auto& entry) { return entry.second.used; }));
  }
  return reader;
}

void Archive::release_changing() {
  std::erase_if(kept_, [](const auto& entry) { return !entry.second.sealed; });
}

Result<Findings> Archive::who_had(const HistoryView& view, const WhoHad& asked) {
  Window wanted{asked.at - asked.skew, asked.at + asked.skew};
  // What has not happened yet, nobody knows: it is no reason to doubt what has.
  if (asked.at <= view.covered_until) wanted.to = std::min(wanted.to, view.covered_until);
  Look look(*this, view, wanted);
  TRY_VOID(look.ask_files([&](DayReader& file) -> Result<void> {
    for (const Lease& lease : TRY(file.leases(asked.address, asked.port, asked.protocol))) {
      const Candidate candidate = candidate_of(lease, file.names());
      if (meets(candidate, look.window)) look.add(candidate);
    }
    for (const DayReader::EpochThen& then : file.epochs()) {
      if (!look.window.meets(then.from, then.until.value_or(Lease::kOpen))) continue;
      for (const RuledPorts& ruled : ruled_owners(*then.epoch, asked.address, asked.port, asked.protocol)) {
        look.add(candidate_of(ruled, then), then.from);
      }
    }
    return {};
  }));
  TRY_VOID(look.find_ends());
  look.finish();
  if (asked.port && asked.protocol) look.prefer_forwards();
  look.judge();
  look.explain(asked);
  return std::move(look.findings);
}

Result<Findings> Archive::what_had(const HistoryView& view, const WhatHad& asked) {
  Look look(*this, view, {asked.from, std::min(asked.to, std::max(asked.from, view.covered_until))});
  TRY_VOID(look.ask_files([&](DayReader& file) -> Result<void> {
    const auto is_asked_for = [&](const Lease& lease) {
      const Names::Pool* pool = file.names().pool(lease.pool);
      return Prefix(lease.holder, pool ? pool->prefix_length : 32).overlaps(asked.subscriber);
    };
    for (const Lease& lease : TRY(file.scan(is_asked_for, may_go_on_))) {
      const Candidate candidate = candidate_of(lease, file.names());
      if (meets(candidate, look.window)) look.add(candidate);
    }
    for (const DayReader::EpochThen& then : file.epochs()) {
      if (!look.window.meets(then.from, then.until.value_or(Lease::kOpen))) continue;
      for (const RuledPorts& ruled : ruled_places(*then.epoch, asked.subscriber))
        look.add(candidate_of(ruled, then), then.from);
    }
    return {};
  }));
  TRY_VOID(look.find_ends());
  look.finish();
  look.findings.verdict = !look.findings.candidates.empty() ? HistoryVerdict::kUnique
                          : look.findings.covered           ? HistoryVerdict::kNone
                                                            : HistoryVerdict::kUnknown;
  return std::move(look.findings);
}

std::string_view word_of(HistoryVerdict verdict) {
  switch (verdict) {
    case HistoryVerdict::kUnique:
      return "unique";
    case HistoryVerdict::kAmbiguous:
      return "ambiguous";
    case HistoryVerdict::kNone:
      return "none";
    case HistoryVerdict::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view word_of(Basis basis) {
  switch (basis) {
    case Basis::kBlock:
      return "block";
    case Basis::kMapping:
      return "mapping";
    case Basis::kDeterministic:
      return "deterministic";
    case Basis::kStaticBlock:
      return "static_block";
    case Basis::kForward:
      break;
  }
  return "forward";
}

}  // namespace apnat
