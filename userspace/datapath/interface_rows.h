// interface_rows.h - from the interfaces the plan names and what the kernel says of
// them to the rows programs read: roles, VLAN tags, the device below. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "apnat/tables.h"
#include "base/result.h"
#include "config/plan.h"
#include "net/interface.h"

namespace apnat {

struct InterfaceRows {
  std::map<std::uint32_t, struct interface> interfaces;  // by ifindex
  std::map<std::uint32_t, std::uint32_t> members;        // vlan_members index -> ifindex of the sub-interface
  std::map<std::uint32_t, std::string> devices;          // where packets come in and go out: physical, by ifindex
  std::map<std::uint32_t, std::uint16_t> vlan_tables;    // device with sub-interfaces -> its table, from 1
};

// `several_buffers`: the devices that take redirected frames of more than one. `before`: as they are now, so that a
// device keeps its VLAN table. Interfaces of the plan that do not exist (yet) are left out and named in `missing`.
Result<InterfaceRows> interface_rows(const std::vector<PlannedInterface>& planned,
                                     const std::vector<NetworkInterface>& there,
                                     const std::set<std::uint32_t>& several_buffers, const InterfaceRows& before,
                                     std::vector<std::string>& missing);

// The gateway's own addresses: those of its interfaces, their broadcasts too; not 127/8.
std::vector<Ip4> own_addresses(const std::vector<LocalAddress>& local);

}  // namespace apnat
