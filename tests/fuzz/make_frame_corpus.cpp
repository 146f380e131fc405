// make_frame_corpus.cpp - writes the first corpus of the frame fuzzer: one frame of
// each kind the translator knows, both sides, and each header cut short. What the
// fuzzer finds later is added beside them.
//   bin/make_frame_corpus tests/fuzz/corpus/frame
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "support/translator.h"

using namespace apnat::test;

namespace {

constexpr std::string_view kInside = "100.64.0.10", kOther = "100.64.0.20", kRemote = "198.51.100.1",
                           kPool = "192.0.2.1";

std::vector<std::pair<std::string, Packet>> packets() {
  const Packet asked =
      Ipv4{.source = kPool, .destination = kRemote} / Udp{.source = 40000, .destination = 53} / Data("q");
  const Packet asked_by_tcp = Ipv4{.source = kPool, .destination = kRemote} / Tcp{.source = 40000, .destination = 80};
  const Packet pinged = Ipv4{.source = kPool, .destination = kRemote} / IcmpQuery{.id = 40000};
  const Packet answered =
      Ipv4{.source = kRemote, .destination = kOther} / Udp{.source = 53, .destination = 4000} / Data("a");
  return {
      {"udp_out", Ipv4{.source = kInside, .destination = kRemote} / Udp{.source = 5000, .destination = 53} / Data("q")},
      {"udp_out_no_checksum",
       Ipv4{.source = kInside, .destination = kRemote} / Udp{.source = 5000, .destination = 53, .checksum = false}},
      {"udp_in",
       Ipv4{.source = kRemote, .destination = kPool} / Udp{.source = 53, .destination = 40000} / Data("answer")},
      {"udp_in_unknown", Ipv4{.source = kRemote, .destination = kPool} / Udp{.source = 53, .destination = 999}},
      {"tcp_syn_mss", Ipv4{.source = kInside, .destination = kRemote} /
                          Tcp{.source = 5001, .destination = 80, .flags = "S", .options = {2, 4, 5, 180, 1, 3, 3, 7}}},
      {"tcp_syn_mss_odd",
       Ipv4{.source = kInside, .destination = kRemote} /
           Tcp{.source = 5001, .destination = 80, .flags = "S", .options = {1, 2, 4, 5, 180, 0, 0, 0}}},
      {"tcp_ack_unknown", Ipv4{.source = kInside, .destination = kRemote} / Tcp{.source = 5002, .destination = 80}},
      {"tcp_in",
       Ipv4{.source = kRemote, .destination = kPool} / Tcp{.source = 80, .destination = 40000, .flags = "FA"}},
      {"tcp_reset_in",
       Ipv4{.source = kRemote, .destination = kPool} / Tcp{.source = 80, .destination = 40000, .flags = "R"}},
      {"echo_out", Ipv4{.source = kInside, .destination = kRemote} / IcmpQuery{.id = 77} / Data(56)},
      {"echo_reply_in", Ipv4{.source = kRemote, .destination = kPool} / IcmpQuery{.id = 40000, .type = 0} / Data(56)},
      {"echo_request_in", Ipv4{.source = kRemote, .destination = kPool} / IcmpQuery{.id = 40000}},
      {"timestamp_out", Ipv4{.source = kInside, .destination = kRemote} / IcmpQuery{.id = 77, .type = 13} / Data(12)},
      {"source_quench", Ipv4{.source = kRemote, .destination = kPool} / IcmpQuery{.id = 0, .type = 4}},
      {"error_udp", Ipv4{.source = "203.0.113.9", .destination = kPool} / IcmpError{.quoted_bytes = 8} / asked},
      {"error_udp_odd", Ipv4{.source = "203.0.113.9", .destination = kPool} / IcmpError{.quoted_bytes = 9} / asked},
      {"error_tcp",
       Ipv4{.source = "203.0.113.9", .destination = kPool} / IcmpError{.type = 11, .code = 0} / asked_by_tcp},
      {"error_tcp_short", Ipv4{.source = "203.0.113.9", .destination = kPool} /
                              IcmpError{.type = 11, .code = 0, .quoted_bytes = 8} / asked_by_tcp},
      {"error_echo", Ipv4{.source = "203.0.113.9", .destination = kPool} / IcmpError{.type = 11, .code = 0} / pinged},
      {"error_too_big", Ipv4{.source = "203.0.113.9", .destination = kPool} / IcmpError{.code = 4, .mtu = 68} / asked},
      {"error_nested", Ipv4{.source = "203.0.113.9", .destination = kPool} / IcmpError{} /
                           Packet(Ipv4{.source = kPool, .destination = kRemote} / IcmpError{} / asked)},
      {"error_out", Ipv4{.source = kOther, .destination = kRemote} / IcmpError{} / answered},
      {"error_out_from_router",
       Ipv4{.source = "10.1.2.3", .destination = kRemote} / IcmpError{.type = 11, .code = 0} / answered},
      {"hairpin",
       Ipv4{.source = kInside, .destination = kPool} / Udp{.source = 5000, .destination = 40000} / Data("h")},
      {"hairpin_unknown", Ipv4{.source = kInside, .destination = kPool} / Udp{.source = 5000, .destination = 9}},
      {"spoofed_inside", Ipv4{.source = "203.0.113.7", .destination = kRemote} / Udp{.source = 1, .destination = 2}},
      {"spoofed_outside", Ipv4{.source = kPool, .destination = kPool} / Udp{.source = 1, .destination = 2}},
      {"to_gateway", Ipv4{.source = kInside, .destination = "100.64.255.1"} / Udp{.source = 1, .destination = 53}},
      {"multicast", Ipv4{.source = kInside, .destination = "239.1.1.1"} / Udp{.source = 1, .destination = 2}},
      {"fragment_first",
       Ipv4{.source = kInside, .destination = kRemote, .dont_fragment = false, .more_fragments = true} /
           Udp{.source = 5000, .destination = 53} / Data(64)},
      {"fragment_later",
       Ipv4{.source = kRemote, .destination = kPool, .fragment_offset = 64, .protocol = std::uint8_t{17}} / Data(64)},
      {"options", Ipv4{.source = kInside, .destination = kRemote, .options = {7, 7, 4, 0, 0, 0, 0, 1}} /
                      Udp{.source = 5000, .destination = 53}},
      {"source_route", Ipv4{.source = kInside, .destination = kRemote, .options = {131, 7, 4, 1, 2, 3, 4, 0}} /
                           Udp{.source = 5000, .destination = 53}},
      {"gre", Ipv4{.source = kInside, .destination = kRemote, .protocol = std::uint8_t{47}} / Data(20)},
      {"ttl_one",
       Ipv4{.source = kInside, .destination = kRemote, .ttl = 1} / Udp{.source = 5000, .destination = 33434}},
  };
}

void write(const std::filesystem::path& folder, const std::string& name, std::uint8_t side, const Bytes& frame) {
  std::ofstream file(folder / name, std::ios::binary);
  file.put(static_cast<char>(side));
  file.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(frame.size()));
}

// A request for the pool's address, as a router on the link would ask.
Bytes arp_request() {
  Bytes frame = link_frame(
      Packet(Bytes{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 198, 51, 100, 253, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1}),
      0x0806);
  frame.resize(60);
  return frame;
}

Bytes tagged(const Bytes& frame) {
  Bytes more = frame;
  const Bytes tag = {0x81, 0x00, 0x00, 0x0a};
  more.insert(more.begin() + 12, tag.begin(), tag.end());
  return more;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: make_frame_corpus FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  for (const auto& [name, packet] : packets()) {
    const Bytes frame = link_frame(packet);
    write(folder, name + "_inside", 0, frame);
    write(folder, name + "_outside", 1, frame);
    write(folder, name + "_cut", 1,
          Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(frame.size() - 5)));
  }
  write(folder, "arp_request", 1, arp_request());
  write(folder, "arp_request_inside", 0, arp_request());
  write(folder, "vlan_tag", 0, tagged(link_frame(packets().front().second)));
  write(folder, "ipv6", 0, link_frame(Packet(Bytes(48, 0x60)), 0x86dd));
  return 0;
}
