// traffic.h - packets through the loaded translator, one at a time, without a wire:
// BPF_PROG_TEST_RUN of what is pinned.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstring>

#include "base/unique_fd.h"
#include "datapath/datapath.h"

namespace apnat::test {

// Sends a UDP datagram from a subscriber into `in`.
class Subscriber {
 public:
  explicit Subscriber(const std::filesystem::path& bpffs) : program_(::bpf_obj_get((bpffs / "apnat").c_str())) {
    REQUIRE(program_);
  }

  void send_udp(Endpoint from, Endpoint to) const {
    std::array<unsigned char, 60> frame{};
    frame[12] = 0x08;
    unsigned char* ip = frame.data() + 14;
    const std::array<unsigned char, 12> start = {0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0};
    std::memcpy(ip, start.data(), start.size());
    const std::uint32_t source = from.address.network(), destination = to.address.network();
    std::memcpy(ip + 12, &source, 4);
    std::memcpy(ip + 16, &destination, 4);
    const std::uint16_t checksum = header_checksum(ip);
    std::memcpy(ip + 10, &checksum, 2);
    const std::array<std::uint16_t, 4> udp = {htons(from.port), htons(to.port), htons(26), 0};
    std::memcpy(ip + 20, udp.data(), sizeof(udp));
    run(frame);
  }

 private:
  static std::uint16_t header_checksum(const unsigned char* ip) {
    std::uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2) sum += ip[i] << 8 | ip[i + 1];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return htons(static_cast<std::uint16_t>(~sum));
  }

  void run(const std::array<unsigned char, 60>& frame) const {
    xdp_md context{};
    context.data_end = frame.size();
    context.ingress_ifindex = ::if_nametoindex("in");
    std::array<unsigned char, 256> out{};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = out.data(),
                .data_size_in = static_cast<__u32>(frame.size()), .data_size_out = static_cast<__u32>(out.size()),
                .ctx_in = &context, .ctx_size_in = sizeof(context));
    REQUIRE(::bpf_prog_test_run_opts(program_.get(), &options) == 0);
  }

  UniqueFd program_;
};

inline std::vector<MappingView> mappings_of(const Datapath& datapath, const Filter& filter = {}) {
  std::vector<MappingView> all;
  datapath.mappings(filter, [&](const MappingView& view) {
    all.push_back(view);
    return true;
  });
  return all;
}

inline std::vector<BlockView> blocks_of(const Datapath& datapath, const Filter& filter = {}) {
  std::vector<BlockView> all;
  datapath.blocks(filter, [&](const BlockView& view) {
    all.push_back(view);
    return true;
  });
  return all;
}

template <typename Body>
std::vector<Body> only(const std::vector<EventBody>& events) {
  std::vector<Body> found;
  for (const EventBody& event : events) {
    if (const auto* body = std::get_if<Body>(&event)) found.push_back(*body);
  }
  return found;
}

}  // namespace apnat::test
