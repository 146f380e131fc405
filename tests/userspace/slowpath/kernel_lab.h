// kernel_lab.h - the far end of a veth pair of the Sandbox: what a test sends there comes in at the gateway, what the
// gateway sends arrives there.
#pragma once

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <vector>

#include "slowpath/frame.h"
#include "support/fragments.h"
#include "userspace/datapath/sandbox.h"

namespace apnat::test {

// These tests open sockets and load programs: not under sanitizers, not without root.
inline bool may_use_sockets() { return std::getenv("APNAT_NATIVE_ONLY") == nullptr && may_use_kernel(); }

class FarEnd {
 public:
  explicit FarEnd(const char* name) : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP))) {
    REQUIRE(socket_);
    sockaddr_ll here{};
    here.sll_family = AF_PACKET;
    here.sll_protocol = htons(ETH_P_IP);
    here.sll_ifindex = static_cast<int>(::if_nametoindex(name));
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&here), sizeof(here)) == 0);
    const int room = 64 << 20;
    REQUIRE(::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) == 0);
    const int one = 1;
    REQUIRE(::setsockopt(socket_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) == 0);
  }

  void send(const Octets& frame) const {
    REQUIRE(::send(socket_.get(), frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size()));
  }

  // The next `count` IPv4 frames, or those that have come when nothing more did for a while.
  std::vector<Octets> receive(std::size_t count) const {
    std::vector<Octets> frames;
    pollfd ready{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    while (frames.size() < count && ::poll(&ready, 1, 2000) > 0) {
      Octets frame(65536 + 64);
      const ssize_t size = ::recv(socket_.get(), frame.data(), frame.size(), 0);
      REQUIRE(size > 0);
      frame.resize(static_cast<std::size_t>(size));
      frames.push_back(std::move(frame));
    }
    return frames;
  }
  // Nothing more is on its way.
  bool is_silent() const {
    pollfd ready{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&ready, 1, 100) == 0;
  }

 private:
  UniqueFd socket_;
};

// Waits for what the kernel does when it gets round to it.
template <typename Question>
bool comes_true(Question question) {
  for (int n = 0; n < 500; ++n) {
    if (question()) return true;
    ::usleep(10'000);
  }
  return false;
}

}  // namespace apnat::test
