// fragments.h - IPv4 fragments as tests, fuzzers and benchmarks write them: every field as it is wanted, right or
// wrong. Documentation addresses only. Shares no code with what it tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace apnat::test {

using Octets = std::vector<std::uint8_t>;

inline constexpr std::uint32_t kS1 = 0x6440000a;  // 100.64.0.10
inline constexpr std::uint32_t kS2 = 0x6440000b;
inline constexpr std::uint32_t kR1 = 0xc6336401;  // 198.51.100.1

struct Piece {
  std::uint32_t source = kS1;
  std::uint32_t destination = kR1;
  std::uint16_t id = 7;
  std::uint8_t protocol = 17;
  std::uint32_t offset = 0;  // bytes
  bool more = true;
  bool dont_fragment = false;
  std::uint8_t tos = 0;
  std::uint8_t ttl = 64;
  Octets payload = {};
  Octets options = {};                   // padded to 4
  std::vector<std::uint32_t> tags = {};  // 0x8100'0064: customer VLAN 100
  std::size_t padding = 0;               // behind the packet, as Ethernet does
};

inline void put16(Octets& out, std::uint32_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
inline void put32(Octets& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}

// Without a checksum: whoever joins wrong pieces delivers them all the same. `length`: with its data.
inline Octets udp_header(std::uint16_t source_port, std::uint16_t destination_port, std::size_t length) {
  Octets out;
  put16(out, source_port);
  put16(out, destination_port);
  put16(out, static_cast<std::uint32_t>(length));
  put16(out, 0);
  return out;
}

// One's complement sum of [from, to), folded and inverted.
inline std::uint16_t plain_checksum(const Octets& bytes, std::size_t from, std::size_t to) {
  std::uint32_t sum = 0;
  for (std::size_t i = from; i < to; ++i) {
    sum += (i - from) % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

// What stands before the payload: link header, IPv4 header with its checksum.
inline Octets headers_of(const Piece& piece) {
  Octets out = {0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1};
  for (const std::uint32_t tag : piece.tags) put32(out, tag);
  put16(out, 0x0800);
  const std::size_t start = out.size();
  const std::size_t header = 20 + (piece.options.size() + 3) / 4 * 4;
  out.push_back(static_cast<std::uint8_t>(0x40 | header / 4));
  out.push_back(piece.tos);
  put16(out, static_cast<std::uint32_t>(header + piece.payload.size()));
  put16(out, piece.id);
  put16(out, (piece.dont_fragment ? 0x4000u : 0) | (piece.more ? 0x2000u : 0) | piece.offset / 8);
  out.push_back(piece.ttl);
  out.push_back(piece.protocol);
  put16(out, 0);
  put32(out, piece.source);
  put32(out, piece.destination);
  out.insert(out.end(), piece.options.begin(), piece.options.end());
  out.resize(start + header, 0);
  const std::uint16_t sum = plain_checksum(out, start, start + header);
  out[start + 10] = static_cast<std::uint8_t>(sum >> 8);
  out[start + 11] = static_cast<std::uint8_t>(sum);
  return out;
}

inline Octets frame_of(const Piece& piece) {
  Octets out = headers_of(piece);
  out.insert(out.end(), piece.payload.begin(), piece.payload.end());
  out.resize(out.size() + piece.padding, 0xee);
  return out;
}

// `whole`, whose payload is all of the datagram's, in pieces of at most `each` bytes of payload.
inline std::vector<Piece> cut(const Piece& whole, std::size_t each) {
  std::vector<Piece> pieces;
  for (std::size_t from = 0; from < whole.payload.size(); from += each) {
    const std::size_t to = std::min(whole.payload.size(), from + each);
    Piece piece = whole;
    piece.offset = static_cast<std::uint32_t>(from);
    piece.more = to < whole.payload.size();
    piece.payload.assign(whole.payload.begin() + static_cast<std::ptrdiff_t>(from),
                         whole.payload.begin() + static_cast<std::ptrdiff_t>(to));
    pieces.push_back(piece);
  }
  return pieces;
}

// Bytes that differ everywhere, so that a swap or a shift shows.
inline Octets bytes_of(std::size_t count, std::uint32_t seed = 1) {
  Octets bytes(count);
  std::uint32_t state = seed * 2654435761u + 1;
  for (auto& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return bytes;
}

}  // namespace apnat::test
