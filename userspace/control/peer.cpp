// peer.cpp - SO_PEERCRED, SO_PEERGROUPS.
#include "control/peer.h"

#include <grp.h>
#include <sys/socket.h>

#include <algorithm>

namespace apnat {

Result<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return fail(errno, "ask who connected");
  Peer peer{credentials.pid, credentials.uid, {credentials.gid}};
  std::vector<gid_t> groups(64);
  for (;;) {
    size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) break;
    if (errno != ERANGE) return fail(errno, "ask for the groups of who connected");
    groups.resize(size / sizeof(gid_t));
  }
  peer.groups.insert(peer.groups.end(), groups.begin(), groups.begin() + size / sizeof(gid_t));
  return peer;
}

std::optional<gid_t> find_group(const std::string& name) {
  std::vector<char> buffer(64 * 1024);
  group entry{};
  group* found = nullptr;
  ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  return found ? std::optional(found->gr_gid) : std::nullopt;
}

bool is_allowed(const Peer& peer, uid_t agent, std::optional<gid_t> group) {
  if (peer.uid == 0 || peer.uid == agent) return true;
  return group && std::ranges::find(peer.groups, *group) != peer.groups.end();
}

}  // namespace apnat
