// The way out decides who finishes the job: the translator, the kernel, or nobody.
#include <catch2/catch.hpp>

#include "support/memory_world.h"
#include "support/story.h"

using namespace apnat::test;

namespace {

// A native gateway whose routing always says the same.
std::unique_ptr<Translator> routing_says(core_route_result answer) {
  auto nat = native({});
  auto& world = dynamic_cast<MemoryWorld&>(nat->world());
  world.answer_routes([answer](core_route&) { return answer; });
  return nat;
}

Packet sized(std::string_view from, int source_port, std::string_view to, int port, std::size_t payload, bool whole) {
  return Ipv4{.source = from, .destination = to, .dont_fragment = whole} /
         Udp{.source = static_cast<std::uint16_t>(source_port), .destination = static_cast<std::uint16_t>(port)} /
         Data(payload);
}

bool has_kernel() { return translators().size() > 1; }

// Routes that lead nowhere, or are narrow, beside the usual ones.
void make_routes() {
  static bool made = false;
  if (made) return;
  made = true;
  shell(
      "set -e; ip link add other0 type veth peer name other1; ip link set other0 up; ip link set other1 up;"
      "ip route add 203.0.113.64/27 via 198.51.100.253 dev out0 mtu lock 1200;"
      "ip route add blackhole 203.0.113.96/27; ip route add unreachable 203.0.113.128/27;"
      "ip route add prohibit 203.0.113.160/27; ip route add throw 203.0.113.192/27; ip rule del table default || true;"
      "ip route add 203.0.113.224/27 dev other0; ip neigh add 203.0.113.225 lladdr 02:00:00:00:00:09 dev other0;"
      "ip route add 10.9.0.0/24 via 100.64.255.2 dev in0 mtu lock 1200");
}

std::unique_ptr<Translator> with_routes(const NatSpec& spec = {}) {
  auto nat = kernel(spec);
  make_routes();
  return nat;
}

// Translated but for the TTL, which the kernel will take.
void check_handed_to_kernel(const Outcome& out) {
  CHECK(out.packet.source() == kX);
  CHECK(out.packet.ttl() == 64);
  CHECK(out.packet.has_right_checksums());
}

}  // namespace

TEST_CASE("what the kernel finishes is translated and keeps its time to live", "[UDP-28][rfc1812]") {
  struct Case {
    core_route_result answer;
    enum verdict verdict;
  };
  const Case way = GENERATE(Case{CORE_ROUTE_NO_NEIGHBOUR, VERDICT_NEIGHBOUR_PENDING},
                            Case{CORE_ROUTE_BY_KERNEL, VERDICT_EGRESS_BY_KERNEL},
                            Case{CORE_ROUTE_TOO_BIG, VERDICT_FRAGMENTED_BY_KERNEL});
  auto nat = routing_says(way.answer);
  const auto out = nat->outbound(sized(kS1, 5000, kR1, 53, 100, false));
  CHECK(out == way.verdict);
  check_handed_to_kernel(out);
  const auto in = nat->inbound(sized(kR1, 53, kX, out.packet.source_port(), 100, false));
  CHECK(in == way.verdict);
  CHECK(in.packet.destination_endpoint() == "100.64.0.10:5000");
  CHECK(in.packet.ttl() == 64);
}

TEST_CASE("what has no way out is dropped by name, untouched", "[rfc1812]") {
  struct Case {
    core_route_result answer;
    enum verdict verdict;
  };
  const Case way =
      GENERATE(Case{CORE_ROUTE_NONE, VERDICT_NO_ROUTE}, Case{CORE_ROUTE_PROHIBITED, VERDICT_ROUTE_PROHIBITED},
               Case{CORE_ROUTE_FORWARDING_OFF, VERDICT_FORWARDING_OFF});
  auto nat = routing_says(way.answer);
  const Packet sent = udp(kS1, 5000, kR1, 53);
  const auto out = nat->outbound(sent);
  CHECK(out == way.verdict);
  CHECK(out.packet == sent);
}

TEST_CASE("too big and not to be fragmented: the sender is told about the packet it sent", "[UDP-23][ICMP-22]") {
  auto nat = routing_says(CORE_ROUTE_TOO_BIG);
  const Packet sent = sized(kS1, 5000, kR1, 53, 1400, true);
  const auto out = nat->outbound(sent);
  CHECK(out == VERDICT_FRAGMENTATION_NEEDED);
  CHECK(out.packet == sent);
  const auto listener = nat->outbound(sized(kS2, 6000, kR1, 53, 10, false));
  const Packet inbound = sized(kR1, 53, kX, listener.packet.source_port(), 1400, true);
  const auto in = nat->inbound(inbound);
  CHECK(in == VERDICT_INBOUND_TOO_BIG);
  CHECK(in.packet == inbound);
}

TEST_CASE("a way out that no translator may use is the kernel's", "[rfc1812]") {
  auto nat = native({});
  dynamic_cast<MemoryWorld&>(nat->world()).answer_routes([](core_route& route) {
    route.egress_ifindex = 99;
    return CORE_ROUTE_FOUND;
  });
  const auto out = nat->outbound(udp(kS1, 5000, kR1, 53));
  CHECK(out == VERDICT_EGRESS_BY_KERNEL);
  check_handed_to_kernel(out);
}

TEST_CASE("routing is asked about the translated packet", "[rfc1812]") {
  auto nat = native({});
  core_route asked{};
  dynamic_cast<MemoryWorld&>(nat->world()).answer_routes([&](core_route& route) {
    asked = route;
    route.egress_ifindex = kOutsideIfindex;
    return CORE_ROUTE_FOUND;
  });
  nat->outbound(Ipv4{.source = kS1, .destination = kR1, .tos = 0xb8} / Udp{.source = 5000, .destination = 53});
  CHECK(asked.ingress_ifindex == kInsideIfindex);
  CHECK(asked.source == __builtin_bswap32(0xc0000201));
  CHECK(asked.destination == __builtin_bswap32(0xc6336401));
  CHECK(asked.protocol == 17);
  CHECK(asked.tos == 0xb8);
  CHECK(asked.total_length == 28);
}

TEST_CASE("the kernel's routes: narrow, unresolved, through a stranger's interface", "[rfc1812]") {
  if (!has_kernel()) return;
  auto nat = with_routes();
  const auto pending = nat->outbound(udp(kS1, 5000, "198.51.100.99", 53));
  CHECK(pending == VERDICT_NEIGHBOUR_PENDING);
  check_handed_to_kernel(pending);
  const auto narrow = nat->outbound(sized(kS1, 5000, "203.0.113.65", 53, 1300, false));
  CHECK(narrow == VERDICT_FRAGMENTED_BY_KERNEL);
  check_handed_to_kernel(narrow);
  CHECK(nat->outbound(sized(kS1, 5000, "203.0.113.65", 53, 1300, true)) == VERDICT_FRAGMENTATION_NEEDED);
  CHECK(nat->outbound(sized(kS1, 5000, "203.0.113.65", 53, 100, true)) == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(nat->outbound(sized(kS1, 5000, "203.0.113.65", 53, 1300, true)) == VERDICT_FRAGMENTATION_NEEDED);
  const auto stranger = nat->outbound(udp(kS1, 5000, "203.0.113.225", 53));
  CHECK(stranger == VERDICT_EGRESS_BY_KERNEL);
  check_handed_to_kernel(stranger);
}

TEST_CASE("the kernel's routes: none, or one that forbids", "[rfc1812]") {
  if (!has_kernel()) return;
  auto nat = with_routes();
  for (const std::string_view destination : {"203.0.113.97", "203.0.113.129", "203.0.113.161"}) {
    const Packet sent = udp(kS1, 5000, destination, 53);
    const auto out = nat->outbound(sent);
    CHECK(out == VERDICT_ROUTE_PROHIBITED);
    CHECK(out.packet == sent);
  }
  CHECK(nat->outbound(udp(kS1, 5000, "203.0.113.193", 53)) == VERDICT_NO_ROUTE);
}

TEST_CASE("the kernel's routes: towards a subscriber", "[rfc1812]") {
  if (!has_kernel()) return;
  NatSpec spec;
  spec.pools[0].internal = "10.9.0.0/24";
  auto nat = with_routes(spec);
  const auto out = nat->outbound(udp("10.9.0.1", 5000, kR1, 53));
  CHECK(nat->inbound(sized(kR1, 53, kX, out.packet.source_port(), 1300, true)) == VERDICT_INBOUND_TOO_BIG);
  CHECK(nat->inbound(sized(kR1, 53, kX, out.packet.source_port(), 1300, false)) == VERDICT_FRAGMENTED_BY_KERNEL);
  CHECK(nat->inbound(sized(kR1, 53, kX, out.packet.source_port(), 1000, true)) == VERDICT_TRANSLATED_INBOUND);
}

TEST_CASE("where the kernel does not forward, neither does the translator", "[rfc1812]") {
  if (!has_kernel()) return;
  auto nat = with_routes();
  shell("sysctl -qw net.ipv4.conf.in0.forwarding=0");
  CHECK(nat->outbound(udp(kS1, 5000, kR1, 53)) == VERDICT_FORWARDING_OFF);
  shell("sysctl -qw net.ipv4.conf.in0.forwarding=1");
  CHECK(nat->outbound(udp(kS1, 5000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
}
