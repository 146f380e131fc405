// routing.cpp - RTM_GETROUTE, RTM_GETNEIGH and RTM_GETRULE, over a plain netlink socket: the kernel's own error number
// tells a blackhole from no route, and libraries fold them into one.
#include "net/routing.h"

#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <vector>

#include "base/unique_fd.h"
#include "net/interface.h"

namespace apnat {
namespace {

constexpr std::size_t kReplyBytes = 32 * 1024;

// A request: the netlink header, the family's own header, attributes.
template <typename Header>
struct Request {
  nlmsghdr netlink{};
  Header header{};
  std::array<std::uint8_t, 64> attributes{};

  Request(std::uint16_t type, std::uint16_t flags) {
    netlink.nlmsg_len = NLMSG_LENGTH(sizeof(Header));
    netlink.nlmsg_type = type;
    netlink.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  }

  void add(std::uint16_t type, std::uint32_t value) {
    rtattr attribute{.rta_len = RTA_LENGTH(sizeof(value)), .rta_type = type};
    const std::size_t at = netlink.nlmsg_len - NLMSG_LENGTH(sizeof(Header));
    std::memcpy(attributes.data() + at, &attribute, sizeof(attribute));
    std::memcpy(attributes.data() + at + RTA_LENGTH(0), &value, sizeof(value));
    netlink.nlmsg_len += RTA_SPACE(sizeof(value));
  }
};

// Sends a request and hands each message of the answer on. The kernel's refusal is its errno, in Error::code.
Result<void> ask(const nlmsghdr& request, const std::function<void(const nlmsghdr&)>& each) {
  const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) return fail(errno, "open a netlink socket");
  if (send(socket.get(), &request, request.nlmsg_len, 0) < 0) return fail(errno, "ask rtnetlink");
  alignas(nlmsghdr) std::array<std::uint8_t, kReplyBytes> reply;
  for (;;) {
    const ssize_t received = recv(socket.get(), reply.data(), reply.size(), 0);
    if (received < 0) return fail(errno, "hear from rtnetlink");
    auto left = static_cast<unsigned>(received);
    for (auto* message = reinterpret_cast<nlmsghdr*>(reply.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return {};
      if (message->nlmsg_type == NLMSG_ERROR) {
        const int error = -static_cast<nlmsgerr*>(NLMSG_DATA(message))->error;
        if (error != 0) return fail(error, "rtnetlink");
        return {};
      }
      each(*message);
      if (!(message->nlmsg_flags & NLM_F_MULTI)) return {};
    }
  }
}

template <typename Header>
void each_attribute(const nlmsghdr& message, const std::function<void(const rtattr&)>& each) {
  auto left = static_cast<int>(message.nlmsg_len - NLMSG_LENGTH(sizeof(Header)));
  const auto* begin = static_cast<const std::uint8_t*>(NLMSG_DATA(&message)) + NLMSG_ALIGN(sizeof(Header));
  for (auto* attribute = reinterpret_cast<const rtattr*>(begin); RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left))
    each(*attribute);
}

std::uint32_t word(const rtattr& attribute) {
  std::uint32_t value = 0;
  std::memcpy(&value, RTA_DATA(&attribute), std::min<std::size_t>(sizeof(value), RTA_PAYLOAD(&attribute)));
  return value;
}

void read_route(const nlmsghdr& message, WayOut& way) {
  const auto& header = *static_cast<const rtmsg*>(NLMSG_DATA(&message));
  way.kind = header.rtm_type == RTN_UNICAST                                     ? WayOut::Kind::kFound
             : header.rtm_type == RTN_LOCAL || header.rtm_type == RTN_BROADCAST ? WayOut::Kind::kLocal
                                                                                : WayOut::Kind::kProhibited;
  each_attribute<rtmsg>(message, [&](const rtattr& attribute) {
    if (attribute.rta_type == RTA_OIF) way.ifindex = word(attribute);
    if (attribute.rta_type == RTA_GATEWAY) way.next_hop = Ip4::from_network(word(attribute));
    if (attribute.rta_type != RTA_METRICS) return;
    auto left = static_cast<int>(RTA_PAYLOAD(&attribute));
    for (auto* metric = static_cast<const rtattr*>(RTA_DATA(&attribute)); RTA_OK(metric, left);
         metric = RTA_NEXT(metric, left))
      if (metric->rta_type == RTAX_MTU) way.mtu = word(*metric);
  });
}

Result<void> find_neighbour(WayOut& way) {
  Request<ndmsg> request(RTM_GETNEIGH, NLM_F_DUMP);
  request.header.ndm_family = AF_INET;
  return ask(request.netlink, [&](const nlmsghdr& message) {
    const auto& header = *static_cast<const ndmsg*>(NLMSG_DATA(&message));
    if (header.ndm_ifindex != static_cast<int>(way.ifindex) || header.ndm_state & (NUD_INCOMPLETE | NUD_FAILED)) return;
    std::optional<Ip4> address;
    std::optional<std::array<std::uint8_t, 6>> mac;
    each_attribute<ndmsg>(message, [&](const rtattr& attribute) {
      if (attribute.rta_type == NDA_DST) address = Ip4::from_network(word(attribute));
      if (attribute.rta_type == NDA_LLADDR && RTA_PAYLOAD(&attribute) == 6)
        std::memcpy(mac.emplace().data(), RTA_DATA(&attribute), 6);
    });
    if (address == way.next_hop) way.mac = mac;
  });
}

}  // namespace

Result<WayOut> way_to(Ip4 destination) {
  Request<rtmsg> request(RTM_GETROUTE, 0);
  request.header.rtm_family = AF_INET;
  request.header.rtm_dst_len = 32;
  request.add(RTA_DST, destination.network());
  WayOut way{.next_hop = destination, .mac = std::nullopt};
  const auto asked = ask(request.netlink, [&](const nlmsghdr& message) { read_route(message, way); });
  if (!asked) {
    if (asked.error().code == ENETUNREACH) return way;
    if (asked.error().code != EINVAL && asked.error().code != EHOSTUNREACH && asked.error().code != EACCES)
      return within("route to " + destination.text(), asked.error());
    way.kind = WayOut::Kind::kProhibited;
    return way;
  }
  if (way.kind != WayOut::Kind::kFound) return way;
  if (way.mtu == 0) {
    const auto interfaces = TRY(network_interfaces());
    if (const auto* out = find_interface(interfaces, way.ifindex)) way.mtu = out->mtu;
  }
  TRY_VOID(find_neighbour(way));
  return way;
}

Result<bool> has_policy_rules() {
  Request<fib_rule_hdr> request(RTM_GETRULE, NLM_F_DUMP);
  request.header.family = AF_INET;
  bool found = false;
  TRY_VOID(ask(request.netlink, [&](const nlmsghdr& message) {
    std::uint32_t priority = 0;
    each_attribute<fib_rule_hdr>(message, [&](const rtattr& attribute) {
      if (attribute.rta_type == FRA_PRIORITY) priority = word(attribute);
    });
    found |= priority != 0 && priority != 32766 && priority != 32767;
  }));
  return found;
}

}  // namespace apnat
