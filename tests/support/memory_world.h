// memory_world.h - the tables in memory, behind the verbs of the native core. A
// small real implementation, stricter than the kernel: the clock is wound by hand,
// and any verb can be told to refuse.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core_native.h"
#include "support/world.h"

namespace apnat::test {

class MemoryWorld : public World {
 public:
  explicit MemoryWorld(const NatSpec& spec);

  struct options& options() override { return options_; }
  struct node_state& node() override { return node_; }
  struct subscriber& subscriber(std::uint32_t reference) override;
  struct external_address& external_address(std::uint32_t row) override;
  struct pool& pool(std::uint32_t index) override { return pools_.at(index); }
  struct pool_address& pool_address(std::uint32_t index) override { return pool_addresses_[index]; }
  struct mapping_set& mapping_set(std::uint32_t tables, std::uint32_t set) override;
  struct creation_set& creation_set(std::uint32_t tables, std::uint32_t set) override;
  struct port_block& port_block(std::uint32_t tables, std::uint32_t block) override;
  struct forward_set& forward_set(std::uint32_t set) override { return forward_sets_[set]; }
  struct ipv4_id_row& ipv4_id_row(std::uint32_t row) override { return ipv4_ids_[row]; }
  struct ipv4_id_laps& ipv4_id_laps(std::uint32_t row) override { return ipv4_id_laps_[row]; }
  void put_root(std::uint32_t index, const struct directory_root& row) override { roots_[index] = row; }
  void put_chunk(std::uint32_t index, const struct directory_chunk& row) override { chunks_[index] = row; }
  void put_interface(std::uint32_t ifindex, const struct interface& row) override { interfaces_[ifindex] = row; }
  void put_vlan_member(std::uint32_t index, const struct vlan_member& row) override { vlan_members_[index] = row; }
  std::uint32_t inside_ifindex() const override { return kInsideIfindex; }
  std::uint32_t outside_ifindex() const override { return kOutsideIfindex; }
  std::uint32_t now_ticks() const override { return ticks_; }

  void advance_ticks(std::uint32_t ticks) { ticks_ += ticks; }
  void refuse_events(bool refuse) { refuse_events_ = refuse; }
  // What the routing says; none: internal prefixes by the inside interface, the rest by the outside one.
  void answer_routes(std::function<core_route_result(core_route&)> answer) { answer_route_ = std::move(answer); }
  const std::deque<event_record>& events() const { return events_; }
  void forget_events() { events_.clear(); }

  static const core_verbs& verbs();

 private:
  friend struct MemoryVerbs;
  static constexpr std::uint32_t kTables = 64;

  struct options options_{};
  struct node_state node_{};
  std::uint32_t ticks_ = 1'000'000;
  bool refuse_events_ = false;
  std::uint32_t random_ = 1;
  std::function<core_route_result(core_route&)> answer_route_;
  std::deque<event_record> events_;
  std::optional<event_record> reserved_;
  std::vector<struct directory_root> roots_;
  std::vector<struct directory_chunk> chunks_;
  std::vector<struct subscriber> subscribers_;
  std::vector<struct external_address> external_addresses_;
  std::vector<struct pool> pools_;
  std::vector<struct pool_activity> pool_activity_;
  std::vector<struct pool_address> pool_addresses_;
  std::vector<struct forward_set> forward_sets_;
  std::vector<struct ipv4_id_row> ipv4_ids_;
  std::vector<struct ipv4_id_laps> ipv4_id_laps_;
  std::map<std::uint32_t, std::vector<struct mapping_set>> mapping_tables_;
  std::map<std::uint32_t, std::vector<struct creation_set>> creation_tables_;
  std::map<std::uint32_t, std::vector<struct port_block>> block_tables_;
  std::map<std::uint32_t, struct interface> interfaces_;
  std::map<std::uint32_t, struct vlan_member> vlan_members_;
};

}  // namespace apnat::test
