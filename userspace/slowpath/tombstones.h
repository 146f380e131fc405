// tombstones.h - which datagrams were given up lately, so that what comes late of them is never put together with a
// newer datagram of the same ID (FRAG-5). A fixed table, four places for each hash: when all four are taken, the one
// that would have expired first is forgotten, and counted. No chain, no growth, one cache line a look.
#pragma once

#include <cstdint>
#include <memory>

#include "slowpath/fragment.h"

namespace apnat {

class Tombstones {
 public:
  explicit Tombstones(std::uint64_t bytes);

  void add(const FragmentKey& key, std::uint64_t hash, std::uint64_t now_ns, std::uint64_t expires_ns);
  bool holds(const FragmentKey& key, std::uint64_t hash, std::uint64_t now_ns) const;
  std::uint64_t forgotten() const { return forgotten_; }  // before their time
  std::uint64_t bytes() const { return (mask_ + 1) * sizeof(Bucket); }

 private:
  struct Stone {
    FragmentKey key;
    std::uint32_t expires;  // ticks; 0: empty
  };
  struct alignas(64) Bucket {
    Stone stones[4];
  };

  std::unique_ptr<Bucket[]> buckets_;
  std::uint64_t mask_;
  std::uint64_t all_expired_ns_ = 0;  // from then on nothing is held, whatever the table says
  std::uint64_t forgotten_ = 0;
};

}  // namespace apnat
