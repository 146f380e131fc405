// checksum.h - the Internet checksum's sum, for the headers that user space writes and checks. Knows no header. (The
// translator never sums: it updates by increments, bpf/core/checksum.h.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace apnat {

// RFC 1071: the one's complement sum of `bytes` as 16-bit words in network order and of `start`, folded, not inverted.
// An odd byte at the end is padded with 0. With a right checksum among them bytes sum to 0xffff.
inline std::uint16_t internet_sum(std::span<const std::uint8_t> bytes, std::uint64_t start = 0) {
  std::uint64_t sum = start;
  std::size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) {
    std::uint16_t word;
    std::memcpy(&word, bytes.data() + i, sizeof(word));
    sum += __builtin_bswap16(word);
  }
  if (i < bytes.size()) sum += std::uint32_t{bytes[i]} << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace apnat
