// The seeds of the frame fuzzer's corpus: short conversations, as the stories have them, with each kind of gateway.
// `test_bpf "write the seeds"` writes them anew; what the fuzzer has found since lies beside them.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "support/frame_script.h"
#include "support/story.h"

using namespace apnat::test;

namespace {

constexpr std::size_t kOneArmed = 3;
constexpr const char* kGatewayNames[] = {"plain", "layouts", "extras", "one-armed"};

using Frames = std::vector<ScriptFrame>;

ScriptFrame inside(const Packet& packet, std::uint16_t ethertype = 0x0800) {
  return {kFrameMendSum | kFrameMendLengths, link_frame(packet, ethertype)};
}

ScriptFrame outside(const Packet& packet, std::uint16_t ethertype = 0x0800) {
  ScriptFrame frame = inside(packet, ethertype);
  frame.flags |= kFrameOutside;
  return frame;
}

ScriptFrame raw(ScriptFrame frame, std::size_t length, std::size_t at = 0, std::uint8_t value = 0) {
  frame.flags &= kFrameOutside;
  frame.bytes.resize(length);
  if (at != 0) frame.bytes.at(at) = value;
  return frame;
}

ScriptFrame tagged(ScriptFrame frame, std::initializer_list<std::uint16_t> ids) {
  for (const std::uint16_t id : ids) {
    const Bytes tag = {0x81, 0, static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id)};
    frame.bytes.insert(frame.bytes.begin() + 12, tag.begin(), tag.end());
  }
  return frame;
}

Packet arp_request() {
  Bytes arp = {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 198, 51, 100, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2};
  return Packet(arp);
}

// What no honest host sends, and what is not translated. `query` is a subscriber's ordinary packet, `answer` one to it.
void add_oddities(std::map<std::string, Frames>& all, const Packet& query, const Packet& answer) {
  all["strange"] = {inside(udp(kS1, 0, kR1, 53)),           inside(udp(kS1, 5, kS1, 5)),
                    inside(udp(kS1, 5, "239.1.1.1", 5)),    inside(udp(kS1, 5, "224.0.0.5", 5)),
                    inside(udp(kS1, 5, "100.64.255.1", 5)), outside(udp("127.0.0.1", 5, kX, 5)),
                    outside(udp(kR1, 5, kS1, 5)),           outside(udp("192.0.2.2", 5, kX, 5))};
  all["options"] = {
      inside(Ipv4{.source = kS1, .destination = kR1, .options = Bytes(8, 1)} / Udp{.source = 5000, .destination = 6}),
      inside(Ipv4{.source = kS1, .destination = kR1, .options = {131, 3, 4, 0}} / Udp{.source = 5, .destination = 6}),
      inside(Ipv4{.source = kS1, .destination = kR1, .options = {7, 9, 4, 0}} / Udp{.source = 5, .destination = 6}),
      inside(Ipv4{.source = kS1, .destination = kR1, .options = Bytes(40, 1)} /
             Tcp{.source = 5001, .destination = 80})};
  all["fragments"] = {
      inside(Ipv4{.source = kS1, .destination = kR1, .more_fragments = true} / Udp{.source = 5, .destination = 6} /
             Data(16)),
      outside(Ipv4{.source = kR1, .destination = kX, .fragment_offset = 64, .protocol = std::uint8_t{17}} / Data(64))};
  all["no-udp-sum"] = {inside(Ipv4{.source = kS1, .destination = kR1} /
                              Udp{.source = 5000, .destination = 53, .checksum = false} / Data(3))};
  all["other"] = {
      inside(Packet(Bytes(40)), 0x86dd), outside(arp_request(), 0x0806),
      inside(Ipv4{.source = kS1, .destination = kR1, .protocol = std::uint8_t{47}} / Data(24)),
      inside(Ipv4{.source = kS1, .destination = kR1, .ttl = 1} / Udp{.source = 5000, .destination = 33434})};
  all["broken"] = {raw(inside(query), 14),           raw(inside(query), 33),        raw(inside(query), 38),
                   raw(inside(query), 47, 14, 0x44), raw(inside(query), 47, 24, 0), raw(inside(query), 47, 16, 9),
                   raw(inside(query), 47, 39, 200)};
  all["tags"] = {tagged(inside(query), {100}), tagged(inside(query), {100, 300}), tagged(inside(query), {4}),
                 tagged(outside(answer), {300}), raw(tagged(inside(query), {100, 300}), 20)};
}

// `seen`: what the gateway made of the subscriber's first packet, so that answers find its mapping.
std::map<std::string, Frames> conversations(const NatSpec& spec, bool one_armed) {
  auto nat = native(spec);
  furnish(*nat);
  const auto seen = [&](const Packet& packet) { return nat->outbound(packet).packet; };
  const Packet query = udp(kS1, 5000, kR1, 53), syn = tcp(kS1, 5001, kR1, 80, "S"), echo = ping(kS1, 7, kR1);
  const Packet query_out = seen(query), syn_out = seen(syn), echo_out = seen(echo);
  const std::uint16_t udp_port = query_out.source_port(), tcp_port = syn_out.source_port();
  const auto in = [&](const Packet& packet) { return one_armed ? inside(packet) : outside(packet); };
  const Packet to_listener = udp("100.64.1.10", 6000, kX, udp_port);
  std::map<std::string, Frames> all;
  all["udp"] = {inside(query), in(udp(kR1, 53, kX, udp_port)), in(udp(kR2, 99, kX, udp_port + 1))};
  all["tcp"] = {inside(syn),
                in(tcp(kR1, 80, kX, tcp_port, "SA")),
                inside(tcp(kS1, 5001, kR1, 80, "FA")),
                in(tcp(kR1, 80, kX, tcp_port, "FA")),
                inside(tcp(kS1, 5001, kR2, 80, "S")),
                in(tcp(kR1, 80, kX, tcp_port, "R")),
                inside(tcp(kS1, 9999, kR1, 80, "A"))};
  all["mss"] = {inside(Ipv4{.source = kS1, .destination = kR1} /
                       Tcp{.source = 5001, .destination = 80, .flags = "S", .options = {1, 2, 4, 5, 180, 1, 1, 1}})};
  all["echo"] = {inside(echo),
                 in(Ipv4{.source = kR1, .destination = kX} / IcmpQuery{.id = echo_out.source_port(), .type = 0}),
                 in(ping(kR1, 7, kX))};
  all["error-in"] = {in(Ipv4{.source = kR2, .destination = kX} / IcmpError{} / query_out),
                     in(Ipv4{.source = kR2, .destination = kX} / IcmpError{.type = 11, .code = 0} / syn_out),
                     in(Ipv4{.source = kR2, .destination = kX} / IcmpError{.type = 12, .code = 0} / echo_out),
                     in(Ipv4{.source = kR2, .destination = kX} / IcmpError{.code = 4, .mtu = 1280} / query_out)};
  all["error-out"] = {inside(Ipv4{.source = kS1, .destination = kR1} / IcmpError{} / udp(kR1, 53, kS1, 5000)),
                      inside(Ipv4{.source = "100.64.255.9", .destination = kR1} / IcmpError{.type = 11, .code = 0} /
                             tcp(kR1, 80, kS1, 5001, "A"))};
  all["hairpin"] = {inside(to_listener), inside(Ipv4{.source = kS1, .destination = "192.0.2.2"} / IcmpError{} /
                                                Packet(udp("192.0.2.2", 2003, kS1, 5000)))};
  all["many"] = {inside(udp("100.64.1.10", 7001, kR1, 53)), inside(udp("100.64.1.10", 7002, kR1, 53)),
                 inside(udp("100.64.1.20", 7001, kR1, 53)), inside(udp("100.64.0.11", 7001, kR1, 53)),
                 inside(udp("203.0.113.9", 7001, kR1, 53)), inside(udp("100.64.0.12", 7001, "192.0.2.2", 2004))};
  add_oddities(all, query, udp(kR1, 53, kX, udp_port));
  return all;
}

}  // namespace

TEST_CASE("write the seeds", "[.seeds]") {
  const std::filesystem::path corpus = APNAT_SOURCE_DIR "/tests/fuzz/corpus/frame";
  std::map<std::string, FrameScript> seeds;
  const auto gateways = script_gateways();
  for (std::size_t gateway = 0; gateway < gateways.size(); ++gateway)
    for (auto& [name, frames] : conversations(gateways[gateway], gateway == kOneArmed))
      seeds[fmt::format("{}-{}", kGatewayNames[gateway], name)] = {gateway, std::move(frames)};
  for (const auto& [name, script] : seeds) {
    const Bytes bytes = write_script(script);
    std::ofstream(corpus / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
}
