// fragment_store.cpp - slabs, two hash tables, and the chains that make every decision constant in time.
#include "slowpath/fragment_store.h"

#include <algorithm>
#include <bit>

namespace apnat {
namespace {

// A source with no more cells than one datagram of the largest size takes is ordinary, whatever others have.
constexpr std::uint32_t kOrdinaryCells = (65535 + kMostLinkBytes) / sizeof(Cell::data) + 8;

std::uint32_t weight_of(std::uint32_t cells) {
  return static_cast<std::uint32_t>(std::bit_width(cells / (kOrdinaryCells + 1)));
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

constexpr std::uint64_t kOdd1 = 0x9e3779b97f4a7c15;
constexpr std::uint64_t kOdd2 = 0xd1b54a32d192ed03;

}  // namespace

// How `bytes` are divided: a sixteenth for tombstones, and two cells for each datagram and source that there can be.
struct FragmentStore::Share {
  std::uint64_t tombstone_bytes;
  std::uint32_t datagrams;
};

FragmentStore::Share FragmentStore::share_of(std::uint64_t bytes) {
  constexpr std::uint64_t kMostTombstones = std::uint64_t{16} << 20;
  constexpr std::uint64_t kEach = 2 * sizeof(Cell) + sizeof(Pending) + sizeof(Source) + 2 * sizeof(std::uint32_t);
  const std::uint64_t tombstones = std::bit_floor(std::clamp<std::uint64_t>(bytes / 16, 64, kMostTombstones));
  const std::uint64_t rest = bytes > tombstones ? bytes - tombstones : 0;
  return {tombstones, static_cast<std::uint32_t>(std::clamp<std::uint64_t>(rest / kEach, 1, kNone / 4))};
}

FragmentStore::FragmentStore(std::uint64_t bytes, std::uint64_t seed) : FragmentStore(share_of(bytes), seed) {}

FragmentStore::FragmentStore(const Share& share, std::uint64_t seed)
    : seed_(seed | 1),
      pendings_(share.datagrams),
      cells_(2 * share.datagrams),
      sources_(share.datagrams),
      tombstones_(share.tombstone_bytes),
      pending_buckets_(std::bit_floor(share.datagrams), kNone),
      source_buckets_(std::bit_floor(share.datagrams), kNone) {
  by_age_.clear();
  for (auto& chain : heavy_) chain.clear();
}

std::uint64_t FragmentStore::hash_of(const FragmentKey& key) const {
  const std::uint64_t addresses = std::uint64_t{key.source} << 32 | key.destination;
  const std::uint64_t rest = std::uint64_t{key.id} << 16 | std::uint64_t{key.protocol} << 8 | key.realm;
  return mix(mix(addresses ^ seed_, kOdd1) ^ rest, seed_ ^ kOdd2);
}

std::uint32_t FragmentStore::find(const FragmentKey& key, std::uint64_t hash) const {
  std::uint32_t index = pending_buckets_[hash & (pending_buckets_.size() - 1)];
  while (index != kNone && pendings_[index].key != key) index = pendings_[index].link;
  return index;
}

std::uint32_t FragmentStore::open(const FragmentKey& key, std::uint64_t hash, std::uint64_t now_ns) {
  const std::uint32_t index = pendings_.take();
  if (index == kNone) return kNone;
  const std::uint32_t source = join_source(key.source);
  std::uint32_t& bucket = pending_buckets_[hash & (pending_buckets_.size() - 1)];
  pendings_[index] = Pending{.link = bucket,
                             .source = source,
                             .key = key,
                             .age = {},
                             .siblings = {},
                             .since_ns = now_ns,
                             .first_piece = kNone,
                             .last_piece = kNone,
                             .cells = 0,
                             .held = 0,
                             .end = 0,
                             .ifindex = 0,
                             .rx_queue = 0,
                             .largest = 0,
                             .fragments = 0,
                             .ecn_seen = 0,
                             .dont_fragment = false,
                             .link_bytes = 0};
  bucket = index;
  by_age_.append(pendings_, index);
  sources_[source].pending.append(pendings_, index);
  return index;
}

void FragmentStore::close(std::uint32_t index) {
  Pending& pending = pendings_[index];
  for (std::uint32_t piece = pending.first_piece; piece != kNone;) {
    const std::uint32_t next = cells_[piece].next_piece;
    const std::uint32_t count = cells_for(std::size_t{cells_[piece].skip} + cells_[piece].length);
    std::uint32_t last = piece;
    for (std::uint32_t i = 1; i < count; ++i) last = cells_[last].link;
    cells_.give_chain(piece, last, count);
    piece = next;
  }
  std::uint32_t* link = &pending_buckets_[hash_of(pending.key) & (pending_buckets_.size() - 1)];
  while (*link != index) link = &pendings_[*link].link;
  *link = pending.link;
  by_age_.remove(pendings_, index);
  Source& source = sources_[pending.source];
  source.pending.remove(pendings_, index);
  weigh(pending.source, source.cells - pending.cells);
  leave_source(pending.source);
  pendings_.give(index);
}

// ---- pieces

Place FragmentStore::place(const Pending& pending, std::uint32_t offset, std::uint32_t end) const {
  Place place{.fresh = end - offset};
  if (pending.first_piece == kNone) return place;
  // The usual cases first: after all, before all.
  if (cells_[pending.last_piece].end() <= offset) {
    place.before = pending.last_piece;
    return place;
  }
  place.after = pending.first_piece;
  while (cells_[place.after].end() <= offset) {
    place.before = place.after;
    place.after = cells_[place.after].next_piece;
  }
  for (std::uint32_t piece = place.after; piece != kNone && cells_[piece].offset < end;
       piece = cells_[piece].next_piece) {
    if (!place.overlaps) place.touched = piece;
    place.overlaps = true;
    place.fresh -= std::min(end, cells_[piece].end()) - std::max(offset, cells_[piece].offset);
  }
  return place;
}

void FragmentStore::keep(std::uint32_t index, std::uint32_t before, Bytes headers, Bytes payload,
                         std::uint32_t offset) {
  Pending& pending = pendings_[index];
  const std::uint32_t count = cells_for(headers.size() + payload.size());
  const std::uint32_t piece = cells_.take();
  Cell* cell = &cells_[piece];
  cell->offset = offset;
  cell->length = static_cast<std::uint16_t>(payload.size());
  cell->skip = static_cast<std::uint8_t>(headers.size());
  std::memcpy(cell->data, headers.data(), headers.size());
  const std::size_t in_first = std::min(payload.size(), sizeof(cell->data) - headers.size());
  std::memcpy(cell->data + headers.size(), payload.data(), in_first);
  for (Bytes rest = payload.subspan(in_first); !rest.empty();) {
    cell->link = cells_.take();
    cell = &cells_[cell->link];
    const std::size_t some = std::min(rest.size(), sizeof(cell->data));
    std::memcpy(cell->data, rest.data(), some);
    rest = rest.subspan(some);
  }
  cells_[piece].next_piece = before == kNone ? pending.first_piece : cells_[before].next_piece;
  (before == kNone ? pending.first_piece : cells_[before].next_piece) = piece;
  if (cells_[piece].next_piece == kNone) pending.last_piece = piece;
  pending.cells += count;
  pending.held += static_cast<std::uint32_t>(payload.size());
  weigh(pending.source, sources_[pending.source].cells + count);
}

void FragmentStore::copy_out(std::uint32_t piece, std::uint8_t* headers, std::uint8_t* payload) const {
  const Cell* cell = &cells_[piece];
  std::memcpy(headers, cell->data, cell->skip);
  std::size_t left = cell->length;
  std::size_t from = cell->skip;
  while (true) {
    const std::size_t some = std::min(left, sizeof(cell->data) - from);
    std::memcpy(payload, cell->data + from, some);
    left -= some;
    if (left == 0) return;
    payload += some;
    from = 0;
    cell = &cells_[cell->link];
  }
}

bool FragmentStore::is_same(std::uint32_t piece, Bytes payload) const {
  const Cell* cell = &cells_[piece];
  if (payload.size() != cell->length) return false;
  std::size_t from = cell->skip;
  while (true) {
    const std::size_t some = std::min(payload.size(), sizeof(cell->data) - from);
    if (std::memcmp(payload.data(), cell->data + from, some) != 0) return false;
    payload = payload.subspan(some);
    if (payload.empty()) return true;
    from = 0;
    cell = &cells_[cell->link];
  }
}

// ---- sources

std::uint32_t FragmentStore::source_bucket(std::uint32_t address) const {
  return static_cast<std::uint32_t>(mix(address ^ seed_, kOdd2) & (source_buckets_.size() - 1));
}

std::uint32_t FragmentStore::find_source(std::uint32_t address) const {
  std::uint32_t index = source_buckets_[source_bucket(address)];
  while (index != kNone && sources_[index].address != address) index = sources_[index].link;
  return index;
}

std::uint32_t FragmentStore::join_source(std::uint32_t address) {
  std::uint32_t index = find_source(address);
  if (index == kNone) {
    // There are as many as datagrams, so one is left.
    index = sources_.take();
    std::uint32_t& bucket = source_buckets_[source_bucket(address)];
    Source& source = sources_[index];
    source =
        Source{.link = bucket, .address = address, .datagrams = 0, .cells = 0, .weight = 0, .rank = {}, .pending = {}};
    source.pending.clear();
    bucket = index;
  }
  ++sources_[index].datagrams;
  return index;
}

void FragmentStore::leave_source(std::uint32_t index) {
  if (--sources_[index].datagrams != 0) return;
  std::uint32_t* link = &source_buckets_[source_bucket(sources_[index].address)];
  while (*link != index) link = &sources_[*link].link;
  *link = sources_[index].link;
  sources_.give(index);
}

void FragmentStore::weigh(std::uint32_t index, std::uint32_t cells) {
  Source& source = sources_[index];
  const std::uint32_t weight = weight_of(cells);
  source.cells = cells;
  if (weight == source.weight) return;
  if (source.weight) {
    auto& chain = heavy_[source.weight];
    chain.remove(sources_, index);
    if (chain.empty()) heavy_weights_ &= ~(1u << source.weight);
  }
  source.weight = weight;
  if (!weight) return;
  heavy_[weight].append(sources_, index);
  heavy_weights_ |= 1u << weight;
}

std::uint32_t FragmentStore::oldest_of(std::uint32_t source, std::uint32_t spared) const {
  const std::uint32_t first = sources_[source].pending.first;
  return first == spared ? pendings_[first].siblings.next : first;
}

std::uint32_t FragmentStore::victim(std::uint32_t spared) const {
  if (heavy_weights_) {
    const auto heaviest = heavy_[static_cast<std::size_t>(std::bit_width(heavy_weights_) - 1)].first;
    if (const std::uint32_t oldest = oldest_of(heaviest, spared); oldest != kNone) return oldest;
  }
  const std::uint32_t first = by_age_.first;
  return first != kNone && first == spared ? pendings_[first].age.next : first;
}

std::uint64_t FragmentStore::bytes_used() const {
  return std::uint64_t{cells_.used()} * sizeof(Cell) + std::uint64_t{pendings_.used()} * sizeof(Pending) +
         std::uint64_t{sources_.used()} * sizeof(Source);
}

std::uint64_t FragmentStore::bytes_reserved() const {
  return cells_.bytes() + pendings_.bytes() + sources_.bytes() + tombstones_.bytes() +
         (pending_buckets_.size() + source_buckets_.size()) * sizeof(std::uint32_t);
}

}  // namespace apnat
