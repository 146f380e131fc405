// route_watch.h - hears from the kernel that routes, neighbours, links or rules have
// changed, and says only that: whoever remembers an answer must ask again.
#pragma once

#include <linux/netlink.h>

#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

namespace apnat {

class RouteWatch {
 public:
  static Result<RouteWatch> open();

  int fd() const { return socket_.get(); }  // for epoll

  // Takes what is waiting. True: something changed that a packet's way may depend on. Neighbours that are merely
  // confirmed again, by the thousand in a large access network, are no change.
  bool heed();

 private:
  using Mac = std::array<std::uint8_t, 6>;
  explicit RouteWatch(UniqueFd socket) : socket_(std::move(socket)) {}
  bool is_change(const nlmsghdr& message);
  bool is_other_neighbour(const nlmsghdr& message);

  UniqueFd socket_;
  std::map<std::pair<int, std::uint32_t>, Mac> neighbours_;  // interface and address -> what it answered by last
};

}  // namespace apnat
