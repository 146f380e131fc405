// reassembler.h - fragments and the time go in, whole datagrams come out. Bytes are held for a fixed time within a
// fixed memory; whatever is lost is counted with its reason, and nothing of it is ever answered. Knows neither sockets
// nor what becomes of a datagram; asks no clock.
//
// Order, duplicates and interleaving do not matter. Each realm has half of the memory, so that a flood from outside
// cannot keep subscribers' own fragments out. Within a realm a source has at most `per_source` datagrams, the newest;
// when memory is full, the source that holds far more than others gives its oldest, else the oldest of all is given up:
// fragments of one datagram arrive close together, and what has waited longest is the least likely to become whole.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "config/config.h"
#include "slowpath/fragment_store.h"

namespace apnat {

// A whole datagram.
struct Datagram {
  MutableBytes frame;                  // link header and IPv4 header of the first fragment, payload
  Arrival arrival;                     // of the first fragment
  std::uint16_t largest_fragment = 0;  // bytes of IPv4; with DF=1 what goes on is no larger (FRAG-18)
  bool dont_fragment = false;          // some fragment had DF=1, and the frame has it now
  std::uint8_t fragments = 0;
};

enum class Loss {
  kOverlap,   // fragments that contradict each other: in their bytes, or in where the end is
  kTiny,      // a transport header cut so that a filter would not see it (RFC 1858, RFC 3128)
  kTimeout,   // not whole in time
  kLimit,     // more fragments, datagrams of one source, or memory than allowed
  kOversize,  // would be longer than a datagram can be
  kLen8,      // empty, or not a multiple of 8 and yet more to come
  kEcn,       // congestion experienced, and Not-ECT (RFC 3168 section 5.3)
  kLate,      // of a datagram that was given up
};

// Fragments that came, and where each one is now:
//   received = joined + dup + lost + those of the gauges.
// By reason a datagram given up counts once, and so does a fragment refused by itself; each late one counts.
struct ReassemblyCounters {
  std::uint64_t received = 0;
  std::uint64_t joined = 0;  // in datagrams that became whole
  std::uint64_t dup = 0;     // brought nothing new
  std::uint64_t lost = 0;
  std::uint64_t datagrams = 0;  // that became whole
  std::uint64_t overlap = 0;
  std::uint64_t tiny = 0;
  std::uint64_t timeout = 0;
  std::uint64_t limit = 0;
  std::uint64_t limit_source = 0;  // of `limit`: a source had per_source datagrams already
  std::uint64_t limit_memory = 0;  // of `limit`: the realm's memory was full
  std::uint64_t oversize = 0;
  std::uint64_t len8 = 0;
  std::uint64_t ecn = 0;
  std::uint64_t late = 0;
  std::uint64_t id_wraps = 0;  // seconds in which a sender's IDs came round within the timeout

  // Every counter with its name, in one order everywhere.
  template <typename Each>
  void for_each(Each each) const {
    each("received", received), each("joined", joined), each("dup", dup), each("lost", lost);
    each("datagrams", datagrams), each("overlap", overlap), each("tiny", tiny), each("timeout", timeout);
    each("limit", limit), each("limit_source", limit_source), each("limit_memory", limit_memory);
    each("oversize", oversize), each("len8", len8), each("ecn", ecn), each("late", late);
    each("id_wraps", id_wraps);
  }
};

struct ReassemblyGauges {
  std::uint64_t datagrams = 0;  // being put together
  std::uint64_t fragments = 0;  // held for them
  std::uint64_t sources = 0;
  std::uint64_t bytes = 0;                 // in use, bookkeeping included
  std::uint64_t memory = 0;                // that can ever be
  std::uint64_t oldest_ns = 0;             // age of the oldest
  std::uint64_t tombstones_forgotten = 0;  // before their time: a late fragment could open a datagram again
};

// Whom a limit has hit, for the event (FRAG-28). How often to say so is the caller's choice.
struct QuotaHit {
  enum class Limit { kFragments, kPerSource, kMemory };
  Limit limit;
  std::uint64_t value;  // of the limit
  Ip4 source;           // who lost by it
  enum realm realm;
};

// Who in one second sent so many fragmented datagrams to one destination that IDs come round within the timeout.
struct IdWrap {
  Ip4 source;
  std::uint8_t protocol = 0;
  std::uint32_t datagrams = 0;
  std::uint32_t limit = 0;  // as many would have been well
};

struct Reassembled {
  enum class Fate { kHeld, kWhole, kDuplicate, kLost };
  Fate fate = Fate::kHeld;
  Loss loss = Loss::kLate;                // if lost
  std::optional<Datagram> datagram = {};  // if whole
  std::optional<QuotaHit> quota = {};     // whatever became of the fragment
};

class Reassembler {
 public:
  static constexpr std::uint32_t kMostFragments = 64;                        // of one datagram (FRAG-30)
  static constexpr std::size_t kOutBytes = kMostLinkBytes + kMostIpv4Total;  // the longest frame of a datagram

  // `seed` is random and secret.
  Reassembler(const FragmentsConfig& config, std::uint64_t seed);

  // `now_ns` never goes back. `out`: kOutBytes; what becomes whole is put together at its beginning.
  Reassembled add(const Fragment& fragment, std::uint64_t now_ns, MutableBytes out);
  // Gives up what has waited too long; add() does a few of them by itself.
  void expire(std::uint64_t now_ns);
  // Takes over timeout, per_source and overlap. Another `memory` needs another reassembler.
  void reconfigure(const FragmentsConfig& config);

  const ReassemblyCounters& counters() const { return counters_; }
  ReassemblyGauges gauges(enum realm realm, std::uint64_t now_ns) const;
  // FRAG-14: 65,536 / (rate x timeout), where the rate is that of the busiest source, destination and protocol in the
  // last whole second, in fragmented datagrams. Below 1 its IDs come round within the timeout, and the fragments of two
  // datagrams can be taken for those of one. Tuples may share a counter: it is never shown better than it is.
  double wrap_margin() const;
  // FRAG-14: where that margin was 1 or less in a second that is over, once.
  std::optional<IdWrap> take_id_wrap() { return std::exchange(id_wrap_, std::nullopt); }

 private:
  enum class Overdue { kFew, kAll };

  void expire(Overdue how_many);
  Reassembled join(FragmentStore& store, std::uint32_t index, const Fragment& fragment, MutableBytes out);
  Reassembled hold(FragmentStore& store, std::uint32_t index, const Fragment& fragment, const Place& place);
  bool make_room(FragmentStore& store, std::uint32_t index, std::uint32_t cells, Reassembled& result);
  void keep_gaps(FragmentStore& store, std::uint32_t index, const Fragment& fragment, Place place);
  Reassembled assemble(FragmentStore& store, std::uint32_t index, const Fragment& fragment, MutableBytes out);
  std::uint32_t open(FragmentStore& store, const Fragment& fragment, std::uint64_t hash, Reassembled& result);

  Reassembled refuse(Loss loss);
  Reassembled kill(FragmentStore& store, std::uint32_t index, Loss loss);
  void give_up(FragmentStore& store, std::uint32_t index, Loss loss);
  void bury(FragmentStore& store, const FragmentKey& key);
  void count(Loss loss);
  QuotaHit quota(QuotaHit::Limit limit, const FragmentKey& key) const;
  bool is_over(const Pending& pending) const { return now_ns_ - pending.since_ns >= timeout_ns_; }
  void count_datagram_of(const FragmentKey& key);
  void close_second();
  FragmentStore& store_of(const FragmentKey& key) { return stores_[key.realm ? 1 : 0]; }

  std::uint64_t timeout_ns_;
  std::uint32_t per_source_;
  Overlap overlap_;
  std::uint64_t memory_;
  std::uint64_t now_ns_ = 0;
  FragmentStore stores_[2];  // by realm
  std::array<std::uint64_t, 2> held_{};
  ReassemblyCounters counters_;
  std::vector<std::uint32_t> rates_;  // datagrams of each hash of a tuple in this second
  std::uint64_t second_ = 0;
  std::uint32_t busiest_ = 0;       // of this second
  FragmentKey busiest_key_{};       // the last that took part in it
  std::uint32_t last_busiest_ = 0;  // of the second before
  std::optional<IdWrap> id_wrap_;
};

}  // namespace apnat
