// fragment_store.h - the memory of fragments of one realm, and whose it is. Everything is taken at the start and shared
// out here: datagrams being put together, the bytes of their fragments in cells, the sources they come from. Says who
// has to give when there is no more; never decides that a fragment is wrong, and copies nothing out.
#pragma once

#include <array>
#include <vector>

#include "slowpath/fragment.h"
#include "slowpath/slab.h"
#include "slowpath/tombstones.h"

namespace apnat {

// A run of a fragment's bytes. The first cell of a piece says where its payload belongs.
struct Cell {
  std::uint32_t link;        // the piece's next cell
  std::uint32_t next_piece;  // by offset
  std::uint32_t offset;
  std::uint16_t length;  // of the payload
  std::uint8_t skip;     // bytes before the payload: of the fragment at offset 0, its headers
  std::uint8_t reserved;
  std::uint8_t data[512];  // three hold a fragment of 1,500 bytes with its headers

  std::uint32_t end() const { return offset + length; }
};

// A datagram being put together.
struct Pending {
  std::uint32_t link;    // the next of the same hash
  std::uint32_t source;  // index
  FragmentKey key;
  Links age;       // all datagrams of the realm, oldest first
  Links siblings;  // those of the same source, oldest first
  std::uint64_t since_ns;
  std::uint32_t first_piece;
  std::uint32_t last_piece;
  std::uint32_t cells;
  std::uint32_t held;     // bytes of payload
  std::uint32_t end;      // where the payload ends; 0: the last fragment has not come
  std::uint32_t ifindex;  // where the fragment at offset 0 came in
  std::uint32_t rx_queue;
  std::uint16_t largest;  // fragment so far, its header included
  std::uint8_t fragments;
  std::uint8_t ecn_seen;  // one bit a codepoint
  bool dont_fragment;
  std::uint8_t link_bytes;  // of the fragment at offset 0
};

// An address with datagrams being put together.
struct Source {
  std::uint32_t link;  // the next of the same hash
  std::uint32_t address;
  std::uint32_t datagrams;
  std::uint32_t cells;
  std::uint32_t weight;  // 0: ordinary; else which chain of heavy ones it is in
  Links rank;
  Chain<Pending, &Pending::siblings> pending;
};

// Where a fragment lies among the pieces that are there.
struct Place {
  std::uint32_t before = kNone;
  std::uint32_t after = kNone;
  std::uint32_t fresh = 0;  // bytes that nobody brought before
  bool overlaps = false;    // and `touched` is the first piece it overlaps
  std::uint32_t touched = kNone;
};

class FragmentStore {
 public:
  // All of it within `bytes`. `seed` is secret: who could foresee hashes could fill one.
  FragmentStore(std::uint64_t bytes, std::uint64_t seed);

  std::uint64_t hash_of(const FragmentKey& key) const;
  std::uint32_t find(const FragmentKey& key, std::uint64_t hash) const;
  // kNone: there is no room for one more.
  std::uint32_t open(const FragmentKey& key, std::uint64_t hash, std::uint64_t now_ns);
  void close(std::uint32_t pending);

  Place place(const Pending& pending, std::uint32_t offset, std::uint32_t end) const;
  // Keeps `bytes` (headers too, where `skip` says so) as a piece after `before`. Room must have been made.
  void keep(std::uint32_t pending, std::uint32_t before, Bytes headers, Bytes payload, std::uint32_t offset);
  // The bytes of a piece, headers first; `out` holds skip + length of them.
  void copy_out(std::uint32_t piece, std::uint8_t* headers, std::uint8_t* payload) const;
  bool is_same(std::uint32_t piece, Bytes payload) const;

  // The datagram that has to give when memory is full: the oldest of the source with the most, if one has far more
  // than a datagram's worth, else the oldest of all. Never `spared`. kNone: there is no other.
  std::uint32_t victim(std::uint32_t spared) const;
  std::uint32_t oldest() const { return by_age_.first; }
  std::uint32_t oldest_of(std::uint32_t source, std::uint32_t spared) const;
  // kNone: nothing of that address is being put together.
  std::uint32_t find_source(std::uint32_t address) const;

  static std::uint32_t cells_for(std::size_t bytes) {
    return static_cast<std::uint32_t>((bytes + sizeof(Cell::data) - 1) / sizeof(Cell::data));
  }
  bool has_room(std::uint32_t cells) const { return cells_.left() >= cells; }
  const Pending& pending(std::uint32_t index) const { return pendings_[index]; }
  Pending& pending(std::uint32_t index) { return pendings_[index]; }
  const Cell& cell(std::uint32_t index) const { return cells_[index]; }
  const Source& source(std::uint32_t index) const { return sources_[index]; }
  Tombstones& tombstones() { return tombstones_; }
  const Tombstones& tombstones() const { return tombstones_; }

  std::uint32_t datagrams() const { return pendings_.used(); }
  std::uint32_t sources() const { return sources_.used(); }
  std::uint64_t bytes_used() const;
  std::uint64_t bytes_reserved() const;  // never more than was given

 private:
  struct Share;
  static Share share_of(std::uint64_t bytes);
  FragmentStore(const Share& share, std::uint64_t seed);

  std::uint32_t source_bucket(std::uint32_t address) const;
  std::uint32_t join_source(std::uint32_t address);
  void leave_source(std::uint32_t source);
  void weigh(std::uint32_t source, std::uint32_t cells);

  static constexpr int kWeights = 26;

  std::uint64_t seed_;
  Slab<Pending> pendings_;
  Slab<Cell> cells_;
  Slab<Source> sources_;
  Tombstones tombstones_;
  std::vector<std::uint32_t> pending_buckets_;
  std::vector<std::uint32_t> source_buckets_;
  Chain<Pending, &Pending::age> by_age_;
  std::array<Chain<Source, &Source::rank>, kWeights> heavy_;
  std::uint32_t heavy_weights_ = 0;  // a bit for each chain that is not empty
};

}  // namespace apnat
