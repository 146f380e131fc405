// kernel_way.h - what the slow path leaves to the kernel: datagrams whose next hop is still to be resolved, packets of
// its own, and what turns out to be for the gateway itself. No TUN device: two raw sockets.
#pragma once

#include <netinet/in.h>

#include "base/result.h"
#include "base/unique_fd.h"
#include "slowpath/wire.h"

namespace apnat {

class KernelWay {
 public:
  static Result<KernelWay> open();

  struct Sent {
    enum class End { kSent, kLost, kTooBig } end = End::kLost;
    std::uint16_t mtu = 0;  // of the way, if known
    std::uint32_t fragments = 0;
  };
  // Sends a whole IPv4 datagram (in a frame; the link header is ignored) where the kernel routes it, cut to the MTU of
  // the route. kTooBig: it may not be cut. `largest_fragment`: as Fragmenter wants it.
  Sent send(Bytes frame, std::uint16_t largest_fragment);

  // Hands a datagram to the gateway's own stack, as if it had come in.
  bool deliver(Bytes frame);

 private:
  std::uint16_t mtu_towards(const sockaddr_in& destination);
  UniqueFd out_;
  UniqueFd in_;
  std::uint32_t loopback_ = 0;
};

}  // namespace apnat
