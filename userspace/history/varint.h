// varint.h - numbers as the history writes them: seven bits a byte, small ones short.
// Reading is bounds-checked; a reader that ran out of bytes stays failed. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace apnat {

class VarintWriter {
 public:
  explicit VarintWriter(std::string& out) : out_(out) {}

  void number(std::uint64_t value) {
    char bytes[10];
    std::size_t size = 0;
    for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
    bytes[size++] = static_cast<char>(value);
    out_.append(bytes, size);
  }
  // Small whatever its sign.
  void difference(std::int64_t value) {
    number(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
  }
  void text(std::string_view value) {
    number(value.size());
    out_ += value;
  }

 private:
  std::string& out_;
};

class VarintReader {
 public:
  explicit VarintReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ >= bytes_.size()) break;
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }
  template <typename T>
  T number_as() {
    return static_cast<T>(number());
  }
  std::int64_t difference() {
    const std::uint64_t value = number();
    return static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1));
  }
  std::uint8_t byte() {
    if (at_ >= bytes_.size()) failed_ = true;
    return failed_ ? 0 : static_cast<std::uint8_t>(bytes_[at_++]);
  }
  std::string_view text() {
    const std::uint64_t size = number();
    if (size > bytes_.size() - at_) failed_ = true;
    if (failed_) return {};
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  // How many things follow, each of at least one byte: never more than there is room for.
  std::size_t count() {
    const std::uint64_t value = number();
    if (value > bytes_.size() - at_) failed_ = true;
    return failed_ ? 0 : value;
  }

  bool failed() const { return failed_; }
  bool is_at_end() const { return at_ == bytes_.size(); }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

// 32 bits of FNV-1a: any one changed byte changes it.
inline std::uint32_t checksum(std::string_view bytes) {
  std::uint32_t hash = 0x811c9dc5u;
  for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193u;
  return hash;
}

}  // namespace apnat
