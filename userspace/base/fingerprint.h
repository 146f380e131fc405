// fingerprint.h - 64-bit FNV-1a of bytes: tells texts apart and damaged ones from whole ones. No secret, no signature.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace apnat {

inline std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

// 16 hexadecimal digits.
inline std::string fingerprint(std::string_view bytes) { return fmt::format("{:016x}", fnv1a(bytes)); }

}  // namespace apnat
