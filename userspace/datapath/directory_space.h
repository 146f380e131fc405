// directory_space.h - what the directory says: which /24 of which realm begins at
// which row. Pure values; tables.h writes them to the kernel.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "apnat/tables.h"
#include "net/address.h"

namespace apnat {

// The rows of one /24.
struct Chunk {
  std::uint32_t base = 0;  // row of its first address
  unsigned shift = 0;      // addresses to a row, as a power of two
  std::uint32_t rows() const { return ADDRESSES_PER_CHUNK >> shift; }
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

inline std::uint32_t chunk_number(Ip4 address) { return address.value() >> 8; }

// One realm's /24s, by number (host address >> 8).
using Chunks = std::map<std::uint32_t, Chunk>;
using Directory = std::array<Chunks, 2>;  // index enum realm

inline std::optional<std::uint32_t> find_row(const Chunks& chunks, Ip4 address) {
  const auto found = chunks.find(chunk_number(address));
  if (found == chunks.end()) return std::nullopt;
  return found->second.base + ((address.value() & (ADDRESSES_PER_CHUNK - 1)) >> found->second.shift);
}

}  // namespace apnat
