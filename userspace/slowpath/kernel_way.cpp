// kernel_way.cpp - IPPROTO_RAW with our own headers on the way out, AF_PACKET on the loopback device on the way in.
#include "slowpath/kernel_way.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>

#include "slowpath/fragmenter.h"

namespace apnat {
namespace {

constexpr int kSendBuffer = 4 << 20;

iovec vector_of(Bytes bytes) { return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()}; }

}  // namespace

Result<KernelWay> KernelWay::open() {
  KernelWay way;
  way.out_ = UniqueFd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW));
  if (!way.out_) return fail(errno, "open a raw IPv4 socket (CAP_NET_RAW)");
  // Protocol 0: nothing is received by it.
  way.in_ = UniqueFd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!way.in_) return fail(errno, "open a packet socket (CAP_NET_RAW)");
  for (const UniqueFd* socket : {&way.out_, &way.in_}) {
    ::setsockopt(socket->get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof(kSendBuffer));
  }
  way.loopback_ = ::if_nametoindex("lo");
  return way;
}

// Asked by connecting to it: the route's own MTU counts, and what ICMP has told of the path.
std::uint16_t KernelWay::mtu_towards(const sockaddr_in& destination) {
  int mtu = 0;
  socklen_t size = sizeof(mtu);
  // Else it keeps the source address of its first connection, and finds no way once the machine has lost that.
  const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
  (void)::connect(out_.get(), &nowhere, sizeof(nowhere));
  if (::connect(out_.get(), reinterpret_cast<const sockaddr*>(&destination), sizeof(destination)) != 0) return 0;
  if (::getsockopt(out_.get(), IPPROTO_IP, IP_MTU, &mtu, &size) != 0) return 0;
  return static_cast<std::uint16_t>(std::min(mtu, 65535));
}

KernelWay::Sent KernelWay::send(Bytes bytes, std::uint16_t largest_fragment) {
  const auto frame = parse_frame(bytes);
  if (!frame) return {};
  sockaddr_in destination{};
  destination.sin_family = AF_INET;
  destination.sin_addr.s_addr = frame->destination().network();
  Sent sent{.mtu = mtu_towards(destination)};
  if (sent.mtu == 0) return sent;
  auto fragmenter = Fragmenter::make(bytes, sent.mtu, largest_fragment);
  if (!fragmenter) {
    if (fragmenter.error() == FragmenterFault::kTooBig) sent.end = Sent::End::kTooBig;
    return sent;
  }
  while (const auto piece = fragmenter->next()) {
    std::array<std::uint8_t, kMostIpv4Header> header;
    const Bytes ip = piece->headers.subspan(frame->link.size());
    std::ranges::copy(ip, header.begin());
    // The kernel takes ID 0 for none, and would give each fragment another one.
    if (!fragmenter->is_whole() && load16(header.data() + ipv4::kId) == 0) store16(header.data() + ipv4::kId, 1);
    iovec parts[] = {{header.data(), ip.size()}, vector_of(piece->payload)};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = std::size(parts);
    if (::sendmsg(out_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return sent;
    ++sent.fragments;
  }
  sent.end = Sent::End::kSent;
  return sent;
}

bool KernelWay::deliver(Bytes bytes) {
  const auto frame = parse_frame(bytes);
  if (!frame) return false;
  sockaddr_ll loopback{};  // its hardware address is all zeroes
  loopback.sll_family = AF_PACKET;
  loopback.sll_protocol = htons(ETH_P_IP);
  loopback.sll_ifindex = static_cast<int>(loopback_);
  loopback.sll_halen = ETH_ALEN;
  iovec parts[] = {vector_of(frame->header), vector_of(frame->payload)};
  msghdr message{};
  message.msg_name = &loopback;
  message.msg_namelen = sizeof(loopback);
  message.msg_iov = parts;
  message.msg_iovlen = std::size(parts);
  return ::sendmsg(in_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

}  // namespace apnat
