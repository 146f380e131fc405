// tables.h - all tables of the running data plane, opened once: as memory where
// the kernel allows it, by system call elsewhere. Knows how rows are reached, not
// what belongs in them.
#pragma once

#include <map>
#include <vector>

#include "datapath/datapath.h"
#include "datapath/directory_space.h"
#include "datapath/pins.h"
#include "datapath/rows.h"
#include "datapath/table.h"

namespace apnat {

struct Datapath::Tables {
  static Result<Tables> open(const Pins& pins);

  // The shared rows, for reading and writing; good as long as this object.
  const Rows& rows() const { return rows_; }

  // Copies of rows that are not in our memory.
  Result<directory_root> root(std::uint32_t index) const { return roots_.get(index); }
  Result<directory_chunk> chunk(std::uint32_t index) const { return chunks_.get(index); }
  Result<struct interface> interface(std::uint32_t ifindex) const { return interfaces_.get(ifindex); }
  Result<vlan_member> member(std::uint32_t index) const { return vlan_members_.get(index); }

  const Directory& directory() const { return directory_; }
  subscriber* find_subscriber(Ip4 internal) const;   // nullptr: no subscriber has it
  std::uint32_t find_reference(Ip4 internal) const;  // only where find_subscriber() finds one

  // A chunk becomes visible with put_chunk: fill its rows first.
  Result<void> put_chunk(enum realm realm, std::uint32_t number, const Chunk& chunk);
  Result<void> erase_chunk(enum realm realm, std::uint32_t number);

  // Tables of one external address, zeroed; `creations` where its pool logs mappings.
  Result<void> make_address(std::uint32_t number, bool creations);
  Result<void> drop_address(std::uint32_t number);
  Result<void> make_subscriber_table(std::uint32_t number);

  Result<void> put_interface(std::uint32_t ifindex, const struct interface& row) {
    return interfaces_.put(ifindex, row);
  }
  Result<void> put_member(std::uint32_t index, const vlan_member& row) { return vlan_members_.put(index, row); }
  Result<void> put_tx_port(std::uint32_t ifindex);
  Result<void> erase_tx_port(std::uint32_t ifindex);
  // `room`: buffers its receive ring holds.
  Result<void> put_xsk_socket(std::uint32_t index, int socket, std::uint32_t room);

  std::span<xsk_backlog> xsk_backlogs() const { return xsk_backlogs_.rows(); }  // index as the sockets

  int verdict_counters_fd() const { return verdict_counters_.get(); }
  int slow_path_counters_fd() const { return slow_path_counters_.get(); }
  int slow_path_batch_fd() const { return slow_path_batch_.get(); }
  int slow_path_datagrams_fd() const { return slow_path_datagrams_.get(); }
  int events_fd() const { return events_.get(); }

 private:
  struct AddressTables {
    Table<mapping_set> mappings;
    Table<port_block> blocks;
    Table<creation_set> creations;
  };

  Result<void> open_flat(const Pins& pins);
  Result<void> open_nested(const Pins& pins);
  Result<void> read_directory();
  Result<void> read_page(std::uint32_t realm_and_16, std::uint32_t page);
  Result<void> put_root(std::uint32_t realm_and_16, std::uint32_t page);
  Result<std::uint32_t> page_of(std::uint32_t realm_and_16);
  void show_address(std::uint32_t number);

  Table<struct pool> pools_;
  Table<pool_activity> activity_;
  Table<pool_address> pool_addresses_;
  Table<external_address> external_addresses_;
  Table<forward_set> forward_sets_;
  Table<ipv4_id_row> ipv4_ids_;
  Table<struct ipv4_id_laps> ipv4_id_laps_;
  Table<xsk_backlog> xsk_backlogs_;
  Table<node_state> node_;
  Table<tables_in_place> in_place_;
  std::vector<Table<subscriber>> subscriber_tables_;
  std::vector<AddressTables> addresses_;
  CalledTable<directory_root> roots_;
  CalledTable<directory_chunk> chunks_;
  CalledTable<struct interface> interfaces_;
  CalledTable<vlan_member> vlan_members_;
  CalledTable<std::uint32_t> tx_ports_;
  UniqueFd mapping_outer_, block_outer_, creation_outer_, subscriber_outer_;
  UniqueFd verdict_counters_, slow_path_counters_, slow_path_batch_, slow_path_datagrams_, xsk_sockets_, events_;

  Rows rows_;
  Directory directory_;
  std::map<std::uint32_t, std::uint32_t> pages_;  // realm << 16 | /16 -> page; what directory_roots says
};

// Returns when every program that was running at the call has finished: what it saw of the rows is history then.
void wait_for_programs();

}  // namespace apnat
