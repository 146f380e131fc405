// route_watch.cpp - the multicast groups of rtnetlink.
#include "net/route_watch.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace apnat {
namespace {

constexpr std::size_t kMostNeighbours = 1 << 18;
constexpr int kBufferBytes = 1 << 20;
constexpr unsigned kGone = NUD_INCOMPLETE | NUD_FAILED;

struct Neighbour {
  int interface = 0;
  std::uint32_t address = 0;
  unsigned state = 0;
  std::optional<std::array<std::uint8_t, 6>> mac;
};

Neighbour read_neighbour(const nlmsghdr& message) {
  const auto* header = static_cast<const ndmsg*>(NLMSG_DATA(&message));
  Neighbour neighbour{.interface = header->ndm_ifindex, .state = header->ndm_state, .mac = {}};
  int left = static_cast<int>(message.nlmsg_len) - static_cast<int>(NLMSG_LENGTH(sizeof(*header)));
  const auto* attribute =
      reinterpret_cast<const rtattr*>(reinterpret_cast<const char*>(header) + NLMSG_ALIGN(sizeof(*header)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type == NDA_DST && RTA_PAYLOAD(attribute) == sizeof(neighbour.address)) {
      std::memcpy(&neighbour.address, RTA_DATA(attribute), sizeof(neighbour.address));
    } else if (attribute->rta_type == NDA_LLADDR && RTA_PAYLOAD(attribute) == 6) {
      std::memcpy(neighbour.mac.emplace().data(), RTA_DATA(attribute), 6);
    }
  }
  return neighbour;
}

}  // namespace

Result<RouteWatch> RouteWatch::open() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!socket) return fail(errno, "open a netlink socket for changes of routes");
  // Best effort: a full table's worth of changes at once may still not fit; then ENOBUFS says that there were some.
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kBufferBytes, sizeof(kBufferBytes));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_RULE;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail(errno, "listen for changes of routes");
  }
  return RouteWatch(std::move(socket));
}

bool RouteWatch::heed() {
  alignas(nlmsghdr) std::array<char, 32 * 1024> buffer;
  bool changed = false;
  for (;;) {
    const ssize_t received = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0 && errno == ENOBUFS) {
      changed = true;
      continue;
    }
    if (received <= 0) return changed;
    auto left = static_cast<unsigned>(received);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      changed |= is_change(*message);
    }
  }
}

bool RouteWatch::is_change(const nlmsghdr& message) {
  if (message.nlmsg_type == RTM_NEWNEIGH || message.nlmsg_type == RTM_DELNEIGH) return is_other_neighbour(message);
  return message.nlmsg_type != NLMSG_NOOP;
}

// A neighbour we have not heard of before cannot have been remembered with another MAC for longer than an answer is
// good.
bool RouteWatch::is_other_neighbour(const nlmsghdr& message) {
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(ndmsg))) return false;
  const Neighbour neighbour = read_neighbour(message);
  const std::pair key(neighbour.interface, neighbour.address);
  if (message.nlmsg_type == RTM_DELNEIGH || (neighbour.state & kGone) || !neighbour.mac) {
    return neighbours_.erase(key) > 0;
  }
  if (neighbours_.size() >= kMostNeighbours) neighbours_.clear();
  const auto [there, is_new] = neighbours_.try_emplace(key, *neighbour.mac);
  if (is_new || there->second == *neighbour.mac) return false;
  there->second = *neighbour.mac;
  return true;
}

}  // namespace apnat
