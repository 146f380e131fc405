// interface.h - what the agent must know of the network namespace it is in, as
// plain values, asked once: links, the kernel's own IPv4 addresses, and the
// settings that decide whether a translated packet comes through.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/address.h"

namespace apnat {

struct VlanTag {
  std::uint32_t parent_ifindex = 0;
  std::uint16_t protocol = 0x8100;  // host byte order; 0x88a8 for a service tag
  std::uint16_t id = 0;
};

struct NetworkInterface {
  std::uint32_t ifindex = 0;
  std::string name;
  std::string kind;       // the kernel's: "veth", "vlan", "bridge"; empty for hardware
  bool up = false;        // as the operator set it
  bool carrier = false;   // and the link is there
  bool ethernet = false;  // has Ethernet headers
  bool loopback = false;
  std::uint32_t mtu = 0;
  std::array<std::uint8_t, 6> mac{};
  std::optional<VlanTag> vlan;  // a VLAN sub-interface whose parent is in this namespace
};

// Every interface of the namespace, by ifindex.
Result<std::vector<NetworkInterface>> network_interfaces();

// The one of that name in a list; nullptr: none.
const NetworkInterface* find_interface(const std::vector<NetworkInterface>& all, std::string_view name);
const NetworkInterface* find_interface(const std::vector<NetworkInterface>& all, std::uint32_t ifindex);

struct LocalAddress {
  std::uint32_t ifindex = 0;
  Ip4 address;
  Prefix on_link;               // the subnet it brings with it
  std::vector<Ip4> broadcasts;  // what the kernel takes as broadcast there: as configured, and the subnet's last
};

// Every IPv4 address of the namespace's interfaces, loopback included.
Result<std::vector<LocalAddress>> local_addresses();

// net.ipv4.conf.<interface>.forwarding; rp_filter as it works: the larger of all.rp_filter and the interface's own
// (0 off, 1 strict, 2 loose).
Result<bool> ipv4_forwarding(std::string_view interface);
Result<int> rp_filter(std::string_view interface);
// Whether packets with a source of this host's own may come in there: all.accept_local or the interface's own.
Result<bool> accept_local(std::string_view interface);

// Whether the interface takes the VLAN tag off received frames before XDP (the program would not see it), and
// whether it receives through NAPI (a veth needs this to take redirected frames).
struct InterfaceFeatures {
  bool rx_vlan_offload = false;
  bool generic_receive_offload = false;
};
Result<InterfaceFeatures> interface_features(std::string_view interface);

// How many receive queues it has in use now; attaching a program may change that. None: its driver does not say.
std::optional<std::uint32_t> receive_queues(std::string_view interface);

}  // namespace apnat
