// explain_world.h - the tables in use as a world for the native core that forgets
// everything: each row is copied when first asked for, and what the core writes
// stays in the copy. So `natctl explain` runs the very text of the data plane, sees
// what it would do, and changes nothing.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core_native.h"
#include "datapath/tables.h"
#include "net/routing.h"

namespace apnat {

class ExplainWorld {
 public:
  ExplainWorld(const Datapath::Tables& tables, const struct options& options);

  static const core_verbs& verbs();

  // What came of it.
  const std::vector<event_record>& events() const { return events_; }
  const std::optional<WayOut>& way() const { return way_; }
  bool opened_mapping() const;
  // The row of a subscriber as the core would leave it; nullptr: not asked for.
  const struct subscriber* seen_subscriber(std::uint32_t reference) const;

 private:
  friend struct ExplainVerbs;
  template <typename Row>
  using Copies = std::map<std::uint64_t, std::unique_ptr<Row>>;

  const Datapath::Tables& tables_;
  struct options options_;
  std::vector<event_record> events_;
  std::optional<WayOut> way_;
  std::uint32_t random_ = 0x2545f491;
  event_record reserved_{};
  Copies<struct node_state> nodes_;
  Copies<struct interface> interfaces_;
  Copies<vlan_member> members_;
  Copies<directory_root> roots_;
  Copies<directory_chunk> chunks_;
  Copies<struct subscriber> subscribers_;
  Copies<struct external_address> external_addresses_;
  Copies<struct pool> pools_;
  Copies<struct pool_activity> activity_;
  Copies<struct pool_address> pool_addresses_;
  Copies<struct mapping_set> mapping_sets_;
  Copies<struct creation_set> creation_sets_;
  Copies<struct port_block> port_blocks_;
  Copies<struct forward_set> forward_sets_;
  Copies<struct ipv4_id_row> ipv4_ids_;
  Copies<struct ipv4_id_laps> ipv4_id_laps_;
};

}  // namespace apnat
