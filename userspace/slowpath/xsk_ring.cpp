// xsk_ring.cpp - libxdp's socket and rings, and the kernel's habits with them.
#include "slowpath/xsk_ring.h"

#include <fmt/format.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

namespace apnat {
namespace {

// Of newer kernels than this machine's headers.
constexpr std::uint16_t kUseSeveralBuffers = 1 << 4;  // XDP_USE_SG
constexpr std::uint32_t kMoreToCome = 1 << 0;         // XDP_PKT_CONTD
constexpr std::size_t kMostJoined = 65535 + 64;
constexpr int kSendBuffer = 16 << 20;
// In copy mode one call sends 32 frames at most.
constexpr int kMostKicks = 64;

}  // namespace

Result<std::shared_ptr<XskRing>> XskRing::open(const Place& place) {
  std::shared_ptr<XskRing> ring(new XskRing);
  ring->place_ = place;
  ring->area_bytes_ = std::size_t{2} * place.frames * kFrameBytes;
  void* area = ::mmap(nullptr, ring->area_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return fail(errno, "get memory for AF_XDP frames");
  ring->area_ = area;

  const std::string what = fmt::format("open an AF_XDP socket on {} queue {}", place.device, place.queue);
  const xsk_umem_config memory{
      .fill_size = place.frames, .comp_size = place.frames, .frame_size = kFrameBytes, .frame_headroom = 0, .flags = 0};
  if (int error = xsk_umem__create(&ring->umem_, area, ring->area_bytes_, &ring->fill_, &ring->completion_, &memory)) {
    return fail(-error, what);
  }
  xsk_socket_config socket{};
  socket.rx_size = socket.tx_size = place.frames;
  socket.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
  socket.bind_flags = static_cast<__u16>(XDP_USE_NEED_WAKEUP | (place.several_buffers ? kUseSeveralBuffers : 0) |
                                         (place.native ? 0 : XDP_COPY));
  if (int error = xsk_socket__create(&ring->socket_, place.device.c_str(), place.queue, ring->umem_, &ring->rx_,
                                     &ring->tx_, &socket)) {
    return fail(-error, what);
  }
  xdp_options options{};
  socklen_t size = sizeof(options);
  ring->zero_copy_ = ::getsockopt(ring->fd(), SOL_XDP, XDP_OPTIONS, &options, &size) == 0 &&
                     (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
  ::setsockopt(ring->fd(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof(kSendBuffer));

  ring->returned_.resize(place.frames);
  for (std::uint32_t n = 0; n < place.frames; ++n) {
    ring->returned_[n] = std::uint64_t{n} * kFrameBytes;
    ring->free_.push_back(std::uint64_t{place.frames + n} * kFrameBytes);
  }
  ring->joined_.reserve(kMostJoined);
  std::uint32_t index = 0;
  xsk_ring_prod__reserve(&ring->fill_, place.frames, &index);
  for (std::uint32_t n = 0; n < place.frames; ++n)
    *xsk_ring_prod__fill_addr(&ring->fill_, index + n) = ring->returned_[n];
  xsk_ring_prod__submit(&ring->fill_, place.frames);
  return ring;
}

XskRing::~XskRing() {
  if (socket_) xsk_socket__delete(socket_);
  if (umem_) xsk_umem__delete(umem_);
  if (area_) ::munmap(area_, area_bytes_);
}

bool XskRing::is_dead() const {
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == ENETDOWN;
}

SocketLosses XskRing::statistics() const {
  xdp_statistics told{};
  socklen_t size = sizeof(told);
  if (::getsockopt(fd(), SOL_XDP, XDP_STATISTICS, &told, &size) != 0) return {};
  return {.rx_dropped = told.rx_dropped,
          .rx_ring_full = told.rx_ring_full,
          .fill_ring_empty = told.rx_fill_ring_empty_descs};
}

// The frame that ends with this piece; empty: more is to come.
Bytes XskRing::join(const xdp_desc& piece) {
  const Bytes bytes(at(piece.addr), piece.len);
  const bool more = piece.options & kMoreToCome;
  if (!more && joined_.empty()) return bytes;
  if (joined_.size() + bytes.size() <= kMostJoined) joined_.insert(joined_.end(), bytes.begin(), bytes.end());
  if (more) return {};
  const Bytes whole(joined_.data(), joined_.size());
  joined_.clear();  // what it held stays where it is until the next piece comes
  return whole;
}

void XskRing::release() {
  const std::uint32_t count = std::exchange(received_, 0);
  if (count) give_back(count);
  note_taken(count);
}

// There is room in the ring: it has as many places as there are frames.
void XskRing::give_back(std::uint32_t count) {
  std::uint32_t index = 0;
  if (xsk_ring_prod__reserve(&fill_, count, &index) != count) return;
  for (std::uint32_t n = 0; n < count; ++n) *xsk_ring_prod__fill_addr(&fill_, index + n) = returned_[n];
  xsk_ring_prod__submit(&fill_, count);
  xsk_ring_cons__release(&rx_, count);
  if (xsk_ring_prod__needs_wakeup(&fill_)) ::recvfrom(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
}

// With the ring empty nothing waits, whatever the counts say: what the ring had no room for was counted as punted. A
// batch that was not full says nothing of that: libxdp looks at its own copy of the ring's end first. And what was
// punted is read before the look, because this thread may stand still after it.
void XskRing::note_taken(std::uint32_t count) {
  xsk_backlog* backlog = backlog_.load(std::memory_order_acquire);
  if (!backlog) return;
  const std::uint32_t punted = std::atomic_ref(backlog->punted).load();
  const std::atomic_ref taken(backlog->taken);
  taken.store(xsk_cons_nb_avail(&rx_, 1) == 0 ? punted : taken.load() + count, std::memory_order_relaxed);
}

void XskRing::reclaim() {
  std::uint32_t index = 0;
  const std::uint32_t done = xsk_ring_cons__peek(&completion_, completion_.size, &index);
  for (std::uint32_t n = 0; n < done; ++n) {
    const std::uint64_t address = *xsk_ring_cons__comp_addr(&completion_, index + n);
    // What can_send() has asked with is no frame; newer kernels give it back, too.
    if (address < area_bytes_) free_.push_back(address);
  }
  if (done) xsk_ring_cons__release(&completion_, done);
}

bool XskRing::is_refusing_nonsense() const {
  xdp_statistics told{};
  socklen_t size = sizeof(told);
  return ::getsockopt(fd(), SOL_XDP, XDP_STATISTICS, &told, &size) == 0 && told.tx_invalid_descs > 0;
}

// Asked with a descriptor that points nowhere: who sends refuses it, and counts that. While the interface is down there
// is no answer, and frames may wait.
bool XskRing::can_send() {
  if (zero_copy_) return true;
  if (sends_ == Sends::kYes || sends_ == Sends::kNo) return sends_ == Sends::kYes;
  std::uint32_t index = 0;
  if (sends_ == Sends::kUnknown) {
    if (xsk_ring_prod__reserve(&tx_, 1, &index) != 1) return true;
    *xsk_ring_prod__tx_desc(&tx_, index) = xdp_desc{.addr = area_bytes_, .len = 1, .options = 0};
    xsk_ring_prod__submit(&tx_, 1);
    sends_ = Sends::kAsked;
  }
  const bool answered = ::sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0;
  if (is_refusing_nonsense()) {
    sends_ = Sends::kYes;
  } else if (answered) {
    sends_ = Sends::kNo;
  }
  return sends_ != Sends::kNo;
}

bool XskRing::send(Bytes headers, Bytes payload) {
  if (headers.size() + payload.size() > kFrameBytes) return false;
  if (free_.empty()) reclaim();
  if (free_.empty()) flush();
  std::uint32_t index = 0;
  if (free_.empty() || xsk_ring_prod__reserve(&tx_, 1, &index) != 1) return false;
  const std::uint64_t address = free_.back();
  free_.pop_back();
  std::memcpy(at(address), headers.data(), headers.size());
  std::memcpy(at(address) + headers.size(), payload.data(), payload.size());
  *xsk_ring_prod__tx_desc(&tx_, index) =
      xdp_desc{.addr = address, .len = static_cast<__u32>(headers.size() + payload.size()), .options = 0};
  ++in_line_;
  return true;
}

// While the interface is down what is in line stays there, and what comes after it finds no memory.
void XskRing::flush() {
  if (in_line_) xsk_ring_prod__submit(&tx_, std::exchange(in_line_, 0));
  if (free_.size() == place_.frames) return;
  // Behind the question, which may have waited for the interface: a call ends where a descriptor is refused.
  if (sends_ == Sends::kAsked) can_send();
  for (int kick = 0; kick < kMostKicks && xsk_ring_prod__needs_wakeup(&tx_); ++kick) {
    if (::sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0) break;
    if (errno != EAGAIN && errno != EBUSY && errno != EINTR) break;
  }
  reclaim();
}

}  // namespace apnat
