// Frames of several buffers: only headers are read and written, the rest is carried.
#include <catch2/catch.hpp>

#include "support/story.h"

using namespace apnat::test;

namespace {

void widen_links() {
  static bool wide = false;
  if (wide) return;
  wide = true;
  shell("for i in in0 out0; do ip link set $i mtu 9100; done");
}

std::unique_ptr<Translator> on_wide_links(const std::string& host) {
  auto nat = translator(host);
  if (host == "kernel") widen_links();
  return nat;
}

Bytes payload_of(const Packet& packet) {
  return {packet.bytes().begin() + static_cast<std::ptrdiff_t>(packet.transport_offset()) + 8, packet.bytes().end()};
}

}  // namespace

TEST_CASE("a jumbo frame is translated, out and in", "[rfc1812]") {
  auto nat = on_wide_links(GENERATE(from_range(translators())));
  const std::size_t size = GENERATE(as<std::size_t>(), 3000, 3500, 4096, 8972);
  const Packet large = Ipv4{.source = kS1, .destination = kR1} / Udp{.source = 5000, .destination = 53} / Data(size);
  const auto out = nat->outbound(large);
  REQUIRE(out == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(out.packet.source() == kX);
  CHECK(out.packet.has_right_checksums());
  CHECK(payload_of(out.packet) == payload_of(large));
  const auto in = nat->inbound(Ipv4{.source = kR1, .destination = kX} /
                               Udp{.source = 53, .destination = out.packet.source_port()} / Data(size));
  REQUIRE(in == VERDICT_TRANSLATED_INBOUND);
  CHECK(in.packet.destination_endpoint() == "100.64.0.10:5000");
  CHECK(in.packet.has_right_checksums());
}

TEST_CASE("the length of a jumbo frame is measured over all its buffers", "[SEC-25]") {
  auto nat = on_wide_links(GENERATE(from_range(translators())));
  const Packet whole = Ipv4{.source = kS1, .destination = kR1} / Udp{.source = 5000, .destination = 53} / Data(6000);
  Bytes cut = link_frame(whole);
  cut.resize(cut.size() - 1);
  CHECK(nat->frame(nat->world().inside_ifindex(), cut) == VERDICT_BAD_IPV4_HEADER);
  Bytes trailed = link_frame(whole);
  trailed.resize(trailed.size() + 4);  // padding behind the datagram
  CHECK(nat->frame(nat->world().inside_ifindex(), trailed) == VERDICT_TRANSLATED_OUTBOUND);
}

TEST_CASE("a frame of several buffers is left to the kernel, translated, where the way out takes but one",
          "[rfc1812]") {
  auto nat = on_wide_links("kernel");
  struct interface row{};
  row.flags = INTERFACE_EXTERNAL | INTERFACE_EGRESS | INTERFACE_ONE_BUFFER;
  row.redirect_ifindex = nat->world().outside_ifindex();
  nat->world().put_interface(row.redirect_ifindex, row);
  const auto large = nat->outbound(Ipv4{.source = kS1, .destination = kR1} / Udp{.source = 5000, .destination = 53} /
                                   Data(std::size_t{8000}));
  CHECK(large == VERDICT_EGRESS_BY_KERNEL);
  CHECK(large.packet.source() == kX);
  CHECK(nat->outbound(udp(kS1, 5000, kR1, 53)) == VERDICT_TRANSLATED_OUTBOUND);
}
