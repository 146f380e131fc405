// server.cpp - sockets, children and patience.
#include "control/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "control/peer.h"
#include "control/socket_path.h"

namespace apnat {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// Is there a process behind the socket file?
bool is_alive(const sockaddr_un& address) {
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return true;
  return errno == EAGAIN;  // its backlog is full
}

bool is_socket_file(const std::filesystem::path& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

// Writes to a blocking socket, in pieces of a fair size. Lives in a child process.
class ChildAnswer final : public Answer {
 public:
  explicit ChildAnswer(int fd) : fd_(fd) {}
  void on_gone(std::function<void()>) override {}

 protected:
  bool send(std::string_view line) override {
    buffer_ += line;
    return buffer_.size() < kPiece || flush();
  }
  void finish(std::string_view line) override {
    buffer_ += line;
    flush();
  }

 private:
  static constexpr std::size_t kPiece = 64 * 1024;

  bool flush() {
    for (std::size_t sent = 0; sent < buffer_.size() && !broken_;) {
      const ssize_t n = ::send(fd_, buffer_.data() + sent, buffer_.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      broken_ = n <= 0;
      if (!broken_) sent += static_cast<std::size_t>(n);
    }
    buffer_.clear();
    return !broken_;
  }

  int fd_;
  std::string buffer_;
  bool broken_ = false;
};

// A child answers and dies: no signal handling of the agent's, no agent to outlive, no client to wait for forever.
[[noreturn]] void live_as_child(int fd, const Route& route, const Arguments& arguments, std::chrono::seconds patience) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  route.run(arguments, std::make_shared<ChildAnswer>(fd));
  ::_exit(0);
}

}  // namespace

// One client: what it has said so far, what it has not read yet.
class Server::Connection final : public Answer {
 public:
  Connection(EventLoop& loop, UniqueFd socket, std::size_t most_waiting, std::optional<uid_t> asker)
      : loop_(loop), socket_(std::move(socket)), most_waiting_(most_waiting), asker_(asker) {}
  ~Connection() override { close(); }

  // Whoever still holds this answer finds that it takes nothing any more.
  void close() {
    if (!socket_) return;
    loop_.forget(fd());
    socket_.reset();
    broken_ = true;
    if (const auto gone = std::exchange(gone_, nullptr)) gone();
  }

  void on_gone(std::function<void()> gone) override { gone_ = std::move(gone); }
  std::optional<uid_t> asker() const override { return asker_; }

  int fd() const { return socket_.get(); }
  LineSplitter& input() { return input_; }
  bool is_asked() const { return asked_; }
  bool is_finished() const { return finished_ && waiting_.empty(); }
  bool is_broken() const { return broken_; }
  bool stays() const { return stays_; }
  void set_asked() { asked_ = true, progress_ = std::chrono::steady_clock::now(); }
  void set_stays() { stays_ = true; }
  // An open answer with nothing to say is no sign of a client that dawdles.
  bool is_late(SteadyTime now, std::chrono::seconds patience) const {
    return !(stays_ && waiting_.empty()) && now - progress_ > patience;
  }

  void write_waiting() {
    std::size_t sent = 0;
    while (sent < waiting_.size()) {
      const ssize_t n = ::send(fd(), waiting_.data() + sent, waiting_.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno != EAGAIN) broken_ = true;
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
      progress_ = std::chrono::steady_clock::now();
    }
    waiting_.erase(0, sent);
    watch_what_matters();
  }

 protected:
  bool send(std::string_view line) override {
    if (broken_ || waiting_.size() + line.size() > most_waiting_) return false;
    if (waiting_.empty()) progress_ = std::chrono::steady_clock::now();
    waiting_ += line;
    write_waiting();
    return true;
  }
  void finish(std::string_view line) override {
    finished_ = true;
    if (broken_) return;
    waiting_ += line;  // short, and the last: always taken
    write_waiting();
  }

 private:
  // Asked once, a client has no more to say: only an open answer needs to hear that it hangs up.
  void watch_what_matters() {
    const bool listens = !asked_ || stays_;
    const std::uint32_t events = (listens ? EPOLLIN : 0u) | (waiting_.empty() ? 0u : EPOLLOUT);
    if (events != watched_ && loop_.change(fd(), events)) watched_ = events;
  }

  EventLoop& loop_;
  UniqueFd socket_;
  std::size_t most_waiting_;
  std::optional<uid_t> asker_;
  LineSplitter input_{kMostRequestBytes};
  std::string waiting_;
  std::function<void()> gone_;
  SteadyTime progress_ = std::chrono::steady_clock::now();
  std::uint32_t watched_ = EPOLLIN;
  bool asked_ = false;
  bool finished_ = false;
  bool broken_ = false;
  bool stays_ = false;
};

Server::Server(EventLoop& loop, std::filesystem::path path, std::string group, Find find, Limits limits)
    : loop_(loop), path_(std::move(path)), group_(std::move(group)), find_(std::move(find)), limits_(limits) {}

Server::~Server() {
  while (!connections_.empty()) drop(connections_.begin()->first);
  for (auto& [pidfd, owner] : children_) loop_.forget(pidfd);
  if (timer_) loop_.cancel(timer_);
  if (!listener_) return;
  loop_.forget(listener_.get());
  ::unlink(path_.c_str());
}

Result<std::unique_ptr<Server>> Server::open(EventLoop& loop, std::filesystem::path path, std::string group, Find find,
                                             Limits limits) {
  std::unique_ptr<Server> server(new Server(loop, std::move(path), std::move(group), std::move(find), limits));
  if (auto listening = server->listen(); !listening) {
    return within("control socket " + server->path_.string(), listening.error());
  }
  return server;
}

Result<void> Server::listen() {
  const sockaddr_un address = TRY(socket_address(path_));
  std::error_code ignored;  // bind() says it better
  std::filesystem::create_directories(path_.parent_path(), ignored);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail(errno, "make a socket");

  const mode_t before = ::umask(0117);
  int bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (bound != 0 && errno == EADDRINUSE && is_socket_file(path_)) {
    if (is_alive(address)) {
      ::umask(before);
      return fail("an agent is listening there already");
    }
    ::unlink(path_.c_str());
    bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  const int why = errno;
  ::umask(before);
  if (bound != 0) return fail(why, "take the path");
  if (const auto group = find_group(group_); group && ::chown(path_.c_str(), static_cast<uid_t>(-1), *group) != 0) {
    log_warning("the control socket could not be given to its group", {{"group", group_}, {"socket", path_.string()}});
  }
  listener_ = std::move(socket);  // from here on the file is ours to remove
  if (::listen(listener_.get(), 64) != 0) return fail(errno, "listen");
  TRY_VOID(loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); }));
  timer_ = TRY(loop_.every(std::chrono::seconds(1), [this] { check_patience(); }));
  return {};
}

void Server::accept() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  const int fd = socket.get();
  const auto peer = peer_of(fd);
  auto connection = std::make_shared<Connection>(loop_, std::move(socket), limits_.waiting_bytes,
                                                 peer ? std::optional(peer->uid) : std::nullopt);
  if (!loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) {
        if (const auto found = connections_.find(fd); found != connections_.end())
          handle(std::shared_ptr(found->second));
      })) {
    return;
  }
  if (!peer || !is_allowed(*peer, ::geteuid(), find_group(group_))) {
    const std::string who = peer ? fmt::format("user {}", peer->uid) : std::string("whoever this is");
    log_warning("a client was refused", {{"uid", peer ? std::to_string(peer->uid) : "?"}});
    connection->set_asked();
    connection->refuse(fmt::format("permission denied: {} is neither root nor in group {}", who, group_));
  } else if (connections_.size() >= limits_.connections) {
    connection->set_asked();
    connection->refuse("the agent is serving as many clients as it may; try again");
  }
  if (!connection->is_finished() && !connection->is_broken()) connections_[fd] = std::move(connection);
}

void Server::drop(int fd) {
  const auto node = connections_.extract(fd);
  if (node) node.mapped()->close();
}

// Something can be read from, or written to, a client.
void Server::handle(const std::shared_ptr<Connection>& connection) {
  connection->write_waiting();
  char bytes[16 * 1024];
  const ssize_t n = ::recv(connection->fd(), bytes, sizeof(bytes), MSG_DONTWAIT);
  const bool hung_up = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
  if (hung_up && (!connection->is_asked() || connection->stays())) return drop(connection->fd());
  if (n > 0 && connection->is_asked()) return drop(connection->fd());  // one request a connection
  if (n > 0) {
    connection->input().add({bytes, static_cast<std::size_t>(n)});
    if (const auto line = connection->input().next()) {
      connection->set_asked();
      const auto request = parse_request(*line);
      request ? run(connection, *request) : connection->refuse(request.error().text);
    } else if (connection->input().is_too_long()) {
      connection->set_asked();
      connection->refuse(fmt::format("request: longer than {} bytes", kMostRequestBytes));
    }
  }
  if (connection->is_finished() || connection->is_broken()) drop(connection->fd());
}

void Server::run(const std::shared_ptr<Connection>& connection, const Request& request) {
  const Route* route = find_(request.command);
  if (!route) {
    return connection->refuse(fmt::format("no such command: {}", request.command), ExitCode::kUsage);
  }
  if (route->way == Way::kReads) return run_in_child(connection, *route, request.arguments);
  if (route->way == Way::kStays) connection->set_stays();
  route->run(request.arguments, connection);
}

void Server::run_in_child(const std::shared_ptr<Connection>& connection, const Route& route,
                          const Arguments& arguments) {
  if (children_.size() >= limits_.children) {
    return connection->refuse("the agent is answering as many questions as it may; try again");
  }
  const pid_t pid = ::fork();
  if (pid == 0) {
    // A child still ending when the agent is gone already must not look like an agent to the next one.
    listener_.reset();
    live_as_child(connection->fd(), route, arguments, limits_.patience);
  }
  if (pid < 0) return connection->refuse(fmt::format("the agent cannot make a process: {}", std::strerror(errno)));
  UniqueFd child(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const int fd = child.get();
  if (child && loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { reap(fd); })) children_[fd] = std::move(child);
  drop(connection->fd());  // the child's from here on
}

void Server::reap(int pidfd) {
  siginfo_t info{};
  ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED);
  if (info.si_code != CLD_EXITED) log_warning("an answer ended early", {{"signal", info.si_status}});
  loop_.forget(pidfd);
  children_.erase(pidfd);
}

void Server::check_patience() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<int> late;
  for (const auto& [fd, connection] : connections_) {
    if (connection->is_broken() || connection->is_late(now, limits_.patience)) late.push_back(fd);
  }
  for (int fd : late) drop(fd);
}

}  // namespace apnat
