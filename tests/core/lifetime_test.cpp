// lifetime.h: the TCP states of RFC 7857 section 2, edge by edge, and how long each of them lives.
#include <catch2/catch.hpp>

#include "core_native.h"

namespace {

constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;
constexpr std::uint32_t kRemote = 0x1111, kOther = 0x2222;

std::uint32_t with_remote(std::uint32_t tcp) { return tcp | kRemote << STATE_REMOTE_SHIFT; }

std::uint32_t tcp_of(std::uint32_t state) { return state & STATE_TCP; }

std::uint32_t out(std::uint32_t tcp, std::uint8_t flags) {
  return tcp_of(core_next_state_outbound(with_remote(tcp), flags, kRemote));
}

std::uint32_t in(std::uint32_t tcp, std::uint8_t flags) {
  return tcp_of(core_next_state_inbound(with_remote(tcp), flags, kRemote));
}

struct options lifetimes() {
  struct options options{};
  options.udp_ticks = 1;
  options.tcp_established_ticks = 2;
  options.tcp_transitory_ticks = 3;
  options.icmp_ticks = 4;
  return options;
}

}  // namespace

TEST_CASE("the states of a connection, edge by edge", "[UPD-1][TCP-9]") {
  CHECK(in(TCP_INIT, kSyn | kAck) == TCP_ESTABLISHED);
  CHECK(in(TCP_INIT, kSyn) == TCP_ESTABLISHED);  // simultaneous open
  CHECK(in(TCP_INIT, kAck) == TCP_INIT);
  CHECK(out(TCP_INIT, kAck) == TCP_INIT);
  CHECK(out(TCP_INIT, kSyn) == TCP_INIT);

  CHECK(out(TCP_ESTABLISHED, kFin | kAck) == TCP_CLIENT_FIN);
  CHECK(in(TCP_ESTABLISHED, kFin | kAck) == TCP_SERVER_FIN);
  CHECK(in(TCP_CLIENT_FIN, kFin | kAck) == TCP_BOTH_FIN);
  CHECK(out(TCP_SERVER_FIN, kFin | kAck) == TCP_BOTH_FIN);
  CHECK(out(TCP_CLIENT_FIN, kFin | kAck) == TCP_CLIENT_FIN);
  CHECK(in(TCP_SERVER_FIN, kFin | kAck) == TCP_SERVER_FIN);

  for (const std::uint32_t tcp : {TCP_ESTABLISHED, TCP_CLIENT_FIN, TCP_SERVER_FIN}) {
    CHECK(out(tcp, kAck) == tcp);
    CHECK(in(tcp, kAck) == tcp);
  }
}

TEST_CASE("a reset makes a connection transitory, data makes it established again", "[UPD-1][UPD-5]") {
  for (std::uint32_t tcp = TCP_INIT; tcp <= TCP_TRANS; ++tcp) {
    CHECK(out(tcp, kRst | kAck) == TCP_TRANS);
    CHECK(in(tcp, kRst) == TCP_TRANS);
  }
  CHECK(out(TCP_TRANS, kAck) == TCP_ESTABLISHED);
  CHECK(in(TCP_TRANS, kAck) == TCP_ESTABLISHED);
}

TEST_CASE("a SYN from inside opens again what has ended, and nothing else", "[TCP-21][SEC-15]") {
  for (const std::uint32_t tcp : {TCP_NONE, TCP_BOTH_FIN, TCP_TRANS}) CHECK(out(tcp, kSyn) == TCP_INIT);
  for (const std::uint32_t tcp : {TCP_INIT, TCP_ESTABLISHED, TCP_CLIENT_FIN, TCP_SERVER_FIN})
    CHECK(out(tcp, kSyn) == tcp);
}

TEST_CASE("a SYN from outside moves nothing that lives", "[SEC-15]") {
  for (const std::uint32_t tcp : {TCP_NONE, TCP_ESTABLISHED, TCP_CLIENT_FIN, TCP_SERVER_FIN, TCP_BOTH_FIN, TCP_TRANS})
    CHECK(in(tcp, kSyn) == tcp);
}

TEST_CASE("a second connection from one port is noted; a new life forgets the first's remote", "[TCP-9]") {
  const std::uint32_t two = core_next_state_outbound(with_remote(TCP_ESTABLISHED), kSyn, kOther);
  CHECK((two & STATE_SEVERAL_SESSIONS) != 0);
  CHECK(tcp_of(two) == TCP_ESTABLISHED);
  const std::uint32_t again = core_next_state_outbound(with_remote(TCP_BOTH_FIN), kSyn, kOther);
  CHECK(again == (TCP_INIT | kOther << STATE_REMOTE_SHIFT));
  const std::uint32_t forward = core_next_state_outbound(with_remote(TCP_TRANS) | STATE_RUNTIME_FORWARD, kSyn, kOther);
  CHECK((forward & STATE_RUNTIME_FORWARD) != 0);
}

TEST_CASE("nobody but the first session's ends moves its state", "[TCP-9][SEC-24]") {
  for (std::uint32_t tcp = TCP_NONE; tcp <= TCP_TRANS; ++tcp) {
    const std::uint32_t state = with_remote(tcp);
    for (const std::uint8_t flags : {kRst, kSyn, kFin, kAck}) {
      CHECK(core_next_state_inbound(state, flags, kOther) == state);
      if (flags != kSyn) CHECK(core_next_state_outbound(state, flags, kOther) == state);
    }
  }
}

TEST_CASE("each state has its lifetime", "[UPD-1][UPD-5][TCP-9]") {
  const struct options options = lifetimes();
  const auto tcp = [&](std::uint32_t state) { return core_lifetime_ticks(&options, 6, state); };
  CHECK(core_lifetime_ticks(&options, 17, 0) == options.udp_ticks);
  CHECK(core_lifetime_ticks(&options, 1, 0) == options.icmp_ticks);
  for (const std::uint32_t state : {TCP_NONE, TCP_INIT, TCP_BOTH_FIN, TCP_TRANS})
    CHECK(tcp(state) == options.tcp_transitory_ticks);
  for (const std::uint32_t state : {TCP_ESTABLISHED, TCP_CLIENT_FIN, TCP_SERVER_FIN})
    CHECK(tcp(state) == options.tcp_established_ticks);
  CHECK(tcp(STATE_SEVERAL_SESSIONS + int{TCP_TRANS}) == options.tcp_established_ticks);
}
