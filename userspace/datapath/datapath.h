// datapath.h - the door to the data plane: the loaded program, its tables and
// where it is attached. The only room that knows libbpf and libxdp.
//
// Everything here outlives the agent: programs and tables are pinned, and the
// next agent adopts them with every mapping in place.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apnat/events.h"
#include "apnat/verdict.h"
#include "base/result.h"
#include "config/plan.h"
#include "datapath/slow_path_program.h"
#include "events/event.h"

namespace apnat {

struct MappingView {
  std::string pool;
  std::uint8_t protocol = 0;
  Prefix subscriber;
  Endpoint internal;
  Endpoint external;
  std::string state;  // tcp: init, established, ..., trans; others: active; forwards: forward
  double idle_seconds = 0;
};

struct BlockView {
  std::string pool;
  Prefix subscriber;
  Ip4 external_address;
  std::vector<PortRange> ports;
  std::optional<WallTime> assigned_at;  // none: fixed by the configuration
  std::uint32_t mappings = 0;           // live now
  std::uint32_t mappings_created = 0;   // since it was assigned; 0 where the configuration fixes it
};

struct SubscriberView {
  std::string pool;
  Prefix subscriber;
  std::optional<Ip4> external_address;
  std::uint32_t blocks = 0;
  std::uint32_t ports = 0;     // it may use now
  std::uint32_t mappings = 0;  // live now
  std::uint32_t max_blocks = 0;
};

struct PoolView {
  std::string name;
  std::string assignment;
  std::string port_layout;
  std::uint32_t external_addresses = 0;
  std::uint64_t subscribers = 0;         // that there can be
  std::uint64_t active_subscribers = 0;  // that hold a block (fixed blocks: that have a live mapping)
  std::uint64_t blocks = 0;
  std::uint64_t blocks_assigned = 0;
  std::uint64_t blocks_held_down = 0;
  std::uint32_t block_size = 0;
  std::uint64_t mappings = 0;  // live now
  double ports_per_subscriber = 0;
  double sharing_ratio = 0;  // active subscribers an address
};

// What a list is narrowed to; nothing set: everything.
struct Filter {
  std::optional<std::string> pool;
  std::optional<Ip4> subscriber;
  std::optional<Ip4> external_address;
  std::optional<std::uint16_t> external_port;
  std::optional<std::uint8_t> protocol;
  bool with_live_mappings = true;  // blocks: count them, which is most of what a list of blocks costs
};

struct ForwardView {
  PlannedForward forward;
  bool from_configuration = false;
};

struct InterfaceView {
  std::string name;
  std::string role;  // internal, external, internal+external
  std::string mode;  // native, generic
  bool up = false;
  std::uint32_t mtu = 0;
  std::vector<std::string> warnings;  // what will lose packets if left so
};

// Where frames come in: a physical interface below those of the plan.
struct DeviceView {
  std::uint32_t ifindex = 0;
  std::string name;
  std::optional<std::uint32_t> rx_queues;  // none: the driver does not say
  bool native = false;                     // XDP runs in the driver
  bool internal = false;
  bool external = false;
};

// What became of IPv4 IDs that had been used within their lifetime.
struct IdFigures {
  std::uint64_t repeated = 0;
  std::uint64_t made_atomic = 0;
};

struct RingFigures {
  std::uint64_t size_bytes = 0;
  std::uint64_t waiting_bytes = 0;
};

class Datapath {
 public:
  struct Opened {
    bool adopted = false;  // tables of an earlier agent were found
    std::uint64_t mappings_adopted = 0;
    std::uint64_t began_at_tai_ns = 0;  // the tables: of no other data plane of this node
  };

  // Loads or adopts, places the plan, attaches. On failure whatever ran before runs on unchanged.
  static Result<Datapath> open(const Plan& plan);
  Datapath(Datapath&&) noexcept;
  Datapath& operator=(Datapath&&) noexcept;
  ~Datapath();  // lets go; the data plane goes on translating

  const Opened& opened() const;

  // Makes the tables, program and interfaces those of `plan`; what is equal is not touched. `ended` gets an
  // event for each block and logged mapping that ends with a removed pool. Read the ring empty first: its records of
  // a removed pool are named by pool_name() until another pool has its number.
  Result<void> apply(const Plan& plan, std::vector<EventBody>& ended);

  // Off the interfaces, pins removed, tables gone. What this object shows stays to be told until it ends too.
  Result<void> detach();
  // The same of one that no agent has; refused with EWOULDBLOCK while one does. `interfaces`: where to look if the pins
  // are lost.
  static Result<void> detach(const PathsConfig& paths, const std::vector<std::string>& interfaces);

  // One turn of the sweeper: ends expired mappings, gives idle blocks back. Bounded work; call it about once a
  // second. `ended` gets the releases (always) and the mapping ends (where the pool logs mappings), and what open()
  // and the forwards had to tell, `most_told` events at about. Now and then it also looks after the interfaces and the
  // gateway's own addresses: one that comes back is attached and written again.
  void sweep(std::vector<EventBody>& ended, std::size_t most_told = std::numeric_limits<std::size_t>::max());
  // What sweep() told is recorded where it must be: only now others may have those blocks, once held down.
  void give_back();

  // Readable when the kernel tells of routes or neighbours; then heed_routes(), and now and then without a call: a
  // storm of changes is taken together.
  int routes_fd() const;
  void heed_routes();

  // Waits for the programs under way: each number below the answer is in the ring by now, or never will be.
  std::uint64_t settled_seq();
  // Takes the next sequence number for an event of the agent's own.
  std::uint64_t take_seq();

  // Hands each record waiting in the ring to `each`, oldest first; the room is given back to the program only when
  // `release_ring` is called: after the events are where they must be. After a release, read once more before
  // waiting: a record that came between is not announced (watched level-triggered, epoll finds it).
  std::size_t read_ring(const std::function<void(const event_record&)>& each, std::size_t at_most);
  void release_ring();
  int ring_fd() const;  // for epoll
  RingFigures ring() const;
  std::uint64_t consumed_seq() const;
  void set_consumed_seq(std::uint64_t below);
  // node_state.clock_offset_ns
  std::int64_t clock_offset_ns() const;
  void set_clock_offset_ns(std::int64_t offset);

  std::vector<std::uint64_t> verdicts() const;            // index enum verdict
  std::vector<std::uint64_t> slow_path_verdicts() const;  // the same of datagrams put together
  IdFigures ids() const;

  // For the slow path. The program is loaded anew with every change of options: `program_generation` tells.
  Result<SlowPathProgram> slow_path_program() const;
  std::uint64_t program_generation() const;
  std::vector<DeviceView> devices() const;
  // What comes in by `device` for the slow path goes to these AF_XDP sockets, one a receive queue, with so many buffers
  // of room. Returns the row of each, for whoever reads it; theirs while this object lives.
  Result<std::span<xsk_backlog>> set_sockets(std::uint32_t device, std::span<const int> by_queue, std::uint32_t room);

  // Lists call `each` until it returns false.
  void mappings(const Filter& filter, const std::function<bool(const MappingView&)>& each) const;
  void blocks(const Filter& filter, const std::function<bool(const BlockView&)>& each) const;
  void subscribers(const Filter& filter, const std::function<bool(const SubscriberView&)>& each) const;
  std::vector<PoolView> pools() const;
  std::vector<InterfaceView> interfaces() const;

  Result<void> add_forward(const PlannedForward& forward, bool from_configuration);
  Result<void> remove_forward(const PlannedForward& forward);
  std::vector<ForwardView> forwards() const;

  // Facts for decoding ring records.
  std::string pool_name(std::uint16_t pool_index) const;
  bool logs_destinations(std::uint16_t pool_index) const;
  Prefix subscriber_of(std::uint16_t pool_index, Ip4 address) const;
  std::vector<PortRange> ports_of(std::uint16_t pool_index, struct slot_range slots) const;
  // A pool of the running plan as the program sees it, with the keys of its layout.
  std::optional<struct pool> pool_row(const std::string& name) const;

  // A consistent copy of the rows a packet would meet, for `natctl explain` (datapath/explain.h).
  struct Tables;
  const Tables& tables() const;
  const struct options& options() const;  // of the program that runs

 private:
  struct State;
  explicit Datapath(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace apnat
