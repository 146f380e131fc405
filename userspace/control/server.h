// server.h - the control socket, the agent's end. One request a connection; the
// answer of a command that only reads is written by a child process.
//
// No client can hurt: buffers are bounded, whoever dawdles is cut off, whoever
// is not allowed is told so and nothing else.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "base/unique_fd.h"
#include "control/answer.h"

namespace apnat {

class Server {
 public:
  struct Limits {
    std::size_t connections = 64;
    std::size_t children = 8;
    std::size_t waiting_bytes = kMostReplyBytes;  // of one connection's answer
    std::chrono::seconds patience{10};            // for a request to be complete, for an answer to be read
  };
  // The route of a command; null: there is no such command.
  using Find = std::function<const Route*(std::string_view command)>;

  // Takes over the socket file of an agent that is dead; refuses if one is alive behind it. `loop` must outlive it.
  static Result<std::unique_ptr<Server>> open(EventLoop& loop, std::filesystem::path path, std::string group, Find find,
                                              Limits limits);
  ~Server();  // removes the socket file
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::size_t connections() const { return connections_.size(); }
  std::size_t children() const { return children_.size(); }

 private:
  class Connection;

  Server(EventLoop& loop, std::filesystem::path path, std::string group, Find find, Limits limits);
  Result<void> listen();
  void accept();
  void handle(const std::shared_ptr<Connection>& connection);
  void run(const std::shared_ptr<Connection>& connection, const Request& request);
  void run_in_child(const std::shared_ptr<Connection>& connection, const Route& route, const Arguments& arguments);
  void reap(int pidfd);
  void drop(int fd);
  void check_patience();

  EventLoop& loop_;
  std::filesystem::path path_;
  std::string group_;
  Find find_;
  Limits limits_;
  UniqueFd listener_;
  EventLoop::TimerId timer_ = 0;
  std::map<int, std::shared_ptr<Connection>> connections_;
  std::map<int, UniqueFd> children_;  // pidfds
};

}  // namespace apnat
