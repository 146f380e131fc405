// peer.h - who is at the other end of a unix socket, and may they.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace apnat {

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  std::vector<gid_t> groups;  // its own and the supplementary ones, as they were when it connected
};

Result<Peer> peer_of(int socket);

std::optional<gid_t> find_group(const std::string& name);

// Root, whoever the agent itself runs as, and members of `group`. Pure.
bool is_allowed(const Peer& peer, uid_t agent, std::optional<gid_t> group);

}  // namespace apnat
