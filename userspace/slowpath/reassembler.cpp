// reassembler.cpp - what becomes of a fragment, step by step: refused by itself, late, contradicting, held, or the last
// that was missing.
#include "slowpath/reassembler.h"

#include <netinet/in.h>

#include <algorithm>
#include <bit>

namespace apnat {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::size_t kRates = 4096;
constexpr std::uint64_t kIds = 65536;
constexpr std::uint32_t kExpireAtOnce = 16;  // by one add()
constexpr std::uint8_t kNotEct = 1 << 0;
constexpr std::uint8_t kCongestion = 1 << 3;

// Transport header that the translation and its policy read (FRAG-8).
std::size_t least_first_payload(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return 16;  // ports to flags
    case IPPROTO_UDP:
    case IPPROTO_ICMP:
      return 8;
    case IPPROTO_DCCP:
    case IPPROTO_SCTP:
      return 12;
    default:
      return 0;
  }
}

// What is wrong with a fragment whatever else came.
std::optional<Loss> fault_of(const Fragment& fragment) {
  const std::size_t length = fragment.frame.payload.size();
  if (length == 0 || (fragment.more && length % 8 != 0)) return Loss::kLen8;
  if (fragment.frame.header.size() + fragment.end() > kMostIpv4Total) return Loss::kOversize;
  if (fragment.offset == 0 && length < least_first_payload(fragment.key.protocol)) return Loss::kTiny;
  // RFC 3128: it would write over the flags.
  if (fragment.offset == 8 && fragment.key.protocol == IPPROTO_TCP) return Loss::kTiny;
  return std::nullopt;
}

// Whether the fragment and what is held cannot both be right about where the datagram ends.
bool contradicts_end(const FragmentStore& store, const Pending& pending, const Fragment& fragment) {
  if (pending.end) return fragment.more ? fragment.end() >= pending.end : fragment.end() != pending.end;
  return !fragment.more && pending.last_piece != kNone && store.cell(pending.last_piece).end() >= fragment.end();
}

// RFC 3168 section 5.3. Not-ECT with ECT and no congestion: the less it claims the better.
std::uint8_t ecn_of(std::uint8_t seen, std::uint8_t first) {
  if (seen & kCongestion) return 3;
  return seen & kNotEct ? 0 : first;
}

std::uint64_t store_bytes(std::uint64_t memory) {
  constexpr std::uint64_t kShared = sizeof(Reassembler) + kRates * sizeof(std::uint32_t);
  return memory > 2 * kShared ? (memory - kShared) / 2 : kShared / 2;
}

}  // namespace

Reassembler::Reassembler(const FragmentsConfig& config, std::uint64_t seed)
    : timeout_ns_(config.timeout * kSecond),
      per_source_(config.per_source),
      overlap_(config.overlap),
      memory_(config.memory),
      stores_{FragmentStore(store_bytes(config.memory), seed), FragmentStore(store_bytes(config.memory), ~seed)},
      rates_(kRates) {}

void Reassembler::reconfigure(const FragmentsConfig& config) {
  timeout_ns_ = config.timeout * kSecond;
  per_source_ = config.per_source;
  overlap_ = config.overlap;
}

Reassembled Reassembler::add(const Fragment& fragment, std::uint64_t now_ns, MutableBytes out) {
  now_ns_ = std::max(now_ns_, now_ns);
  expire(Overdue::kFew);
  ++counters_.received;
  FragmentStore& store = store_of(fragment.key);
  const std::uint64_t hash = store.hash_of(fragment.key);
  std::uint32_t index = store.find(fragment.key, hash);
  if (index != kNone && is_over(store.pending(index))) {
    give_up(store, index, Loss::kTimeout);
    return refuse(Loss::kLate);
  }
  if (const auto fault = fault_of(fragment)) {
    if (*fault != Loss::kOversize) return refuse(*fault);
    if (index != kNone) return kill(store, index, *fault);
    bury(store, fragment.key);
    return refuse(*fault);
  }
  Reassembled opened;
  if (index == kNone) {
    if (store.tombstones().holds(fragment.key, hash, now_ns_)) return refuse(Loss::kLate);
    index = open(store, fragment, hash, opened);
  }
  Reassembled result = join(store, index, fragment, out);
  if (!result.quota) result.quota = opened.quota;
  return result;
}

// ---- a new datagram

std::uint32_t Reassembler::open(FragmentStore& store, const Fragment& fragment, std::uint64_t hash,
                                Reassembled& result) {
  count_datagram_of(fragment.key);
  const std::uint32_t source = store.find_source(fragment.key.source);
  if (source != kNone && store.source(source).datagrams >= per_source_) {
    // Its own oldest, not this one: most likely a fragment of it was lost, and it would keep the new ones out.
    result.quota = quota(QuotaHit::Limit::kPerSource, fragment.key);
    ++counters_.limit_source;
    give_up(store, store.oldest_of(source, kNone), Loss::kLimit);
  }
  std::uint32_t index = store.open(fragment.key, hash, now_ns_);
  while (index == kNone) {
    const std::uint32_t victim = store.victim(kNone);
    result.quota = quota(QuotaHit::Limit::kMemory, store.pending(victim).key);
    ++counters_.limit_memory;
    give_up(store, victim, Loss::kLimit);
    index = store.open(fragment.key, hash, now_ns_);
  }
  return index;
}

// ---- a fragment of a datagram that is known

Reassembled Reassembler::join(FragmentStore& store, std::uint32_t index, const Fragment& fragment, MutableBytes out) {
  Pending& pending = store.pending(index);
  if (contradicts_end(store, pending, fragment)) return kill(store, index, Loss::kOverlap);
  const Place place = store.place(pending, fragment.offset, fragment.end());
  if (place.overlaps) {
    const bool same_place = store.cell(place.touched).offset == fragment.offset;
    const bool duplicate = same_place && store.is_same(place.touched, fragment.frame.payload);
    if (!duplicate && overlap_ == Overlap::kKill) return kill(store, index, Loss::kOverlap);
    if (duplicate || place.fresh == 0) {
      ++counters_.dup;
      return {.fate = Reassembled::Fate::kDuplicate};
    }
  }
  if (pending.fragments >= kMostFragments) {
    const QuotaHit hit = quota(QuotaHit::Limit::kFragments, fragment.key);
    Reassembled result = kill(store, index, Loss::kLimit);
    result.quota = hit;
    return result;
  }
  pending.ecn_seen |= static_cast<std::uint8_t>(1 << fragment.ecn);
  if ((pending.ecn_seen & kCongestion) && (pending.ecn_seen & kNotEct)) return kill(store, index, Loss::kEcn);
  pending.largest = std::max(pending.largest, static_cast<std::uint16_t>(fragment.frame.total_length()));
  pending.dont_fragment |= fragment.dont_fragment;
  if (!fragment.more) pending.end = fragment.end();
  if (pending.end && pending.held + place.fresh == pending.end) return assemble(store, index, fragment, out);
  return hold(store, index, fragment, place);
}

Reassembled Reassembler::hold(FragmentStore& store, std::uint32_t index, const Fragment& fragment, const Place& place) {
  Reassembled result;
  const std::size_t headers = fragment.frame.link.size() + fragment.frame.header.size();
  // Cut up by what is held, it takes at most a cell more for each cut.
  const std::uint32_t cuts = place.overlaps ? store.pending(index).fragments : 0;
  const std::uint32_t cells = FragmentStore::cells_for(fragment.frame.payload.size() + headers) + cuts;
  if (!make_room(store, index, cells, result)) {
    const auto quota = result.quota;
    result = kill(store, index, Loss::kLimit);
    result.quota = quota;
    return result;
  }
  Pending& pending = store.pending(index);
  if (fragment.offset == 0) {
    pending.ifindex = fragment.arrival.ifindex;
    pending.rx_queue = fragment.arrival.rx_queue;
    pending.link_bytes = static_cast<std::uint8_t>(fragment.frame.link.size());
  }
  keep_gaps(store, index, fragment, place);
  ++pending.fragments;
  ++held_[fragment.key.realm ? 1 : 0];
  return result;
}

bool Reassembler::make_room(FragmentStore& store, std::uint32_t index, std::uint32_t cells, Reassembled& result) {
  while (!store.has_room(cells)) {
    const std::uint32_t victim = store.victim(index);
    ++counters_.limit_memory;
    result.quota = quota(QuotaHit::Limit::kMemory, store.pending(victim == kNone ? index : victim).key);
    if (victim == kNone) return false;
    give_up(store, victim, Loss::kLimit);
  }
  return true;
}

// Usually one piece. Where fragments overlap and the first wins, what is between the pieces that are there.
void Reassembler::keep_gaps(FragmentStore& store, std::uint32_t index, const Fragment& fragment, Place place) {
  std::uint32_t from = fragment.offset;
  while (from < fragment.end()) {
    const std::uint32_t to =
        place.after == kNone ? fragment.end() : std::min(fragment.end(), store.cell(place.after).offset);
    if (from < to) {
      // The first fragment's headers go with its first byte.
      const Bytes headers = from == 0 ? Bytes(fragment.frame.link.data(), fragment.frame.payload.data()) : Bytes();
      store.keep(index, place.before, headers, fragment.frame.payload.subspan(from - fragment.offset, to - from), from);
    }
    if (place.after == kNone) return;
    from = std::max(from, store.cell(place.after).end());
    place.before = place.after;
    place.after = store.cell(place.after).next_piece;
  }
}

// `fragment` is the last that was missing: its bytes are never stored, but go where they belong at once.
Reassembled Reassembler::assemble(FragmentStore& store, std::uint32_t index, const Fragment& fragment,
                                  MutableBytes out) {
  const Pending& pending = store.pending(index);
  const bool has_first = pending.first_piece != kNone && store.cell(pending.first_piece).offset == 0;
  const bool is_first = fragment.offset == 0 && !has_first;
  const std::size_t link = is_first ? fragment.frame.link.size() : pending.link_bytes;
  const std::size_t headers = is_first ? link + fragment.frame.header.size() : store.cell(pending.first_piece).skip;
  const std::size_t total = headers - link + pending.end;
  if (total > kMostIpv4Total) return kill(store, index, Loss::kOversize);

  std::uint8_t* payload = out.data() + headers;
  if (is_first) std::memcpy(out.data(), fragment.frame.link.data(), headers);
  std::memcpy(payload + fragment.offset, fragment.frame.payload.data(), fragment.frame.payload.size());
  // After the new one: what was there first wins.
  for (std::uint32_t piece = pending.first_piece; piece != kNone; piece = store.cell(piece).next_piece) {
    store.copy_out(piece, out.data(), payload + store.cell(piece).offset);
  }
  const MutableBytes header(out.data() + link, headers - link);
  std::uint8_t& tos = header[ipv4::kTos];
  tos = static_cast<std::uint8_t>((tos & ~ipv4::kEcnMask) | ecn_of(pending.ecn_seen, tos & ipv4::kEcnMask));
  store16(header.data() + ipv4::kTotalLength, static_cast<std::uint16_t>(total));
  store16(header.data() + ipv4::kFragmentField, pending.dont_fragment ? ipv4::kDontFragment : 0);
  set_header_checksum(header);

  Reassembled result{.fate = Reassembled::Fate::kWhole};
  result.datagram = Datagram{
      .frame = out.first(headers + pending.end),
      .arrival = is_first ? fragment.arrival : Arrival{pending.ifindex, pending.rx_queue, fragment.arrival.realm},
      .largest_fragment = pending.largest,
      .dont_fragment = pending.dont_fragment,
      .fragments = static_cast<std::uint8_t>(pending.fragments + 1)};
  counters_.joined += result.datagram->fragments;
  ++counters_.datagrams;
  held_[fragment.key.realm ? 1 : 0] -= pending.fragments;
  store.close(index);
  return result;
}

// ---- what is lost

void Reassembler::expire(std::uint64_t now_ns) {
  now_ns_ = std::max(now_ns_, now_ns);
  close_second();
  expire(Overdue::kAll);
}

void Reassembler::expire(Overdue how_many) {
  for (FragmentStore& store : stores_) {
    std::uint32_t left = how_many == Overdue::kAll ? kNone : kExpireAtOnce;
    while (left-- && store.oldest() != kNone && is_over(store.pending(store.oldest()))) {
      give_up(store, store.oldest(), Loss::kTimeout);
    }
  }
}

Reassembled Reassembler::refuse(Loss loss) {
  count(loss);
  ++counters_.lost;
  return {.fate = Reassembled::Fate::kLost, .loss = loss};
}

// The datagram, and the fragment that was its end.
Reassembled Reassembler::kill(FragmentStore& store, std::uint32_t index, Loss loss) {
  give_up(store, index, loss);
  ++counters_.lost;
  return {.fate = Reassembled::Fate::kLost, .loss = loss};
}

void Reassembler::give_up(FragmentStore& store, std::uint32_t index, Loss loss) {
  const Pending& pending = store.pending(index);
  count(loss);
  counters_.lost += pending.fragments;
  held_[pending.key.realm ? 1 : 0] -= pending.fragments;
  bury(store, pending.key);
  store.close(index);
}

void Reassembler::bury(FragmentStore& store, const FragmentKey& key) {
  store.tombstones().add(key, store.hash_of(key), now_ns_, now_ns_ + timeout_ns_);
}

void Reassembler::count(Loss loss) {
  switch (loss) {
    case Loss::kOverlap:
      ++counters_.overlap;
      return;
    case Loss::kTiny:
      ++counters_.tiny;
      return;
    case Loss::kTimeout:
      ++counters_.timeout;
      return;
    case Loss::kLimit:
      ++counters_.limit;
      return;
    case Loss::kOversize:
      ++counters_.oversize;
      return;
    case Loss::kLen8:
      ++counters_.len8;
      return;
    case Loss::kEcn:
      ++counters_.ecn;
      return;
    case Loss::kLate:
      ++counters_.late;
      return;
  }
}

QuotaHit Reassembler::quota(QuotaHit::Limit limit, const FragmentKey& key) const {
  const std::uint64_t value = limit == QuotaHit::Limit::kFragments   ? kMostFragments
                              : limit == QuotaHit::Limit::kPerSource ? per_source_
                                                                     : memory_;
  return {limit, value, Ip4(key.source), key.realm ? REALM_EXTERNAL : REALM_INTERNAL};
}

// ---- figures

void Reassembler::count_datagram_of(const FragmentKey& key) {
  close_second();
  FragmentKey tuple = key;
  tuple.id = 0;
  const std::uint32_t rate = ++rates_[stores_[0].hash_of(tuple) % kRates];
  if (rate <= busiest_) return;
  busiest_ = rate;
  busiest_key_ = tuple;
}

// With a second that is over its rates are known.
void Reassembler::close_second() {
  const std::uint64_t second = now_ns_ / kSecond;
  if (second == second_) return;
  const auto most = static_cast<std::uint32_t>((kIds - 1) * kSecond / timeout_ns_);
  if (busiest_ > most) {
    ++counters_.id_wraps;
    id_wrap_ = IdWrap{
        .source = Ip4(busiest_key_.source), .protocol = busiest_key_.protocol, .datagrams = busiest_, .limit = most};
  }
  last_busiest_ = second == second_ + 1 ? busiest_ : 0;
  busiest_ = 0;
  second_ = second;
  std::ranges::fill(rates_, 0);
}

double Reassembler::wrap_margin() const {
  const double in_timeout = static_cast<double>(std::max(1u, last_busiest_)) * static_cast<double>(timeout_ns_) /
                            static_cast<double>(kSecond);
  return static_cast<double>(kIds) / in_timeout;
}

ReassemblyGauges Reassembler::gauges(enum realm realm, std::uint64_t now_ns) const {
  const std::size_t number = realm == REALM_EXTERNAL ? 1 : 0;
  const FragmentStore& store = stores_[number];
  ReassemblyGauges gauges{.datagrams = store.datagrams(),
                          .fragments = held_[number],
                          .sources = store.sources(),
                          .bytes = store.bytes_used(),
                          .memory = store.bytes_reserved(),
                          .tombstones_forgotten = store.tombstones().forgotten()};
  if (store.oldest() != kNone) {
    const std::uint64_t since = store.pending(store.oldest()).since_ns;
    gauges.oldest_ns = now_ns > since ? now_ns - since : 0;
  }
  return gauges;
}

}  // namespace apnat
