// The port arithmetic of user space against the translator's own, slot by slot: neither may drift.
#include <catch2/catch.hpp>
#include <cstring>

#include "core_native.h"
#include "net/port_range.h"

using namespace apnat;

TEST_CASE("user space and the translator agree on every slot of every layout") {
  struct pool pool{};
  pool.first_port_host = 1024;
  pool.last_port_host = 60000;
  pool.port_layout = static_cast<std::uint8_t>(GENERATE(LAYOUT_CONTIGUOUS, LAYOUT_PSID, LAYOUT_SCATTERED));
  const auto [a, block_bits] = GENERATE(table<int, int>({{6, 8}, {6, 10}, {0, 9}, {4, 6}, {1, 15}, {15, 15}, {9, 9}}));
  const std::uint32_t seed = GENERATE(0u, 1u, 0x9e3779b9u);
  pool.psid_offset = static_cast<std::uint8_t>(a);
  pool.psid_length = static_cast<std::uint8_t>(16 - block_bits);
  pool.block_size_log2 = static_cast<std::uint8_t>(block_bits);
  for (std::uint32_t i = 0; i < 4; ++i) pool.layout_key[i] = (seed + i) * 2654435761u;

  std::uint32_t different = 0;
  std::uint32_t usable = 0;
  for (std::uint32_t value = 0; value < 65536; ++value) {
    const auto number = static_cast<std::uint16_t>(value);
    different += port_of_slot(pool, number) != core_port_of_slot(&pool, number);
    different += slot_of_port(pool, number) != core_slot_of_port(&pool, number);
    usable += core_is_usable_slot(&pool, number) != 0;
  }
  CHECK(different == 0);

  // What the translator may give out is what a list of the whole address says.
  std::uint32_t listed = 0;
  for (const PortRange& range : ports_of_slots(pool, {0, 65535})) listed += range.count();
  CHECK(listed == usable);
}
