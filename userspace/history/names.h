// names.h - pools and shapes by number: leases hold the numbers. A number is never
// used for another thing, in no later file either. Pure.
#pragma once

#include <bitset>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "history/lease.h"
#include "history/shape.h"

namespace apnat {

class Names {
 public:
  struct Pool {
    std::string name;
    int prefix_length = 32;
    friend auto operator<=>(const Pool&, const Pool&) = default;
  };

  // None: there have been too many.
  std::optional<std::uint16_t> number_of(const Pool& pool) {
    const auto found = pool_numbers_.find(pool);
    if (found != pool_numbers_.end()) return found->second;
    if (pools_.size() >= kMostPools) return std::nullopt;
    pools_.push_back(pool);
    return pool_numbers_[pool] = static_cast<std::uint16_t>(pools_.size() - 1);
  }
  std::optional<std::uint16_t> number_of(const Shape& shape) {
    const std::string bytes = shape.encoded();
    const auto found = shape_numbers_.find(bytes);
    if (found != shape_numbers_.end()) return found->second;
    if (shapes_.size() >= std::size_t{kSpaces} - kFirstShape) return std::nullopt;
    shapes_.push_back(shape);
    return shape_numbers_[bytes] = static_cast<std::uint16_t>(kFirstShape + shapes_.size() - 1);
  }
  void note_protocol(std::uint8_t protocol) { protocols_.set(protocol); }

  const std::vector<Pool>& pools() const { return pools_; }
  const std::vector<Shape>& shapes() const { return shapes_; }  // the first is kFirstShape
  const std::bitset<kFirstShape>& protocols() const { return protocols_; }

  const Pool* pool(std::uint16_t number) const { return number < pools_.size() ? &pools_[number] : nullptr; }
  const Shape* shape(std::uint16_t space) const {
    const std::size_t at = std::size_t{space} - kFirstShape;
    return space >= kFirstShape && at < shapes_.size() ? &shapes_[at] : nullptr;
  }

 private:
  static constexpr std::size_t kMostPools = 60'000;

  std::vector<Pool> pools_;
  std::map<Pool, std::uint16_t> pool_numbers_;
  std::vector<Shape> shapes_;
  std::map<std::string, std::uint16_t> shape_numbers_;
  std::bitset<kFirstShape> protocols_;
};

}  // namespace apnat
