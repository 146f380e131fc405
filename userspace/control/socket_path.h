// socket_path.h - a unix socket's address from a path.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>

#include "base/result.h"

namespace apnat {

inline Result<sockaddr_un> socket_address(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.empty() || text.size() >= sizeof(address.sun_path)) {
    return fail("socket path \"" + text + "\" must have 1 to 107 characters");
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

}  // namespace apnat
