// datapath.cpp - the door. Each call goes to the one thing that knows.
#include "datapath/datapath.h"

#include "base/log.h"
#include "datapath/state.h"
#include "datapath/verdict_counters.h"
#include "net/port_range.h"

namespace apnat {
namespace {

constexpr std::uint32_t kKeepUpTicks = ticks_of(std::chrono::seconds(2));
constexpr std::uint32_t kMarkTicks = ticks_of(std::chrono::seconds(5));

// For whoever has the lock: an agent at work would attach again.
Result<void> take_off(const Pins& pins, const std::vector<std::string>& interfaces) {
  if (std::filesystem::exists(pins.map("programs"))) {
    TRY_VOID(TRY(Attacher::open(pins)).detach_everywhere());
  } else {
    // Without the pins an entry program cannot be told from another data plane's: only where we were asked.
    const auto there = TRY(network_interfaces());
    for (const std::string& name : interfaces) {
      const NetworkInterface* found = find_interface(there, name);
      if (found) TRY_VOID(Attacher::without_pins().detach(found->ifindex, name));
    }
  }
  return std::filesystem::exists(pins.root) ? remove_root(pins) : Result<void>();
}

}  // namespace

Datapath::Datapath(std::unique_ptr<State> state) : state_(std::move(state)) {}
Datapath::Datapath(Datapath&&) noexcept = default;
Datapath& Datapath::operator=(Datapath&&) noexcept = default;
Datapath::~Datapath() {
  if (state_) state_->mark_alive();
}

Result<Datapath> Datapath::open(const Plan& plan) {
  auto state = TRY(State::open(plan));
  if (state->opened.adopted) {
    state->opened.mappings_adopted = state->lists().count_mappings();
    state->note_pools();  // records in the ring are of these, whatever the plan makes of them
    if (const auto applied = state->apply(plan, state->told); !applied) return std::unexpected(applied.error());
  } else if (const auto filled = state->fill_cold(plan); !filled) {
    // Nothing ran before; nothing is left behind.
    (void)take_off(state->pins, {});
    return std::unexpected(filled.error());
  }
  return Datapath(std::move(state));
}

const Datapath::Opened& Datapath::opened() const { return state_->opened; }

Result<void> Datapath::apply(const Plan& plan, std::vector<EventBody>& ended) { return state_->apply(plan, ended); }

Result<void> Datapath::detach() {
  std::vector<std::string> interfaces;
  for (const PlannedInterface& interface : state_->plan.interfaces) interfaces.push_back(interface.name);
  return take_off(state_->pins, interfaces);
}

Result<void> Datapath::detach(const PathsConfig& paths, const std::vector<std::string>& interfaces) {
  const Pins pins{paths.bpffs};
  UniqueFd lock;
  if (std::filesystem::exists(pins.root)) lock = TRY(lock_root(pins));
  const auto node = map_node(pins);  // none: nothing that we know ran here
  TRY_VOID(take_off(pins, interfaces));
  if (!node) return {};
  wait_for_programs();
  LastAlive(paths.state).mark(SystemClock().realtime(), numbers_of(node->rows()[0]), true);
  return {};
}

void Datapath::sweep(std::vector<EventBody>& ended, std::size_t most_told) {
  State& state = *state_;
  const Moment now = state.now();
  if (ticks_since(state.kept_up_at, now.ticks) >= kKeepUpTicks) {
    state.keep_up();
    state.kept_up_at = now.ticks;
  }
  if (ticks_since(state.marked_at, now.ticks) >= kMarkTicks) {
    state.mark_alive();
    state.marked_at = now.ticks;
  }
  ended.insert(ended.end(), state.told.begin(), state.told.end());
  state.told.clear();
  const Sweeper::Settings settings{
      .options = state.program.options(), .block_idle_ticks = state.plan.block_idle_ticks, .most_told = most_told};
  state.sweeper.sweep(state.tables.rows(), settings, now, ended);
}

void Datapath::give_back() {
  state_->sweeper.give_back(state_->tables.rows(), state_->plan.hold_down_ticks, state_->now());
}

int Datapath::routes_fd() const { return state_->routes.fd(); }
void Datapath::heed_routes() { state_->heed_routes(); }

// ---- events -----------------------------------------------------------------------------

std::uint64_t Datapath::settled_seq() {
  const std::uint64_t next = load(state_->tables.rows().node->next_seq);
  wait_for_programs();
  return next;
}

std::uint64_t Datapath::take_seq() { return std::atomic_ref(state_->tables.rows().node->next_seq).fetch_add(1); }

std::size_t Datapath::read_ring(const std::function<void(const event_record&)>& each, std::size_t at_most) {
  return state_->ring.reader().read(each, at_most);
}

void Datapath::release_ring() { state_->ring.reader().release(); }
int Datapath::ring_fd() const { return state_->tables.events_fd(); }

RingFigures Datapath::ring() const {
  const RingReader& reader = state_->ring.reader();
  return {.size_bytes = reader.size(), .waiting_bytes = reader.waiting_bytes()};
}

std::uint64_t Datapath::consumed_seq() const { return load(state_->tables.rows().node->consumed_seq); }
void Datapath::set_consumed_seq(std::uint64_t below) { store(state_->tables.rows().node->consumed_seq, below); }

std::int64_t Datapath::clock_offset_ns() const { return load(state_->tables.rows().node->clock_offset_ns); }
void Datapath::set_clock_offset_ns(std::int64_t offset) { store(state_->tables.rows().node->clock_offset_ns, offset); }

std::vector<std::uint64_t> Datapath::verdicts() const {
  return read_verdict_counters(state_->tables.verdict_counters_fd());
}

std::vector<std::uint64_t> Datapath::slow_path_verdicts() const {
  return read_verdict_counters(state_->tables.slow_path_counters_fd());
}

IdFigures Datapath::ids() const {
  const node_state& node = *state_->tables.rows().node;
  return {.repeated = load(node.ids_repeated), .made_atomic = load(node.ids_made_atomic)};
}

// ---- the slow path ------------------------------------------------------------------------

Result<SlowPathProgram> Datapath::slow_path_program() const {
  return SlowPathProgram::open(state_->slow_path.fd(), state_->slow_path.again_fd(),
                               state_->tables.slow_path_batch_fd(), state_->tables.slow_path_datagrams_fd());
}

std::uint64_t Datapath::program_generation() const { return state_->generation; }
std::vector<DeviceView> Datapath::devices() const { return state_->interfaces.devices(); }

Result<std::span<xsk_backlog>> Datapath::set_sockets(std::uint32_t device, std::span<const int> by_queue,
                                                     std::uint32_t room) {
  return state_->interfaces.set_sockets(state_->tables, device, by_queue, room);
}

// ---- lists --------------------------------------------------------------------------------

void Datapath::mappings(const Filter& filter, const std::function<bool(const MappingView&)>& each) const {
  state_->lists().mappings(filter, each);
}

void Datapath::blocks(const Filter& filter, const std::function<bool(const BlockView&)>& each) const {
  state_->lists().blocks(filter, each);
}

void Datapath::subscribers(const Filter& filter, const std::function<bool(const SubscriberView&)>& each) const {
  state_->lists().subscribers(filter, each);
}

std::vector<PoolView> Datapath::pools() const {
  std::vector<PoolView> views;
  const Lists lists = state_->lists();
  for (const PlannedPool& planned : state_->plan.pools) {
    for (const struct pool& row : state_->tables.rows().pools) {
      if (name_of(row) == planned.name) views.push_back(lists.pool(row, planned.subscriber_count()));
    }
  }
  return views;
}

std::vector<InterfaceView> Datapath::interfaces() const { return state_->interfaces.views(state_->plan); }

// ---- forwards -------------------------------------------------------------------------------

Result<void> Datapath::add_forward(const PlannedForward& forward, bool from_configuration) {
  State& state = *state_;
  return Forwards(state.tables).add(forward, from_configuration, state.program.options(), state.now(), state.told);
}

Result<void> Datapath::remove_forward(const PlannedForward& forward) {
  return Forwards(state_->tables).remove(forward, state_->now(), state_->told);
}

std::vector<ForwardView> Datapath::forwards() const { return Forwards(state_->tables).list(); }

// ---- facts ------------------------------------------------------------------------------------

std::string Datapath::pool_name(std::uint16_t pool_index) const {
  return pool_index < MAX_POOLS ? name_of(state_->seen_pools[pool_index]) : "";
}

bool Datapath::logs_destinations(std::uint16_t pool_index) const {
  return pool_index < MAX_POOLS && state_->seen_pools[pool_index].log == LOG_MAPPINGS_WITH_DESTINATION;
}

Prefix Datapath::subscriber_of(std::uint16_t pool_index, Ip4 address) const {
  return pool_index < MAX_POOLS ? subscriber_prefix(state_->seen_pools[pool_index], address) : Prefix(address, 32);
}

std::vector<PortRange> Datapath::ports_of(std::uint16_t pool_index, struct slot_range slots) const {
  if (pool_index >= MAX_POOLS) return {};
  return ports_of_slots(state_->seen_pools[pool_index], slots);
}

std::optional<struct pool> Datapath::pool_row(const std::string& name) const {
  for (const struct pool& row : state_->tables.rows().pools) {
    if (name_of(row) == name) return row;
  }
  return std::nullopt;
}

const Datapath::Tables& Datapath::tables() const { return state_->tables; }
const struct options& Datapath::options() const { return state_->program.options(); }

}  // namespace apnat
