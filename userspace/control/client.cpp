// client.cpp - connect, ask, listen; every way this can fail in words.
#include "control/client.h"

#include <fmt/format.h>
#include <sys/time.h>

#include "control/socket_path.h"

namespace apnat {
namespace {

constexpr timeval kConnectPatience{.tv_sec = 5, .tv_usec = 0};

std::unexpected<Refusal> unreachable(std::string text) {
  return std::unexpected(Refusal{ExitCode::kUnreachable, std::move(text)});
}

std::unexpected<Refusal> nobody_listens(std::string text) {
  return std::unexpected(Refusal{ExitCode::kUnreachable, std::move(text), true});
}

std::unexpected<Refusal> connect_error(int error, const std::string& path) {
  switch (error) {
    case ENOENT:
      return nobody_listens(fmt::format("apnatd is not running: there is no control socket {}", path));
    case ECONNREFUSED:
      return nobody_listens(fmt::format("apnatd is not running: nobody listens on {}", path));
    case EACCES:
    case EPERM:
      return std::unexpected(Refusal{
          ExitCode::kRefused, fmt::format("permission denied on {}: be root, or a member of group apnat", path)});
    case EAGAIN:
      return unreachable(fmt::format("apnatd does not answer on {}: it is busy or stuck", path));
    case EPROTOTYPE:
    case ENOTSOCK:
      return unreachable(fmt::format("{} is not apnatd's control socket", path));
    default:
      return unreachable(fmt::format("cannot reach apnatd on {}: {}", path, std::strerror(error)));
  }
}

}  // namespace

std::expected<UniqueFd, Refusal> Client::connect() const {
  const auto address = socket_address(path_);
  if (!address) return std::unexpected(Refusal{ExitCode::kUsage, address.error().text});
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return connect_error(errno, path_.string());
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kConnectPatience, sizeof(kConnectPatience));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return connect_error(errno, path_.string());
  }
  return socket;
}

std::expected<Json, Refusal> Client::call(const Request& request, const std::function<bool(Json&&)>& row) const {
  auto socket = connect();
  if (!socket) return std::unexpected(socket.error());
  // A refusal may come before all is sent: what matters is what can be read afterwards.
  const std::string line = request_line(request);
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t n = ::send(socket->get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }

  LineSplitter replies(kMostReplyBytes);
  char bytes[64 * 1024];
  for (;;) {
    const ssize_t n = ::recv(socket->get(), bytes, sizeof(bytes), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return unreachable(fmt::format("apnatd on {} ended before its answer did", path_.string()));
    replies.add({bytes, static_cast<std::size_t>(n)});
    while (const auto text = replies.next()) {
      auto reply = parse_reply(*text);
      if (!reply)
        return unreachable(fmt::format("{} is not apnatd's control socket: {}", path_.string(), reply.error().text));
      if (auto* refusal = std::get_if<Refusal>(&*reply)) return std::unexpected(std::move(*refusal));
      if (auto* done = std::get_if<Done>(&*reply)) return std::move(done->result);
      if (!row(std::move(std::get<Row>(*reply).value))) return Json();
    }
    if (replies.is_too_long()) return unreachable(fmt::format("{} is not apnatd's control socket", path_.string()));
  }
}

}  // namespace apnat
