// interface_rows.cpp - VLAN stacks down to the device that carries them.
#include "datapath/interface_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace apnat {
namespace {

constexpr std::size_t kMostTags = 2;

// The tags between an interface and its device, innermost first, and the device.
struct Stack {
  std::vector<const NetworkInterface*> levels;  // the interface itself, then what is below it; last: the device
};

Result<Stack> stack_of(const NetworkInterface& interface, const std::vector<NetworkInterface>& there) {
  Stack stack;
  for (const NetworkInterface* at = &interface; at;) {
    stack.levels.push_back(at);
    if (stack.levels.size() > kMostTags + 1) {
      return fail(fmt::format("interface {}: more than two VLAN tags", interface.name));
    }
    if (!at->vlan) return stack;
    const std::uint32_t below = at->vlan->parent_ifindex;
    at = find_interface(there, below);
  }
  return fail(fmt::format("interface {}: the device below it is not in this namespace", interface.name));
}

struct interface row_of(const Stack& stack) {
  const NetworkInterface& top = *stack.levels.front();
  struct interface row{};
  row.vlan_depth = static_cast<__u8>(stack.levels.size() - 1);
  row.redirect_ifindex = stack.levels.back()->ifindex;
  for (unsigned tag = 0; tag < row.vlan_depth; ++tag) {
    const VlanTag& vlan = *stack.levels[row.vlan_depth - 1 - tag]->vlan;  // outer first
    row.vlan_protocol[tag] = htons(vlan.protocol);
    row.vlan_id[tag] = htons(vlan.id);
  }
  std::memcpy(row.mac, top.mac.data(), sizeof(row.mac));
  return row;
}

class Builder {
 public:
  Builder(const std::set<std::uint32_t>& several_buffers, const InterfaceRows& before)
      : several_buffers_(several_buffers), before_(before) {}

  Result<void> add(const Stack& stack, const PlannedInterface& planned) {
    struct interface row = row_of(stack);
    row.flags = static_cast<__u8>((planned.internal ? INTERFACE_INTERNAL : 0) |
                                  (planned.external ? INTERFACE_EXTERNAL : 0) | INTERFACE_EGRESS |
                                  (several_buffers_.contains(row.redirect_ifindex) ? 0 : INTERFACE_ONE_BUFFER));
    TRY_VOID(put(*stack.levels.front(), row));
    for (std::size_t level = 0; level + 1 < stack.levels.size(); ++level) {
      TRY_VOID(link(*stack.levels[level], *stack.levels[level + 1], stack, level + 1));
    }
    rows_.devices[stack.levels.back()->ifindex] = stack.levels.back()->name;
    return {};
  }

  InterfaceRows take() { return std::move(rows_); }

 private:
  // What is already known of an interface (as what lies below another) stays known.
  Result<void> put(const NetworkInterface& interface, struct interface row) {
    if (interface.ifindex >= MAX_IFINDEX) {
      return fail(fmt::format("interface {}: its number {} is beyond the tables' {}", interface.name, interface.ifindex,
                              +MAX_IFINDEX));
    }
    struct interface& there = rows_.interfaces[interface.ifindex];
    row.flags |= there.flags;
    row.vlan_table_plus_one = there.vlan_table_plus_one;
    there = row;
    return {};
  }

  // `below` carries `above` as one of its VLANs.
  Result<void> link(const NetworkInterface& above, const NetworkInterface& below, const Stack& stack,
                    std::size_t level) {
    const Stack rest{{stack.levels.begin() + static_cast<std::ptrdiff_t>(level), stack.levels.end()}};
    TRY_VOID(put(below, row_of(rest)));
    const std::uint16_t table = TRY(vlan_table(below));
    rows_.interfaces[below.ifindex].vlan_table_plus_one = table;
    rows_.members[(table - 1U) * VLANS_PER_TABLE + above.vlan->id] = above.ifindex;
    return {};
  }

  Result<std::uint16_t> vlan_table(const NetworkInterface& device) {
    if (const auto found = rows_.vlan_tables.find(device.ifindex); found != rows_.vlan_tables.end()) {
      return found->second;
    }
    if (const auto found = before_.vlan_tables.find(device.ifindex); found != before_.vlan_tables.end()) {
      return rows_.vlan_tables[device.ifindex] = found->second;
    }
    std::set<std::uint16_t> used;
    for (const InterfaceRows* rows : {&before_, &std::as_const(rows_)}) {
      for (const auto& [ifindex, table] : rows->vlan_tables) used.insert(table);
    }
    for (std::uint16_t table = 1; table <= MAX_VLAN_TABLES; ++table) {
      if (!used.contains(table)) return rows_.vlan_tables[device.ifindex] = table;
    }
    return fail(fmt::format("interface {}: more than {} devices have VLANs", device.name, +MAX_VLAN_TABLES));
  }

  const std::set<std::uint32_t>& several_buffers_;
  const InterfaceRows& before_;
  InterfaceRows rows_;
};

}  // namespace

Result<InterfaceRows> interface_rows(const std::vector<PlannedInterface>& planned,
                                     const std::vector<NetworkInterface>& there,
                                     const std::set<std::uint32_t>& several_buffers, const InterfaceRows& before,
                                     std::vector<std::string>& missing) {
  Builder builder(several_buffers, before);
  for (const PlannedInterface& wanted : planned) {
    const NetworkInterface* found = find_interface(there, wanted.name);
    if (!found) {
      missing.push_back(wanted.name);
      continue;
    }
    if (!found->ethernet) return fail(fmt::format("interface {} is not an Ethernet interface", wanted.name));
    TRY_VOID(builder.add(TRY(stack_of(*found, there)), wanted));
  }
  return builder.take();
}

std::vector<Ip4> own_addresses(const std::vector<LocalAddress>& local) {
  std::set<Ip4> own;
  for (const LocalAddress& here : local) {
    if (here.address.value() >> 24 == 127) continue;
    own.insert(here.address);
    own.insert(here.broadcasts.begin(), here.broadcasts.end());
  }
  return {own.begin(), own.end()};
}

}  // namespace apnat
