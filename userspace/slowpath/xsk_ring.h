// xsk_ring.h - one AF_XDP socket: what a receive queue of a device punts comes in here, and what the slow path sends by
// that device goes out. Owns the socket, its memory and its four rings; knows nothing of what is in a frame.
//
// Each socket has memory of its own. Shared memory would bind all of them to the first one's device: to its mode (zero
// copy or not), and to its life.
#pragma once

#include <xdp/xsk.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "apnat/tables.h"
#include "base/result.h"
#include "slowpath/figures.h"
#include "slowpath/wire.h"

namespace apnat {

class XskRing {
 public:
  static constexpr std::uint32_t kFrameBytes = 4096;

  struct Place {
    std::uint32_t ifindex = 0;
    std::string device;
    std::uint32_t queue = 0;
    bool native = false;           // XDP runs in the driver, so it may have zero copy
    bool several_buffers = false;  // frames of more than one buffer come in too
    std::uint32_t frames = 2048;   // each way; a power of two
  };

  // Code EBUSY: another socket has the queue (one that died a moment ago, too); EINVAL: there is no such queue.
  static Result<std::shared_ptr<XskRing>> open(const Place& place);
  ~XskRing();
  XskRing(const XskRing&) = delete;
  XskRing& operator=(const XskRing&) = delete;

  const Place& place() const { return place_; }
  int fd() const { return xsk_socket__fd(socket_); }
  bool is_zero_copy() const { return zero_copy_; }
  // The device is gone. Asked once: the socket tells it once.
  bool is_dead() const;
  SocketLosses statistics() const;
  // From now on `backlog` says how much has been taken from here. Its owner keeps it for as long as this lives.
  void tell_backlog(xsk_backlog* backlog) { backlog_.store(backlog, std::memory_order_release); }

  // Calls `each` with up to `at_most` frames; their bytes are good during the call. Returns how many there were. One
  // release() follows each receive().
  template <typename Each>
  std::size_t receive(std::uint32_t at_most, Each each) {
    std::uint32_t index = 0;
    const std::uint32_t count = xsk_ring_cons__peek(&rx_, at_most, &index);
    std::size_t frames = 0;
    for (std::uint32_t n = 0; n < std::min(count, kAhead); ++n) fetch(index + n);
    for (std::uint32_t n = 0; n < count; ++n) {
      if (n + kAhead < count) fetch(index + n + kAhead);
      const xdp_desc* piece = xsk_ring_cons__rx_desc(&rx_, index + n);
      returned_[n] = piece->addr & ~std::uint64_t{kFrameBytes - 1};
      if (const Bytes frame = join(*piece); !frame.empty()) each(frame), ++frames;
    }
    received_ = count;
    return frames;
  }
  // What was received is the kernel's again.
  void release();

  // A device may have queues that only receive: virtio_net keeps some of those that send for XDP. Frames put in line
  // there are never sent, and nobody says so.
  bool can_send();
  // Puts one frame in line. False: no memory for it now.
  bool send(Bytes headers, Bytes payload);
  // What is in line goes out.
  void flush();

 private:
  XskRing() = default;
  // A frame's headers were in no cache since its buffer was last used: asked for while others are worked on.
  static constexpr std::uint32_t kAhead = 4;
  void fetch(std::uint32_t index) { __builtin_prefetch(at(xsk_ring_cons__rx_desc(&rx_, index)->addr)); }
  Bytes join(const xdp_desc& piece);
  void give_back(std::uint32_t count);
  void note_taken(std::uint32_t count);
  bool is_refusing_nonsense() const;
  void reclaim();
  std::uint8_t* at(std::uint64_t address) const { return static_cast<std::uint8_t*>(area_) + address; }

  Place place_;
  void* area_ = nullptr;
  std::size_t area_bytes_ = 0;
  xsk_umem* umem_ = nullptr;
  xsk_socket* socket_ = nullptr;
  // Zeroed before use: libxdp 1.3 leaves the cached indices as they are.
  xsk_ring_prod fill_{};
  xsk_ring_cons completion_{};
  xsk_ring_cons rx_{};
  xsk_ring_prod tx_{};
  std::vector<std::uint64_t> free_;      // frames for sending
  std::vector<std::uint64_t> returned_;  // of one receive()
  std::uint32_t received_ = 0;           // so many of them
  std::vector<std::uint8_t> joined_;     // a frame of several buffers, so far
  std::uint32_t in_line_ = 0;
  std::atomic<xsk_backlog*> backlog_{nullptr};  // set by another thread
  bool zero_copy_ = false;
  enum class Sends { kUnknown, kAsked, kYes, kNo } sends_ = Sends::kUnknown;
};

}  // namespace apnat
