// slow_path.cpp - the thread and its loop, and on the other side who tells it what has changed.
#include "slowpath/slow_path.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "net/interface.h"

namespace apnat {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);
// Where a driver does not say how many queues it has, they are tried until one is refused.
constexpr std::uint32_t kMostQueues = 64;

// Memory of a device's sockets: 16 MiB each for a few queues, less for many.
std::uint32_t frames_for(std::uint32_t queues) {
  if (queues <= 4) return 2048;
  return queues <= 16 ? 1024 : 512;
}

void ring_bell(int bell) {
  const std::uint64_t one = 1;
  (void)!::write(bell, &one, sizeof(one));
}

// The address that answers come from: an interface's own, else any that is not loopback's.
std::map<std::uint32_t, Ip4> own_addresses(const Plan& plan) {
  std::map<std::uint32_t, Ip4> own;
  const auto there = network_interfaces();
  const auto addresses = local_addresses();
  if (!there || !addresses) return own;
  std::optional<Ip4> any;
  for (const LocalAddress& here : *addresses) {
    if (here.address.value() >> 24 == 127) continue;
    own.emplace(here.ifindex, here.address);
    if (!any) any = here.address;
  }
  for (const PlannedInterface& planned : plan.interfaces) {
    const NetworkInterface* interface = find_interface(*there, planned.name);
    if (interface && any) own.emplace(interface->ifindex, *any);
  }
  return own;
}

std::vector<InternalPrefix> internal_prefixes(const Plan& plan) {
  std::vector<InternalPrefix> all;
  for (const PlannedPool& pool : plan.pools) {
    for (const Prefix& prefix : pool.internal) all.push_back({prefix, pool.name});
  }
  std::ranges::sort(all, {}, [](const InternalPrefix& one) { return one.prefix.first(); });
  return all;
}

// A later order takes the place of the same one before.
void merge(Orders& into, Orders&& later) {
  if (later.program) into.program = std::move(later.program);
  if (later.fragments) into.fragments = later.fragments;
  if (later.roles) into.roles = std::move(later.roles);
  if (later.internal) into.internal = std::move(later.internal);
  if (later.own_addresses) into.own_addresses = std::move(later.own_addresses);
  if (later.rings) into.rings = std::move(later.rings);
}

}  // namespace

Result<std::unique_ptr<SlowPath>> SlowPath::start(const FragmentsConfig& config) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail(errno, "make an eventfd");
  std::unique_ptr<SlowPath> path(new SlowPath(config, TRY(KernelWay::open()), std::move(wake)));
  // Signals are the control thread's.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  path->thread_ = std::thread([running = path.get()] { running->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(path->thread_.native_handle(), "slow-path");
  return path;
}

SlowPath::SlowPath(const FragmentsConfig& config, KernelWay kernel, UniqueFd wake)
    : worker_(config, std::move(kernel), clock_), wake_(std::move(wake)), config_(config) {}

SlowPath::~SlowPath() {
  stopped_ = true;
  ring_bell(wake_.get());
  if (thread_.joinable()) thread_.join();
}

// ---- the thread ---------------------------------------------------------------------------

void SlowPath::run() {
  auto loop = EventLoop::open();
  Result<void> went = {};
  if (loop) {
    went = serve(*loop);
  } else {
    went = std::unexpected(loop.error());
  }
  if (!went) log_error("the slow path has stopped, fragments are lost: " + went.error().text);
}

Result<void> SlowPath::serve(EventLoop& loop) {
  std::set<int> watched;
  TRY_VOID(loop.watch(wake_.get(), EPOLLIN, [](std::uint32_t) {}));
  TRY(loop.every(kTick, [this] {
    worker_.tick();
    publish();
  }));
  while (!stopped_) {
    if (auto orders = take_orders()) {
      const bool other_rings = orders->rings.has_value();
      if (other_rings) {
        for (int fd : watched) loop.forget(fd);
        watched.clear();
      }
      worker_.follow(std::move(*orders));
      for (const auto& ring : worker_.rings()) {
        if (!watched.insert(ring->fd()).second) continue;
        TRY_VOID(loop.watch(ring->fd(), EPOLLIN, [this, &ring = *ring](std::uint32_t) { worker_.serve(ring); }));
      }
    }
    TRY(loop.turn(std::chrono::seconds(1)));
  }
  return {};
}

std::optional<Orders> SlowPath::take_orders() {
  std::uint64_t rings = 0;
  if (::read(wake_.get(), &rings, sizeof(rings)) != sizeof(rings)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  return std::exchange(orders_, {});
}

// Nobody waits: if the other side is at it, these events go with the next turn.
void SlowPath::publish() {
  const unsigned next = shown_now_.load(std::memory_order_relaxed) ^ 1U;
  shown_[next] = worker_.figures();
  shown_now_.store(next, std::memory_order_release);
  if (!mutex_.try_lock()) return;
  const std::lock_guard lock(mutex_, std::adopt_lock);
  if (events_.empty()) events_ = worker_.take_events();
}

// ---- the control thread ---------------------------------------------------------------------

void SlowPath::hand_over(Orders orders) {
  {
    const std::lock_guard lock(mutex_);
    merge(orders_, std::move(orders));
  }
  ring_bell(wake_.get());
}

std::vector<EventBody> SlowPath::take_events() {
  const std::lock_guard lock(mutex_);
  return std::exchange(events_, {});
}

void SlowPath::keep_up(Datapath& datapath, const Plan& plan) {
  Orders orders;
  if (generation_ != datapath.program_generation()) {
    auto program = datapath.slow_path_program();
    if (program) {
      generation_ = datapath.program_generation();
      orders.program = std::move(*program);
    } else {
      log_error("the slow path keeps the old program: " + program.error().text);
    }
  }
  const FragmentsConfig& wanted = plan.config.fragments;
  if (wanted.memory != config_.memory || wanted.timeout != config_.timeout || wanted.overlap != config_.overlap ||
      wanted.per_source != config_.per_source) {
    orders.fragments = config_ = wanted;
  }
  orders.internal = internal_prefixes(plan);
  orders.own_addresses = own_addresses(plan);
  keep_sockets(datapath, orders);
  hand_over(std::move(orders));
}

void SlowPath::keep_sockets(Datapath& datapath, Orders& orders) {
  const std::vector<DeviceView> devices = datapath.devices();
  const bool several_buffers = datapath.options().punt_several_buffers;
  std::map<std::uint32_t, DeviceRole> roles;
  std::string complaint;
  bool changed = drop_sockets(devices);
  for (const DeviceView& device : devices) {
    roles[device.ifindex] = {.internal = device.internal, .external = device.external};
    changed |= open_missing(device, several_buffers, complaint);
    std::vector<int> by_queue;
    for (const auto& ring : rings_) {
      if (ring->place().ifindex != device.ifindex) continue;
      if (ring->place().queue == by_queue.size()) by_queue.push_back(ring->fd());
    }
    if (placed_[device.ifindex] == by_queue) continue;
    if (const auto placed = place_sockets(datapath, device.ifindex, by_queue); !placed) {
      complaint = placed.error().text;
    } else {
      placed_[device.ifindex] = by_queue;
    }
  }
  orders.roles = std::move(roles);
  if (changed) orders.rings = rings_;
  if (complaint != complaint_ && !complaint.empty()) log_warning("slow path: " + complaint);
  complaint_ = std::move(complaint);
}

Result<void> SlowPath::place_sockets(Datapath& datapath, std::uint32_t device, std::span<const int> by_queue) {
  const auto ours = std::ranges::find(rings_, device, [](const auto& ring) { return ring->place().ifindex; });
  const std::uint32_t room = ours == rings_.end() ? 0 : (*ours)->place().frames;
  auto ring = ours;
  for (xsk_backlog& backlog : TRY(datapath.set_sockets(device, by_queue, room))) (*ring++)->tell_backlog(&backlog);
  return {};
}

// Of devices that are gone (or came back under their old number), of queues that are no more.
bool SlowPath::drop_sockets(const std::vector<DeviceView>& devices) {
  const auto is_over = [&](const std::shared_ptr<XskRing>& ring) {
    const auto device = std::ranges::find(devices, ring->place().ifindex, &DeviceView::ifindex);
    const bool stays =
        device != devices.end() && ring->place().queue < device->rx_queues.value_or(kMostQueues) && !ring->is_dead();
    if (stays) return false;
    of_closed_ += ring->statistics();
    placed_.erase(ring->place().ifindex);
    return true;
  };
  return std::erase_if(rings_, is_over) != 0;
}

bool SlowPath::open_missing(const DeviceView& device, bool several_buffers, std::string& complaint) {
  bool opened = false;
  const std::uint32_t queues = std::max(1U, device.rx_queues.value_or(kMostQueues));
  for (std::uint32_t queue = 0; queue < queues; ++queue) {
    const auto has = [&](const std::shared_ptr<XskRing>& ring) {
      return ring->place().ifindex == device.ifindex && ring->place().queue == queue;
    };
    if (std::ranges::any_of(rings_, has)) continue;
    auto ring = XskRing::open({.ifindex = device.ifindex,
                               .device = device.name,
                               .queue = queue,
                               .native = device.native,
                               .several_buffers = several_buffers,
                               .frames = frames_for(queues)});
    if (!ring) {
      const bool was_a_guess = !device.rx_queues && queue > 0;
      if (!was_a_guess) complaint = ring.error().text;
      break;
    }
    rings_.push_back(std::move(*ring));
    opened = true;
  }
  std::ranges::sort(rings_, {}, [](const auto& ring) { return std::pair(ring->place().ifindex, ring->place().queue); });
  return opened;
}

SlowPathFigures SlowPath::figures() const {
  SlowPathFigures figures;
  figures.worker = shown_[shown_now_.load(std::memory_order_acquire)];
  figures.complaint = complaint_;
  figures.lost = of_closed_;
  for (const auto& ring : rings_) {
    figures.sockets.push_back({ring->place().device, ring->place().queue, ring->is_zero_copy()});
    figures.lost += ring->statistics();
  }
  return figures;
}

}  // namespace apnat
