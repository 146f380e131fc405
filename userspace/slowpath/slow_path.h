// slow_path.h - the door: the thread that puts fragments together and sends what becomes of them, and the sockets it
// listens to. A thread of its own, because the control thread may sweep millions of mappings while fragments wait.
//
// The control thread owns this object; it never waits for the other one, nor that one for it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "base/event_loop.h"
#include "datapath/datapath.h"
#include "slowpath/worker.h"

namespace apnat {

class SlowPath {
 public:
  // The thread runs; it has nothing to listen to before keep_up().
  static Result<std::unique_ptr<SlowPath>> start(const FragmentsConfig& config);
  ~SlowPath();  // stops it; what is being put together is lost

  // Devices come and go, programs are loaded anew, the configuration changes: about once a second, and after each
  // change of plan, the thread gets what it has to know. `datapath` outlives this.
  void keep_up(Datapath& datapath, const Plan& plan);

  // What is to be told since the last call; none where the thread is just writing.
  std::vector<EventBody> take_events();

  // May be called in a child process of this one.
  SlowPathFigures figures() const;

 private:
  SlowPath(const FragmentsConfig& config, KernelWay kernel, UniqueFd wake);

  // The thread's.
  void run();
  Result<void> serve(EventLoop& loop);
  std::optional<Orders> take_orders();
  void publish();

  // The control thread's.
  void hand_over(Orders orders);
  void keep_sockets(Datapath& datapath, Orders& orders);
  Result<void> place_sockets(Datapath& datapath, std::uint32_t device, std::span<const int> by_queue);
  bool drop_sockets(const std::vector<DeviceView>& devices);
  bool open_missing(const DeviceView& device, bool several_buffers, std::string& complaint);

  SystemClock clock_;
  SlowPathWorker worker_;  // the thread's
  UniqueFd wake_;

  // Between the two.
  std::mutex mutex_;
  Orders orders_;
  std::vector<EventBody> events_;
  std::atomic<bool> stopped_{false};
  // Written in turn, so that the one that is shown stands still for as long as a reader may need.
  std::array<WorkerFigures, 2> shown_{};
  std::atomic<unsigned> shown_now_{0};

  // The control thread's.
  std::vector<std::shared_ptr<XskRing>> rings_;
  std::map<std::uint32_t, std::vector<int>> placed_;  // device -> sockets in its row
  SocketLosses of_closed_;                            // what sockets that are gone had lost
  std::uint64_t generation_ = 0;
  FragmentsConfig config_;
  std::string complaint_;
  std::thread thread_;
};

}  // namespace apnat
