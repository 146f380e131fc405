// interface.cpp - links and addresses over rtnetlink, settings from /proc/sys, features by ethtool.
#include "net/interface.h"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/sockios.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/vlan.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>

#include "base/unique_fd.h"
#include "net/netlink.h"

namespace apnat {
namespace {

struct FreeCache {
  void operator()(nl_cache* cache) const { nl_cache_free(cache); }
};
using Cache = std::unique_ptr<nl_cache, FreeCache>;

std::unexpected<Error> netlink_failure(std::string_view what, int error) {
  return fail(std::string(what) + ": " + nl_geterror(error));
}

Result<NetlinkSocket> connected() {
  NetlinkSocket socket(nl_socket_alloc());
  if (!socket) return fail(ENOMEM, "make a netlink socket");
  if (int error = nl_connect(socket.get(), NETLINK_ROUTE)) return netlink_failure("connect to rtnetlink", error);
  return socket;
}

std::optional<VlanTag> vlan_of(rtnl_link* link) {
  // A parent in another namespace is not one frames could be redirected to.
  if (!rtnl_link_is_vlan(link) || rtnl_link_get_link_netnsid(link, nullptr) == 0) return std::nullopt;
  return VlanTag{.parent_ifindex = static_cast<std::uint32_t>(rtnl_link_get_link(link)),
                 .protocol = ntohs(static_cast<std::uint16_t>(rtnl_link_vlan_get_protocol(link))),
                 .id = static_cast<std::uint16_t>(rtnl_link_vlan_get_id(link))};
}

NetworkInterface interface_of(rtnl_link* link) {
  NetworkInterface interface;
  interface.ifindex = static_cast<std::uint32_t>(rtnl_link_get_ifindex(link));
  interface.name = rtnl_link_get_name(link);
  if (const char* kind = rtnl_link_get_type(link)) interface.kind = kind;
  const unsigned flags = rtnl_link_get_flags(link);
  interface.up = flags & IFF_UP;
  interface.carrier = flags & IFF_RUNNING;
  interface.loopback = flags & IFF_LOOPBACK;
  interface.ethernet = rtnl_link_get_arptype(link) == ARPHRD_ETHER;
  interface.mtu = rtnl_link_get_mtu(link);
  nl_addr* mac = rtnl_link_get_addr(link);
  if (mac && nl_addr_get_len(mac) == interface.mac.size()) {
    std::memcpy(interface.mac.data(), nl_addr_get_binary_addr(mac), interface.mac.size());
  }
  interface.vlan = vlan_of(link);
  return interface;
}

std::optional<Ip4> ip4_of(nl_addr* address) {
  if (!address || nl_addr_get_family(address) != AF_INET || nl_addr_get_len(address) != 4) return std::nullopt;
  std::uint32_t network = 0;
  std::memcpy(&network, nl_addr_get_binary_addr(address), sizeof(network));
  return Ip4::from_network(network);
}

std::optional<LocalAddress> local_address_of(rtnl_addr* address) {
  const std::optional<Ip4> local = ip4_of(rtnl_addr_get_local(address));
  if (!local) return std::nullopt;
  LocalAddress found;
  found.ifindex = static_cast<std::uint32_t>(rtnl_addr_get_ifindex(address));
  found.address = *local;
  const int length = rtnl_addr_get_prefixlen(address);
  const std::uint32_t mask = length == 0 ? 0 : ~std::uint32_t{0} << (32 - length);
  // On a point-to-point link the subnet is the other end's.
  const Ip4 peer = ip4_of(rtnl_addr_get_peer(address)).value_or(*local);
  found.on_link = Prefix(Ip4(peer.value() & mask), length);
  if (auto configured = ip4_of(rtnl_addr_get_broadcast(address))) found.broadcasts.push_back(*configured);
  if (length < 31 && std::ranges::count(found.broadcasts, found.on_link.last()) == 0) {
    found.broadcasts.push_back(found.on_link.last());
  }
  return found;
}

Result<int> read_sysctl(std::string_view interface, std::string_view key) {
  const std::string path = "/proc/sys/net/ipv4/conf/" + std::string(interface) + "/" + std::string(key);
  std::ifstream file(path);
  int value = 0;
  if (!(file >> value)) return fail("read " + path + ": no such setting");
  return value;
}

ifreq request_for(std::string_view interface, void* question) {
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = static_cast<char*>(question);
  return request;
}

// A legacy one-word question of ethtool: the answer's number.
Result<std::uint32_t> ask_ethtool(int socket, std::string_view interface, std::uint32_t command) {
  ethtool_value question{};
  question.cmd = command;
  ifreq request = request_for(interface, &question);
  if (::ioctl(socket, SIOCETHTOOL, &request) != 0) {
    return fail(errno, "ask for the features of " + std::string(interface));
  }
  return question.data;
}

}  // namespace

Result<std::vector<NetworkInterface>> network_interfaces() {
  NetlinkSocket socket = TRY(connected());
  nl_cache* links = nullptr;
  if (int error = rtnl_link_alloc_cache(socket.get(), AF_UNSPEC, &links)) {
    return netlink_failure("list the interfaces", error);
  }
  Cache cache(links);
  std::vector<NetworkInterface> all;
  for (nl_object* object = nl_cache_get_first(links); object; object = nl_cache_get_next(object)) {
    all.push_back(interface_of(reinterpret_cast<rtnl_link*>(object)));
  }
  std::ranges::sort(all, {}, &NetworkInterface::ifindex);
  return all;
}

const NetworkInterface* find_interface(const std::vector<NetworkInterface>& all, std::string_view name) {
  const auto found = std::ranges::find(all, name, &NetworkInterface::name);
  return found == all.end() ? nullptr : &*found;
}

const NetworkInterface* find_interface(const std::vector<NetworkInterface>& all, std::uint32_t ifindex) {
  const auto found = std::ranges::find(all, ifindex, &NetworkInterface::ifindex);
  return found == all.end() ? nullptr : &*found;
}

Result<std::vector<LocalAddress>> local_addresses() {
  NetlinkSocket socket = TRY(connected());
  nl_cache* addresses = nullptr;
  if (int error = rtnl_addr_alloc_cache(socket.get(), &addresses)) {
    return netlink_failure("list the addresses", error);
  }
  Cache cache(addresses);
  std::vector<LocalAddress> all;
  for (nl_object* object = nl_cache_get_first(addresses); object; object = nl_cache_get_next(object)) {
    if (auto local = local_address_of(reinterpret_cast<rtnl_addr*>(object))) all.push_back(std::move(*local));
  }
  return all;
}

Result<bool> ipv4_forwarding(std::string_view interface) { return TRY(read_sysctl(interface, "forwarding")) != 0; }

Result<int> rp_filter(std::string_view interface) {
  const int all = TRY(read_sysctl("all", "rp_filter"));
  return std::max(all, TRY(read_sysctl(interface, "rp_filter")));
}

Result<bool> accept_local(std::string_view interface) {
  return TRY(read_sysctl("all", "accept_local")) != 0 || TRY(read_sysctl(interface, "accept_local")) != 0;
}

Result<InterfaceFeatures> interface_features(std::string_view interface) {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail(errno, "make a socket");
  InterfaceFeatures features;
  features.rx_vlan_offload = TRY(ask_ethtool(socket.get(), interface, ETHTOOL_GFLAGS)) & ETH_FLAG_RXVLAN;
  features.generic_receive_offload = TRY(ask_ethtool(socket.get(), interface, ETHTOOL_GGRO)) != 0;
  return features;
}

std::optional<std::uint32_t> receive_queues(std::string_view interface) {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  ifreq request = request_for(interface, &channels);
  if (!socket || ::ioctl(socket.get(), SIOCETHTOOL, &request) != 0) return std::nullopt;
  return channels.rx_count + channels.combined_count;
}

}  // namespace apnat
