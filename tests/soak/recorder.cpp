// recorder.cpp - a packet socket whose ring is shared with the kernel (TPACKET_V3).
#include "recorder.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <fstream>

namespace apnat::soak {
namespace {

constexpr unsigned kBlockBytes = 1 << 20;
constexpr unsigned kBlocks = 128;
// A pause in which a lease may have ended and another of the same subscriber begun.
constexpr std::int64_t kAnotherNs = 1'000'000'000;

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::start(UniqueFd socket, std::uint32_t leases) {
  std::unique_ptr<Recorder> recorder(new Recorder(std::move(socket), leases));
  TRY_VOID(recorder->map_ring());
  recorder->thread_ = std::thread([&here = *recorder] { here.watch(); });
  return recorder;
}

Recorder::~Recorder() {
  if (thread_.joinable()) stop();
  if (ring_) ::munmap(ring_, std::size_t{kBlockBytes} * kBlocks);
}

Result<void> Recorder::map_ring() {
  const int version = TPACKET_V3;
  if (::setsockopt(socket_.get(), SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0)
    return fail(errno, "ask for TPACKET_V3");
  tpacket_req3 wish{};
  wish.tp_block_size = kBlockBytes;
  wish.tp_block_nr = kBlocks;
  wish.tp_frame_size = 2048;
  wish.tp_frame_nr = kBlockBytes / wish.tp_frame_size * kBlocks;
  wish.tp_retire_blk_tov = 5;
  if (::setsockopt(socket_.get(), SOL_PACKET, PACKET_RX_RING, &wish, sizeof(wish)) != 0)
    return fail(errno, "make the recorder's ring");
  void* ring =
      ::mmap(nullptr, std::size_t{kBlockBytes} * kBlocks, PROT_READ | PROT_WRITE, MAP_SHARED, socket_.get(), 0);
  if (ring == MAP_FAILED) return fail(errno, "map the recorder's ring");
  ring_ = static_cast<std::uint8_t*>(ring);
  return {};
}

void Recorder::watch() {
  for (unsigned block = 0;; block = (block + 1) % kBlocks) {
    auto* head = reinterpret_cast<tpacket_block_desc*>(ring_ + std::size_t{block} * kBlockBytes);
    std::atomic_ref status(head->hdr.bh1.block_status);
    while (!(status.load(std::memory_order_acquire) & TP_STATUS_USER)) {
      if (stopping_) return;
      pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      ::poll(&wait, 1, 50);
    }
    const auto* packet = reinterpret_cast<const std::uint8_t*>(head) + head->hdr.bh1.offset_to_first_pkt;
    for (unsigned i = 0; i < head->hdr.bh1.num_pkts; ++i) {
      const auto* about = reinterpret_cast<const tpacket3_hdr*>(packet);
      look_at(packet + about->tp_mac, about->tp_snaplen, std::int64_t{about->tp_sec} * 1'000'000'000 + about->tp_nsec);
      packet += about->tp_next_offset;
    }
    status.store(TP_STATUS_KERNEL, std::memory_order_release);
  }
}

void Recorder::look_at(const std::uint8_t* frame, std::size_t length, std::int64_t time_ns) {
  struct Headers {
    ether_header ethernet;
    iphdr ip;
    udphdr udp;
    Payload payload;
  } __attribute__((packed)) packet{};
  std::memcpy(&packet, frame, std::min(length, sizeof(packet)));
  const Payload payload = packet.payload;
  if (length < sizeof(packet) || packet.ip.protocol != IPPROTO_UDP || packet.udp.dest != htons(kRemotePort) ||
      payload.magic != kMagic || payload.lease >= seen_.size()) {
    ++figures_.others;
    return;
  }
  ++figures_.packets;
  const std::uint32_t address = ntohl(packet.ip.saddr);
  const std::uint32_t first_port = ntohs(packet.udp.source) / kPortsABlock * kPortsABlock;
  const auto [latest, is_new] = latest_.try_emplace(std::uint64_t{address} << 16 | first_port, 0);
  if (is_new || sightings_[latest->second].lease != payload.lease ||
      time_ns > sightings_[latest->second].last_ns + kAnotherNs) {
    latest->second = sightings_.size();
    sightings_.push_back({address, first_port, payload.subscriber, payload.lease, time_ns, time_ns, 0});
  }
  Sighting& sighting = sightings_[latest->second];
  sighting.last_ns = time_ns;
  ++sighting.packets;
  if (!seen_[payload.lease].exchange(true, std::memory_order_acq_rel)) ++seen_count_;
}

Recorder::Figures Recorder::stop() {
  stopping_ = true;
  thread_.join();
  tpacket_stats_v3 statistics{};
  socklen_t size = sizeof(statistics);
  if (::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0)
    figures_.dropped = statistics.tp_drops;
  return figures_;
}

Result<void> Recorder::write(const std::filesystem::path& file) const {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(sightings_.data()),
            static_cast<std::streamsize>(sightings_.size() * sizeof(Sighting)));
  out.flush();
  if (!out) return fail(EIO, "write " + file.string());
  return {};
}

}  // namespace apnat::soak
