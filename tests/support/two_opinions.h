// two_opinions.h - random UDP datagrams in random fragments, and two who put them together: Linux, by a socket in a
// network namespace of its own, and our reassembler with a policy. Needs root.
#pragma once

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <set>

#include "base/unique_fd.h"
#include "slowpath/reassembler.h"
#include "support/fragment_dice.h"

namespace apnat::test {

inline constexpr std::uint16_t kPort = 4000;

using Deliveries = std::map<std::uint32_t, std::vector<Octets>>;  // payloads by source

// Frames as they are, out of an interface of this thread's namespace.
class FrameSender {
 public:
  explicit FrameSender(const char* interface) : index_(static_cast<int>(if_nametoindex(interface))) {
    packets_ = UniqueFd(::socket(AF_PACKET, SOCK_RAW, 0));
    REQUIRE(packets_.get() >= 0);
    REQUIRE(index_ != 0);
  }

  void send(const Octets& frame) {
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = index_;
    to.sll_halen = ETH_ALEN;
    REQUIRE(::sendto(packets_.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)) ==
            static_cast<ssize_t>(frame.size()));
  }

 private:
  UniqueFd packets_;
  int index_;
};

// A UDP socket on kPort in this thread's namespace.
class DatagramReceiver {
 public:
  DatagramReceiver() {
    socket_ = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(kPort);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&here), sizeof(here)) == 0);
    const int room = 256 << 20;
    REQUIRE(::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) == 0);
  }

  void receive(Deliveries& deliveries) {
    Octets buffer(65536);
    sockaddr_in from{};
    for (;;) {
      socklen_t length = sizeof(from);
      const ssize_t size =
          ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (size < 0) return;
      deliveries[ntohl(from.sin_addr.s_addr)].emplace_back(buffer.begin(), buffer.begin() + size);
    }
  }

 private:
  UniqueFd socket_;
};

// Puts this thread into a namespace with a pair of interfaces: what is sent on one is received on the other.
class LinuxWire {
 public:
  LinuxWire() : made_(make()), sender_("far") { wait_until_it_carries(); }
  void send(const Octets& frame) { sender_.send(frame); }
  void receive(Deliveries& deliveries) { receiver_.receive(deliveries); }

 private:
  static bool make() {
    REQUIRE(::unshare(CLONE_NEWNET) == 0);
    REQUIRE(std::system("ip link add far mtu 9000 type veth peer name near mtu 9000 && ip link set near address "
                        "02:00:00:00:00:02 && "
                        "ip link set lo up && ip link set far up && ip link set near up && "
                        "ip addr add 198.51.100.1/24 dev near && ip route add 100.64.0.0/10 dev near && "
                        "for d in all default near; do echo 0 > /proc/sys/net/ipv4/conf/$d/rp_filter; done && "
                        "echo 1000000000 > /proc/sys/net/ipv4/ipfrag_high_thresh && "
                        "echo 0 > /proc/sys/net/ipv4/ipfrag_max_dist") == 0);
    return true;
  }

  // An interface that has just been set up may drop what it is to send for up to a second, until the kernel has looked
  // at its link; and it counts that nowhere we would look.
  void wait_until_it_carries() {
    const Piece probe{.source = 0x64400000, .more = false, .payload = udp_header(5000, kPort, 8)};  // of no case
    Deliveries delivered;
    for (int n = 0; n < 500 && delivered.empty(); ++n) {
      sender_.send(frame_of(probe));
      ::usleep(10'000);
      receiver_.receive(delivered);
    }
    REQUIRE(delivered.size() == 1);
    receiver_.receive(delivered);  // the last of them
  }

  bool made_;
  FrameSender sender_;
  DatagramReceiver receiver_;
};

// A UDP datagram without a checksum: wrongly joined, it would be delivered all the same, and seen.
inline Piece random_udp(Dice& dice, std::uint32_t source) {
  const std::uint32_t size = 8 + 9 + dice.below(dice.one_in(25) ? 50000 : 5000);
  Piece whole{.source = source, .more = false, .payload = bytes_of(size, source)};
  std::ranges::copy(udp_header(5000, kPort, size), whole.payload.begin());
  whole.tos = dice.one_in(4) ? 2 : 0;
  whole.dont_fragment = dice.one_in(5);
  return whole;
}

// One reassembler with a policy, and what it made of each case.
struct Side {
  explicit Side(Overlap overlap) : reassembler(config(overlap), 0x5eed) {}
  static FragmentsConfig config(Overlap overlap) {
    FragmentsConfig config;
    config.memory = std::uint64_t{256} << 20;
    config.overlap = overlap;
    return config;
  }
  void add(const Octets& frame, std::uint32_t source, std::uint64_t now_ns) {
    const auto fragment = parse_fragment(frame, {});
    if (!fragment) return deliver(*parse_frame(frame), source);  // whole
    const Reassembled result = reassembler.add(*fragment, now_ns, room);
    if (result.fate == Reassembled::Fate::kLost) losses[source].insert(result.loss);
    if (result.datagram) deliver(*parse_frame(result.datagram->frame), source);
  }
  // As UDP reads it: no longer than its header says, and nothing if it says too much.
  void deliver(const Frame& whole, std::uint32_t source) {
    if (whole.payload.size() < 8 || load16(whole.payload.data() + 2) != kPort) return;
    const std::size_t length = load16(whole.payload.data() + 4);
    if (length < 8 || length > whole.payload.size()) return;
    deliveries[source].emplace_back(whole.payload.begin() + 8,
                                    whole.payload.begin() + static_cast<std::ptrdiff_t>(length));
  }

  Reassembler reassembler;
  Octets room = Octets(Reassembler::kOutBytes);
  Deliveries deliveries;
  std::map<std::uint32_t, std::set<Loss>> losses;
};

}  // namespace apnat::test
