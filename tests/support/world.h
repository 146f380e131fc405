// world.h - the tables a translator runs over, whoever holds them, and how a test
// fills them: one pool description becomes the same rows in memory and in the kernel.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "apnat/options.h"
#include "apnat/tables.h"

namespace apnat::test {

constexpr std::uint32_t kInsideIfindex = 11;  // the memory world's; the kernel's are its own
constexpr std::uint32_t kOutsideIfindex = 12;

// Rows to read and write in place. References stay good as long as the world lives.
class World {
 public:
  virtual ~World() = default;
  virtual struct options& options() = 0;
  virtual struct node_state& node() = 0;
  virtual struct subscriber& subscriber(std::uint32_t reference) = 0;
  virtual struct external_address& external_address(std::uint32_t row) = 0;
  virtual struct pool& pool(std::uint32_t index) = 0;
  virtual struct pool_address& pool_address(std::uint32_t index) = 0;
  virtual struct mapping_set& mapping_set(std::uint32_t tables, std::uint32_t set) = 0;
  virtual struct creation_set& creation_set(std::uint32_t tables, std::uint32_t set) = 0;
  virtual struct port_block& port_block(std::uint32_t tables, std::uint32_t block) = 0;
  virtual struct forward_set& forward_set(std::uint32_t set) = 0;
  virtual struct ipv4_id_row& ipv4_id_row(std::uint32_t row) = 0;
  virtual struct ipv4_id_laps& ipv4_id_laps(std::uint32_t row) = 0;
  virtual void put_root(std::uint32_t index, const struct directory_root& row) = 0;
  virtual void put_chunk(std::uint32_t index, const struct directory_chunk& row) = 0;
  virtual void put_interface(std::uint32_t ifindex, const struct interface& row) = 0;
  virtual void put_vlan_member(std::uint32_t index, const struct vlan_member& row) = 0;
  virtual std::uint32_t inside_ifindex() const = 0;
  virtual std::uint32_t outside_ifindex() const = 0;
  virtual std::uint32_t now_ticks() const = 0;
};

// One pool, in a test's words.
struct PoolSpec {
  std::string internal = "100.64.0.0/24";
  std::string external = "192.0.2.1";  // an address or a prefix
  enum assignment assignment = ASSIGN_DYNAMIC;
  std::uint16_t first_port = 1024;
  std::uint16_t last_port = 65535;
  std::uint32_t block_size = 512;
  std::uint8_t max_blocks = 4;
  enum port_layout layout = LAYOUT_CONTIGUOUS;
  std::uint8_t psid_offset = 6;
  enum log_level log = LOG_BLOCKS;
  std::uint8_t flags = POOL_HAIRPINNING;
  std::uint32_t max_new_mappings_per_second = 0;
  std::uint16_t first_block_reserve = 0;
  int subscriber_prefix_length = 32;
  bool local = false;  // the gateway's own address as the pool
  // static: subscriber address -> range
  struct Fixed {
    std::string subscriber;
    std::uint16_t first;
    std::uint16_t last;
  };
  std::vector<Fixed> fixed = {};
};

struct NatSpec {
  std::vector<PoolSpec> pools = {PoolSpec{}};
  std::vector<std::string> gateway_addresses = {"100.64.255.1", "198.51.100.254"};
  bool one_armed = false;
  std::uint16_t tcp_mss_clamp = 0;
  bool proxy_arp = false;
  bool vlans = false;
  bool forwards = true;
  enum ipv4_id_atomic ipv4_id_atomic = ATOMIC_ID_KEEP;
  enum ipv4_id_on_repeat ipv4_id_on_repeat = ID_REPEAT_COUNT;
  bool slow_path = false;
  bool timeless = false;  // nothing becomes due while a test lasts, however slow its machine
};

// The options a specification needs (to be known before a program is loaded).
struct options options_for(const NatSpec& spec);

// Writes the rows. `place` is called for each table the world must have before rows of it are written.
void lay_out(World& world, const NatSpec& spec);

}  // namespace apnat::test
