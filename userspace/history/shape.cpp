// shape.cpp - the arithmetic is net/port_range's; here is which part of a pool's row it needs.
#include "history/shape.h"

#include <algorithm>

#include "history/varint.h"

namespace apnat {

Shape Shape::of_pool(const struct pool& row) {
  Shape shape;
  shape.row_.port_layout = row.port_layout;
  shape.row_.block_size_log2 = row.block_size_log2;
  shape.row_.first_port_host = row.first_port_host;
  shape.row_.last_port_host = row.last_port_host;
  if (row.port_layout == LAYOUT_PSID) {
    shape.row_.psid_offset = row.psid_offset;
    shape.row_.psid_length = row.psid_length;
  }
  if (row.port_layout == LAYOUT_SCATTERED) std::ranges::copy(row.layout_key, shape.row_.layout_key);
  return shape;
}

Shape Shape::of_ports(std::vector<PortRange> ports) {
  Shape shape;
  shape.ports_ = std::move(ports);
  return shape;
}

std::optional<std::uint16_t> Shape::block_of(std::uint16_t port) const {
  if (!ports_.empty()) {
    const bool has = std::ranges::any_of(ports_, [&](const PortRange& range) { return range.contains(port); });
    return has ? std::optional<std::uint16_t>(0) : std::nullopt;
  }
  if (!is_usable(row_, port)) return std::nullopt;
  return static_cast<std::uint16_t>(slot_of_port(row_, port) >> row_.block_size_log2);
}

std::optional<std::uint16_t> Shape::block_of(const std::vector<PortRange>& ports) const {
  if (ports.empty() || (!ports_.empty() && ports != ports_)) return std::nullopt;
  const auto first = block_of(ports.front().first);
  if (!first || first != block_of(ports.back().last)) return std::nullopt;
  if (!ports_.empty() || row_.port_layout != LAYOUT_CONTIGUOUS)
    return is_as_large_as_mine(ports) ? first : std::nullopt;
  return ports == ports_of(*first) ? first : std::nullopt;
}

// Blocks of another size, from before a reload, have half as many ports or twice. `ports` may leave a few of a block
// out.
bool Shape::is_as_large_as_mine(const std::vector<PortRange>& ports) const {
  if (!ports_.empty()) return true;
  std::uint32_t count = 0;
  for (const PortRange& range : ports) count += range.count();
  const std::uint32_t size = 1u << row_.block_size_log2;
  const bool has_excluded = row_.port_layout == LAYOUT_PSID && row_.psid_offset > 0;
  const std::uint32_t expected = has_excluded ? size - (size >> row_.psid_offset) : size;
  return count <= expected && 2 * count > expected;
}

std::vector<PortRange> Shape::ports_of(std::uint16_t block) const {
  if (!ports_.empty()) return ports_;
  const std::uint32_t first = std::uint32_t{block} << row_.block_size_log2;
  const std::uint32_t last = first + (1u << row_.block_size_log2) - 1;
  return ports_of_slots(row_, {static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)});
}

std::string Shape::encoded() const {
  std::string bytes;
  VarintWriter to(bytes);
  to.number(ports_.size());
  for (const PortRange& range : ports_) {
    to.number(range.first);
    to.number(range.last);
  }
  for (std::uint32_t value :
       {std::uint32_t{row_.port_layout}, std::uint32_t{row_.block_size_log2}, std::uint32_t{row_.first_port_host},
        std::uint32_t{row_.last_port_host}, std::uint32_t{row_.psid_offset}, std::uint32_t{row_.psid_length}}) {
    to.number(value);
  }
  for (std::uint32_t key : row_.layout_key) to.number(key);
  return bytes;
}

Result<Shape> Shape::decode(std::string_view bytes) {
  Shape shape;
  VarintReader from(bytes);
  for (std::size_t i = from.count(); i > 0; --i) {
    const auto first = from.number_as<std::uint16_t>();
    shape.ports_.push_back({first, from.number_as<std::uint16_t>()});
  }
  shape.row_.port_layout = from.number_as<std::uint8_t>();
  shape.row_.block_size_log2 = from.number_as<std::uint8_t>();
  shape.row_.first_port_host = from.number_as<std::uint16_t>();
  shape.row_.last_port_host = from.number_as<std::uint16_t>();
  shape.row_.psid_offset = from.number_as<std::uint8_t>();
  shape.row_.psid_length = from.number_as<std::uint8_t>();
  for (auto& key : shape.row_.layout_key) key = from.number_as<std::uint32_t>();
  if (from.failed() || shape.row_.block_size_log2 > 16 || shape.row_.psid_offset + shape.row_.psid_length > 16) {
    return fail("a shape of blocks in the history is damaged");
  }
  return shape;
}

}  // namespace apnat
