// shape.h - how the ports of an external address are cut into blocks: what turns a
// port into the number of the block that it lies in, and back. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apnat/tables.h"
#include "base/result.h"
#include "net/port_range.h"

namespace apnat {

class Shape {
 public:
  // The blocks of a pool with this row: its layout, block size, usable ports and round keys.
  static Shape of_pool(const struct pool& row);
  // One block of exactly these ports: where no pool is known that they would fit.
  static Shape of_ports(std::vector<PortRange> ports);

  // The block in which `port` lies; none: in no block of this shape.
  std::optional<std::uint16_t> block_of(std::uint16_t port) const;
  // The block that these ports are.
  std::optional<std::uint16_t> block_of(const std::vector<PortRange>& ports) const;
  std::vector<PortRange> ports_of(std::uint16_t block) const;

  // Equal shapes have equal bytes.
  std::string encoded() const;
  static Result<Shape> decode(std::string_view bytes);

 private:
  Shape() = default;
  bool is_as_large_as_mine(const std::vector<PortRange>& ports) const;

  struct pool row_{};
  std::vector<PortRange> ports_;  // not empty: these, and row_ says nothing
};

}  // namespace apnat
