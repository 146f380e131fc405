// worker.h - what the slow path's thread does: a frame comes in, what it completes goes on. Everything here belongs to
// that one thread; what others have to say comes as Orders, what it has to tell goes as values.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "datapath/slow_path_program.h"
#include "events/event.h"
#include "slowpath/batch.h"
#include "slowpath/figures.h"
#include "slowpath/icmp_error.h"
#include "slowpath/kernel_way.h"
#include "slowpath/limit_reports.h"
#include "slowpath/xsk_ring.h"

namespace apnat {

// Which side a device is on. One that has both sides leaves it to the source address.
struct DeviceRole {
  bool internal = false;
  bool external = false;
};

// Where subscribers are, and whose they are.
struct InternalPrefix {
  Prefix prefix;
  std::string pool;
};

// What the control thread tells the worker; what is not set stays as it is.
struct Orders {
  std::optional<SlowPathProgram> program = {};
  std::optional<FragmentsConfig> fragments = {};
  std::optional<std::map<std::uint32_t, DeviceRole>> roles = {};    // by device
  std::optional<std::vector<InternalPrefix>> internal = {};         // sorted, disjoint
  std::optional<std::map<std::uint32_t, Ip4>> own_addresses = {};   // by interface
  std::optional<std::vector<std::shared_ptr<XskRing>>> rings = {};  // all there are
};

class SlowPathWorker {
 public:
  static constexpr std::uint32_t kFrames = 64;

  SlowPathWorker(const FragmentsConfig& config, KernelWay kernel, const Clock& clock);

  void follow(Orders orders);
  // One turn: what waits in the socket, up to kFrames; and what that completes goes out.
  void serve(XskRing& ring);
  // Ten times a second: gives up what has waited too long.
  void tick();

  const std::vector<std::shared_ptr<XskRing>>& rings() const { return rings_; }
  WorkerFigures figures() const;
  std::vector<EventBody> take_events() { return std::exchange(events_, {}); }

 private:
  void accept(Bytes frame, const XskRing& ring);
  void report(const QuotaHit& hit);
  const InternalPrefix* find_internal(Ip4 address) const;
  enum realm realm_of(Bytes frame, std::uint32_t device) const;
  bool answer_cut_short(Bytes frame, const Arrival& arrival);
  void add_whole(Bytes frame, const Arrival& arrival);
  void add(const Original& original);
  void finish_batch();
  std::uint32_t translate_batch();
  MutableBytes put_translated(const Original& original, const slow_path_datagram& answer);
  void dispose(const Original& original, const slow_path_datagram& answer);
  void tell_too_big(const Original& original, const slow_path_datagram& answer);
  void send(const Original& original, const slow_path_datagram& answer);
  void send_by_kernel(const Original& original, const slow_path_datagram& answer);
  void tell_sender(IcmpError error, const Original& original, std::uint32_t interface, std::uint32_t mtu);
  XskRing* ring_of(std::uint32_t device, std::uint32_t queue) const;
  void begin_laps();
  void lap(Stage stage);  // the time since the last lap was spent on `stage`

  const Clock& clock_;
  Reassembler reassembler_;
  IcmpLimiter limiter_;
  KernelWay kernel_;
  LimitReports reports_;
  std::optional<SlowPathProgram> program_;
  FragmentsConfig config_;
  std::map<std::uint32_t, DeviceRole> roles_;
  std::vector<InternalPrefix> internal_;
  std::map<std::uint32_t, Ip4> own_addresses_;
  std::vector<std::shared_ptr<XskRing>> rings_;
  std::vector<XskRing*> touched_;  // have something in line
  Batch batch_;
  SlowPathCounters counters_;
  std::array<std::uint64_t, 4> stage_ns_{};
  std::uint64_t now_ns_ = 0;  // when the turn began
  std::uint64_t lap_ns_ = 0;
  std::uint64_t turns_ = 0;
  bool measures_ = false;  // this turn
  std::vector<EventBody> events_;
};

}  // namespace apnat
