// socket_test.cpp - server and client over a real unix socket, with clients that mean harm.
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "base/log.h"
#include "control/client.h"
#include "control/peer.h"
#include "control/server.h"
#include "control/socket_path.h"

using namespace apnat;
using namespace std::chrono_literals;

namespace {

struct TempFolder {
  std::filesystem::path path;
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "apnat-control-XXXXXX").string();
    path = ::mkdtemp(name.data());
    ::chmod(path.c_str(), 0755);
  }
  ~TempFolder() { std::filesystem::remove_all(path); }
};

// A server with four commands, run by the test itself: clients are other threads or processes.
struct Fixture {
  TempFolder temp;
  EventLoop loop = std::move(*EventLoop::open());
  std::filesystem::path path = temp.path / "agent.sock";
  int state = 0;
  std::vector<std::shared_ptr<Answer>> followers;
  int gone = 0;
  std::map<std::string, Route, std::less<>> routes;
  std::unique_ptr<Server> server;

  explicit Fixture(Server::Limits limits = {}) {
    set_log_level(LogLevel::kError);
    routes["count"] = {Way::kReads, [](const Arguments& arguments, const std::shared_ptr<Answer>& answer) {
                         const std::uint64_t limit = arguments.number("limit")->value_or(3);
                         for (std::uint64_t n = 0; n < limit; ++n) {
                           if (!answer->row(Json{{"n", n}})) return;
                         }
                         answer->done(Json{{"pid", ::getpid()}});
                       }};
    routes["change"] = {Way::kChanges, [this](const Arguments&, const std::shared_ptr<Answer>& answer) {
                          answer->done(Json(++state));
                        }};
    routes["refuse"] = {Way::kChanges,
                        [](const Arguments&, const std::shared_ptr<Answer>& answer) { answer->refuse("not today"); }};
    routes["follow"] = {Way::kStays, [this](const Arguments&, const std::shared_ptr<Answer>& answer) {
                          answer->on_gone([this] { ++gone; });
                          followers.push_back(answer);
                        }};
    server = std::move(*open(limits));
  }

  Result<std::unique_ptr<Server>> open(Server::Limits limits = {}) {
    return Server::open(
        loop, path, "apnat",
        [this](std::string_view command) {
          const auto found = routes.find(command);
          return found == routes.end() ? nullptr : &found->second;
        },
        limits);
  }

  // Turns the loop until `client` returns.
  template <typename Work>
  auto with_client(Work work) {
    std::atomic<bool> finished = false;
    decltype(work()) result{};
    std::thread client([&] {
      result = work();
      finished = true;
    });
    while (!finished) (void)loop.turn(20ms);
    client.join();
    for (int i = 0; i < 5; ++i) (void)loop.turn(5ms);
    return result;
  }

  std::expected<Json, Refusal> call(const std::string& command, Json arguments = Json::object(),
                                    std::vector<Json>* rows = nullptr) {
    return with_client([&] {
      return std::expected<Json, Refusal>(Client(path).call({command, Arguments(arguments)}, [&](Json&& row) {
        if (rows) rows->push_back(std::move(row));
        return true;
      }));
    });
  }

  // Sends bytes as they are, returns what comes back until the server closes or `patience` is over.
  std::string raw(const std::string& bytes, std::chrono::milliseconds patience = 5s) {
    return with_client([&] {
      UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
      const auto address = *socket_address(path);
      (void)::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
      for (std::size_t sent = 0; sent < bytes.size();) {
        const ssize_t n = ::send(socket.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<std::size_t>(n);
      }
      const timeval limit{patience.count() / 1000, (patience.count() % 1000) * 1000};
      ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
      std::string got;
      char buffer[4096];
      for (ssize_t n; (n = ::recv(socket.get(), buffer, sizeof(buffer), 0)) > 0;)
        got.append(buffer, static_cast<std::size_t>(n));
      return got;
    });
  }
};

}  // namespace

TEST_CASE("a command that reads is answered by a child, one that changes by the agent") {
  Fixture agent;
  std::vector<Json> rows;
  const auto counted = agent.call("count", {{"limit", 100'000}}, &rows);
  REQUIRE(counted);
  CHECK(rows.size() == 100'000);
  CHECK((*counted)["pid"] != ::getpid());
  CHECK(*agent.call("change") == 1);
  CHECK(*agent.call("change") == 2);
  CHECK(agent.server->children() == 0);
  CHECK(agent.server->connections() == 0);
}

TEST_CASE("a refusal arrives in the agent's words, an unknown command is a usage error") {
  Fixture agent;
  const auto refused = agent.call("refuse");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text == "not today");
  CHECK(refused.error().code == ExitCode::kRefused);
  CHECK(agent.call("nonsense").error().code == ExitCode::kUsage);
}

TEST_CASE("the socket is for root and its group only") {
  Fixture agent;
  struct stat status{};
  REQUIRE(::stat(agent.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0660);
  CHECK(is_allowed({1, 0, {}}, 5, {}));
  CHECK(is_allowed({1, 5, {}}, 5, {}));
  CHECK(is_allowed({1, 1000, {7, 8}}, 5, gid_t{8}));
  CHECK_FALSE(is_allowed({1, 1000, {7}}, 5, gid_t{8}));
  CHECK_FALSE(is_allowed({1, 1000, {0}}, 5, {}));
}

TEST_CASE("whoever is not allowed is told so, by the file's mode and by the agent") {
  if (::geteuid() != 0) {
    WARN("skipped: needs root, to become someone else");
    return;
  }
  Fixture agent;
  const auto as_nobody = [&] {
    return agent.with_client([&] {
      const pid_t pid = ::fork();
      if (pid == 0) {
        const bool dropped = ::setgroups(0, nullptr) == 0 && ::setgid(65534) == 0 && ::setuid(65534) == 0;
        const auto got = Client(agent.path).call({"change", Arguments()}, [](Json&&) { return true; });
        const bool right = dropped && !got && got.error().code == ExitCode::kRefused &&
                           got.error().text.find("permission denied") != std::string::npos;
        ::_exit(right ? 0 : 1);
      }
      int status = -1;
      ::waitpid(pid, &status, 0);
      return status;
    });
  };
  CHECK(as_nobody() == 0);
  ::chmod(agent.path.c_str(), 0666);  // even if the file let them in
  CHECK(as_nobody() == 0);
  CHECK(agent.state == 0);
}

TEST_CASE("garbage, endless lines and silence hurt nobody") {
  Server::Limits limits;
  limits.patience = 1s;
  Fixture agent(limits);
  CHECK(agent.raw("GET / HTTP/1.0\r\n\r\n").find("not JSON") != std::string::npos);
  CHECK(agent.raw(std::string(1'000'000, 'x')).find("longer than") != std::string::npos);
  CHECK(agent.raw(std::string("\0\xff\n", 3)).find("error") != std::string::npos);
  CHECK(agent.raw("{\"command\":").empty());  // never finished: cut off
  CHECK(agent.server->connections() == 0);
  CHECK(*agent.call("change") == 1);
}

TEST_CASE("a request may come in pieces, and a client may close its sending side") {
  Fixture agent;
  CHECK(agent.with_client([&] {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    const auto address = *socket_address(agent.path);
    (void)::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    for (char c : std::string("{\"command\":\"count\"}\n")) (void)::send(socket.get(), &c, 1, MSG_NOSIGNAL);
    ::shutdown(socket.get(), SHUT_WR);
    std::string got;
    char buffer[4096];
    for (ssize_t n; (n = ::recv(socket.get(), buffer, sizeof(buffer), 0)) > 0;)
      got.append(buffer, static_cast<std::size_t>(n));
    return std::count(got.begin(), got.end(), '\n');
  }) == 4);
}

TEST_CASE("more clients than allowed are sent away, and a reader that stops is cut off") {
  Server::Limits limits;
  limits.connections = 3;
  limits.waiting_bytes = 100'000;
  limits.patience = 1s;
  Fixture agent(limits);
  std::vector<UniqueFd> lazy;
  const auto address = *socket_address(agent.path);
  for (int i = 0; i < 3; ++i) {
    lazy.emplace_back(::socket(AF_UNIX, SOCK_STREAM, 0));
    REQUIRE(::connect(lazy.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(::send(lazy.back().get(), "{\"command\":\"follow\"}\n", 21, 0) == 21);
    for (int turns = 0; turns < 4; ++turns) (void)agent.loop.turn(10ms);
  }
  REQUIRE(agent.followers.size() == 3);
  CHECK(agent.call("change").error().text.find("as many clients") != std::string::npos);

  std::size_t taken = 0;
  while (agent.followers[0]->row(Json(std::string(1000, 'x')))) REQUIRE(++taken < 100'000);
  CHECK(agent.followers[1]->row(Json("still here")));
  const auto until = std::chrono::steady_clock::now() + 4s;
  while (agent.server->connections() > 2 && std::chrono::steady_clock::now() < until) (void)agent.loop.turn(100ms);
  CHECK(agent.server->connections() == 2);
  CHECK(agent.gone == 1);
  lazy.clear();
  for (int turns = 0; turns < 10; ++turns) (void)agent.loop.turn(10ms);
  CHECK(agent.gone == 3);
  CHECK_FALSE(agent.followers[0]->row(Json("anyone?")));
  CHECK(*agent.call("change") == 1);
}

TEST_CASE("a child whose reader stops does not live forever, and the agent does not wait for it") {
  Server::Limits limits;
  limits.patience = 1s;
  limits.children = 1;
  Fixture agent(limits);
  UniqueFd lazy(::socket(AF_UNIX, SOCK_STREAM, 0));
  const auto address = *socket_address(agent.path);
  REQUIRE(::connect(lazy.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  const std::string request = "{\"command\":\"count\",\"arguments\":{\"limit\":10000000}}\n";
  REQUIRE(::send(lazy.get(), request.data(), request.size(), 0) > 0);
  while (agent.server->children() == 0) (void)agent.loop.turn(10ms);
  CHECK(*agent.call("change") == 1);
  CHECK(agent.call("count").error().text.find("as many questions") != std::string::npos);
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (agent.server->children() > 0 && std::chrono::steady_clock::now() < until) (void)agent.loop.turn(100ms);
  CHECK(agent.server->children() == 0);
}

TEST_CASE("a dead agent's socket file is taken over, a live one's and anyone else's file are not") {
  Fixture agent;
  const auto second = agent.open();
  REQUIRE_FALSE(second);
  CHECK(second.error().text.find("an agent is listening there already") != std::string::npos);
  CHECK(*agent.call("change") == 1);

  agent.server.reset();
  CHECK_FALSE(std::filesystem::exists(agent.path));
  {
    UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    const auto address = *socket_address(agent.path);
    REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  }
  REQUIRE(std::filesystem::exists(agent.path));
  CHECK(Client(agent.path).call({"x", Arguments()}, [](Json&&) { return true; }).error().code ==
        ExitCode::kUnreachable);
  auto taken = agent.open();
  REQUIRE(taken);
  taken->reset();

  std::ofstream(agent.path) << "precious";
  CHECK_FALSE(agent.open());
  CHECK(std::filesystem::file_size(agent.path) == 8);
}

TEST_CASE("a child that outlives its agent does not keep the next one from the socket") {
  Fixture agent;
  UniqueFd lazy(::socket(AF_UNIX, SOCK_STREAM, 0));
  const auto address = *socket_address(agent.path);
  REQUIRE(::connect(lazy.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  const std::string request = "{\"command\":\"count\",\"arguments\":{\"limit\":10000000}}\n";
  REQUIRE(::send(lazy.get(), request.data(), request.size(), 0) > 0);
  char first_byte = 0;  // the child is at work, and stuck: nobody reads on
  while (::recv(lazy.get(), &first_byte, 1, MSG_DONTWAIT) != 1) (void)agent.loop.turn(10ms);

  // A killed agent leaves its socket's file, an ended one does not.
  std::filesystem::create_hard_link(agent.path, agent.temp.path / "kept");
  agent.server.reset();
  std::filesystem::rename(agent.temp.path / "kept", agent.path);
  CHECK(agent.open());
}

TEST_CASE("natctl's side says what is wrong with the socket") {
  TempFolder temp;
  const auto none = [](Json&&) { return true; };
  auto got = Client(temp.path / "none.sock").call({"x", Arguments()}, none);
  CHECK(got.error().code == ExitCode::kUnreachable);
  CHECK(got.error().text.find("apnatd is not running") == 0);
  CHECK(got.error().nobody_listens);

  std::ofstream(temp.path / "file") << "x";
  got = Client(temp.path / "file").call({"x", Arguments()}, none);
  CHECK(got.error().code == ExitCode::kUnreachable);

  got = Client(std::string(200, 'x')).call({"x", Arguments()}, none);
  CHECK(got.error().code == ExitCode::kUsage);

  // Somebody else's socket: talks, but not our language.
  const auto path = temp.path / "other.sock";
  UniqueFd other(::socket(AF_UNIX, SOCK_STREAM, 0));
  const auto address = *socket_address(path);
  REQUIRE(::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  REQUIRE(::listen(other.get(), 1) == 0);
  std::thread speaker([&] {
    UniqueFd client(::accept(other.get(), nullptr, nullptr));
    (void)::send(client.get(), "220 mail ready\n", 15, MSG_NOSIGNAL);
    ::usleep(100'000);
  });
  got = Client(path).call({"x", Arguments()}, none);
  speaker.join();
  CHECK(got.error().code == ExitCode::kUnreachable);
  CHECK(got.error().text.find("is not apnatd's control socket") != std::string::npos);
  CHECK_FALSE(got.error().nobody_listens);
}
