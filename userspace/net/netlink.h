// netlink.h - owners of libnl's handles.
#pragma once

#include <netlink/netlink.h>

#include <memory>

namespace apnat {

struct FreeNetlinkSocket {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};
using NetlinkSocket = std::unique_ptr<nl_sock, FreeNetlinkSocket>;

}  // namespace apnat
