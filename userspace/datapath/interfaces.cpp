// interfaces.cpp - keeping rows and attachments where the plan wants them.
#include "datapath/interfaces.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/log.h"
#include "net/xdp_features.h"

namespace apnat {
namespace {

bool equal(const struct interface& one, const struct interface& other) {
  return std::memcmp(&one, &other, sizeof(one)) == 0;
}

std::uint64_t tx_dropped(const std::string& interface) {
  std::ifstream file("/sys/class/net/" + interface + "/statistics/tx_dropped");
  std::uint64_t dropped = 0;
  file >> dropped;
  return dropped;
}

std::string role_of(const PlannedInterface& planned) {
  if (planned.internal && planned.external) return "internal+external";
  return planned.internal ? "internal" : "external";
}

bool has_pool_of_own_address(const Plan& plan) {
  const auto own = local_addresses();
  if (!own) return false;
  return std::ranges::any_of(*own, [&](const LocalAddress& local) {
    return std::ranges::any_of(
        plan.pools, [&](const PlannedPool& pool) { return std::ranges::binary_search(pool.external, local.address); });
  });
}

}  // namespace

Result<Interfaces> Interfaces::open(const Datapath::Tables& tables, Attacher attacher) {
  Interfaces interfaces(std::move(attacher));
  for (std::uint32_t ifindex = 0; ifindex < MAX_IFINDEX; ++ifindex) {
    const struct interface row = TRY(tables.interface(ifindex));
    if (equal(row, {})) continue;
    interfaces.rows_.interfaces[ifindex] = row;
    interfaces.routing_changes_ = std::max(interfaces.routing_changes_, row.routing_changes + 1);
    if (row.redirect_ifindex) interfaces.rows_.devices[row.redirect_ifindex] = "";
    const std::uint16_t table = row.vlan_table_plus_one;
    if (table == 0 || table > MAX_VLAN_TABLES) continue;
    interfaces.rows_.vlan_tables[ifindex] = table;
    for (std::uint32_t id = 0; id < VLANS_PER_TABLE; ++id) {
      const std::uint32_t index = (table - 1U) * VLANS_PER_TABLE + id;
      if (const vlan_member member = TRY(tables.member(index)); member.ifindex) {
        interfaces.rows_.members[index] = member.ifindex;
      }
    }
  }
  return interfaces;
}

Result<InterfaceRows> Interfaces::wanted_rows(const Plan& plan, std::vector<std::string>& missing) const {
  InterfaceRows wanted = TRY(
      interface_rows(plan.interfaces, TRY(network_interfaces()), devices_sending_several_buffers(), rows_, missing));
  for (const auto& [device, sockets] : sockets_) {
    const auto row = wanted.interfaces.find(device);
    if (row == wanted.interfaces.end()) continue;
    row->second.first_xsk_socket = sockets.first;
    row->second.xsk_sockets = sockets.count;
  }
  return wanted;
}

Result<void> Interfaces::attach(const Plan& plan) {
  std::vector<std::string> missing;
  const InterfaceRows wanted = TRY(wanted_rows(plan, missing));
  if (!missing.empty()) return fail(fmt::format("no interface is called {}", fmt::join(missing, ", ")));
  std::vector<std::pair<std::uint32_t, std::string>> added;
  for (const auto& [ifindex, name] : wanted.devices) {
    if (attacher_.find(ifindex)) continue;
    const auto attachment = attacher_.attach(ifindex, name, plan.config.interfaces.mode);
    if (!attachment) {
      for (const auto& [undo, undo_name] : added) (void)attacher_.detach(undo, undo_name);
      return std::unexpected(attachment.error());
    }
    added.emplace_back(ifindex, name);
    native_refused_[name] = attachment->native_refused;
    log_info("attached", {{"interface", name},
                          {"mode", attachment->mode == XdpMode::kNative ? "native" : "generic"},
                          {"native_refused", attachment->native_refused}});
  }
  return {};
}

Result<void> Interfaces::update(Datapath::Tables& tables, const Plan& plan) {
  std::vector<std::string> missing;
  const InterfaceRows wanted = TRY(wanted_rows(plan, missing));
  const auto before = rows_.devices;
  TRY_VOID(write(tables, wanted));
  for (const auto& [ifindex, name] : before) {
    if (!wanted.devices.contains(ifindex)) TRY_VOID(attacher_.detach(ifindex, name));
  }
  return {};
}

// Ports before the rows that lead to them; VLAN members before the device that has them.
Result<void> Interfaces::write(Datapath::Tables& tables, InterfaceRows wanted) {
  for (auto& [ifindex, row] : wanted.interfaces) row.routing_changes = routing_changes_;
  for (const auto& [ifindex, name] : wanted.devices) {
    if (ifindex < MAX_IFINDEX) TRY_VOID(tables.put_tx_port(ifindex));
  }
  for (const auto& [index, ifindex] : wanted.members) {
    const auto there = rows_.members.find(index);
    if (there != rows_.members.end() && there->second == ifindex) continue;
    TRY_VOID(tables.put_member(index, {.ifindex = ifindex, .reserved = 0}));
  }
  for (const auto& [ifindex, row] : wanted.interfaces) {
    const auto there = rows_.interfaces.find(ifindex);
    if (there == rows_.interfaces.end() || !equal(there->second, row)) TRY_VOID(tables.put_interface(ifindex, row));
  }
  for (const auto& [ifindex, row] : rows_.interfaces) {
    if (!wanted.interfaces.contains(ifindex)) TRY_VOID(tables.put_interface(ifindex, {}));
  }
  for (const auto& [index, ifindex] : rows_.members) {
    if (!wanted.members.contains(index)) TRY_VOID(tables.put_member(index, {}));
  }
  for (const auto& [ifindex, name] : rows_.devices) {
    if (!wanted.devices.contains(ifindex) && ifindex < MAX_IFINDEX) TRY_VOID(tables.erase_tx_port(ifindex));
  }
  rows_ = std::move(wanted);
  std::erase_if(sockets_, [this](const auto& entry) { return !rows_.devices.contains(entry.first); });
  return {};
}

Result<std::uint32_t> Interfaces::free_places(std::uint32_t count) const {
  std::vector<bool> taken(MAX_XSK_SOCKETS);
  for (const auto& [device, sockets] : sockets_) {
    for (std::uint32_t n = 0; n < sockets.count; ++n) taken[sockets.first + n] = true;
  }
  std::uint32_t run = 0;
  for (std::uint32_t at = 0; at < MAX_XSK_SOCKETS; ++at) {
    run = taken[at] ? 0 : run + 1;
    if (run == count) return at + 1 - count;
  }
  return fail("the table of AF_XDP sockets is full");
}

// The sockets before the row that leads to them.
Result<std::span<xsk_backlog>> Interfaces::set_sockets(Datapath::Tables& tables, std::uint32_t device,
                                                       std::span<const int> by_queue, std::uint32_t room) {
  const auto row = rows_.interfaces.find(device);
  if (row == rows_.interfaces.end()) return fail(fmt::format("interface {} is not one of the gateway's", device));
  const auto count = static_cast<std::uint16_t>(by_queue.size());
  Sockets& sockets = sockets_[device];
  if (count > sockets.count) sockets = {.first = TRY(free_places(count)), .count = 0};
  for (std::uint16_t queue = 0; queue < count; ++queue) {
    TRY_VOID(tables.put_xsk_socket(sockets.first + queue, by_queue[queue], room));
  }
  sockets.count = count;
  row->second.first_xsk_socket = sockets.first;
  row->second.xsk_sockets = count;
  TRY_VOID(tables.put_interface(device, row->second));
  return tables.xsk_backlogs().subspan(sockets.first, count);
}

std::vector<DeviceView> Interfaces::devices() const {
  std::vector<DeviceView> devices;
  for (const auto& [ifindex, name] : rows_.devices) {
    DeviceView device{.ifindex = ifindex, .name = name, .rx_queues = receive_queues(name)};
    device.native = attacher_.find(ifindex) == XdpMode::kNative;
    for (const auto& [number, row] : rows_.interfaces) {
      if (row.redirect_ifindex != ifindex) continue;
      device.internal |= (row.flags & INTERFACE_INTERNAL) != 0;
      device.external |= (row.flags & INTERFACE_EXTERNAL) != 0;
    }
    devices.push_back(std::move(device));
  }
  return devices;
}

Result<void> Interfaces::forget_routes(Datapath::Tables& tables) {
  ++routing_changes_;
  return write(tables, rows_);
}

void Interfaces::refresh(Datapath::Tables& tables, const Plan& plan) {
  const auto once = [this](const std::string& complaint) {
    if (complaint != last_complaint_ && !complaint.empty()) log_warning(complaint);
    last_complaint_ = complaint;
  };
  std::vector<std::string> missing;
  const auto wanted = wanted_rows(plan, missing);
  if (!wanted) return once(wanted.error().text);
  std::string complaint = missing.empty() ? "" : fmt::format("interface {} is gone", fmt::join(missing, ", "));
  for (const auto& [ifindex, name] : wanted->devices) {
    if (attacher_.find(ifindex)) continue;
    const auto attachment = attacher_.attach(ifindex, name, plan.config.interfaces.mode);
    if (!attachment) {
      complaint = attachment.error().text;
      continue;
    }
    native_refused_[name] = attachment->native_refused;
    log_notice("attached again", {{"interface", name}});
  }
  if (const auto written = write(tables, *wanted); !written) complaint = written.error().text;
  once(complaint);
}

std::vector<InterfaceView> Interfaces::views(const Plan& plan) const {
  std::vector<InterfaceView> views;
  const bool pools_own = has_pool_of_own_address(plan);
  const auto there = network_interfaces();
  for (const PlannedInterface& planned : plan.interfaces) {
    InterfaceView view{.name = planned.name, .role = role_of(planned), .mode = "off", .warnings = {}};
    const NetworkInterface* interface = there ? find_interface(*there, planned.name) : nullptr;
    if (!interface) {
      view.warnings.push_back("the interface is gone");
      views.push_back(std::move(view));
      continue;
    }
    view.up = interface->up && interface->carrier;
    view.mtu = interface->mtu;
    const NetworkInterface* device = interface;
    while (device->vlan && find_interface(*there, device->vlan->parent_ifindex)) {
      device = find_interface(*there, device->vlan->parent_ifindex);
    }
    const auto mode = attacher_.find(device->ifindex);
    if (mode) view.mode = *mode == XdpMode::kNative ? "native" : "generic";
    view.warnings = warnings(planned, pools_own, *interface, *device);
    const AttachMode asked = plan.config.interfaces.mode;
    if (mode && asked != AttachMode::kAuto && (asked == AttachMode::kNative) != (*mode == XdpMode::kNative)) {
      view.warnings.push_back(fmt::format(
          "it runs in {} mode and the configuration asks for another; it stays so until the gateway is taken "
          "off (natctl detach) and started again",
          view.mode));
    }
    views.push_back(std::move(view));
  }
  return views;
}

std::vector<std::string> Interfaces::warnings(const PlannedInterface& planned, bool pools_own,
                                              const NetworkInterface& interface, const NetworkInterface& device) const {
  std::vector<std::string> warnings;
  const auto mode = attacher_.find(device.ifindex);
  if (!mode) warnings.push_back("the program is not attached: packets are not translated");
  if (mode == XdpMode::kGeneric) {
    const auto why = native_refused_.find(device.name);
    warnings.push_back("generic XDP is several times slower than native" +
                       (why == native_refused_.end() || why->second.empty() ? "" : " (" + why->second + ")"));
  }
  if (!ipv4_forwarding(interface.name).value_or(true)) {
    warnings.push_back(
        fmt::format("forwarding is off, so nothing from here is forwarded: sysctl -w "
                    "net.ipv4.conf.{}.forwarding=1",
                    interface.name));
  }
  if (planned.internal && rp_filter(interface.name).value_or(0) == 1) {
    warnings.push_back(
        fmt::format("strict rp_filter drops translated packets that the kernel finishes (no neighbour "
                    "yet): sysctl -w net.ipv4.conf.{}.rp_filter=2",
                    interface.name));
  }
  if (planned.internal && pools_own && !accept_local(interface.name).value_or(true)) {
    warnings.push_back(
        fmt::format("a pool has the gateway's own address, and the kernel takes such a source for forged where it has "
                    "to finish a packet (no neighbour yet): sysctl -w net.ipv4.conf.{}.accept_local=1",
                    interface.name));
  }
  const bool has_vlans = device.ifindex != interface.ifindex || rows_.vlan_tables.contains(device.ifindex);
  const auto features = interface_features(device.name);
  if (has_vlans && features && features->rx_vlan_offload) {
    warnings.push_back(
        fmt::format("the device takes VLAN tags off before the program sees them: ethtool -K {} rxvlan "
                    "off",
                    device.name));
  }
  if (const auto dropped = device.kind == "veth" ? tx_dropped(device.name) : 0; dropped > 0) {
    warnings.push_back(
        fmt::format("{} packets sent out here were lost: a veth takes redirected packets only if its "
                    "peer runs XDP, or has gro on (ethtool -K PEER gro on)",
                    dropped));
  }
  return warnings;
}

}  // namespace apnat
