// state.cpp - opening, and what a plan becomes.
#include "datapath/state.h"

#include <fmt/format.h>
#include <linux/if_xdp.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>

#include "base/log.h"
#include "datapath/reconcile.h"
#include "net/interface.h"
#include "net/routing.h"

namespace apnat {
namespace {

// Tables are many and some are large. Kernels before 5.11 count them as locked memory.
void raise_limits() {
  rlimit all{RLIM_INFINITY, RLIM_INFINITY};
  ::setrlimit(RLIMIT_MEMLOCK, &all);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
}

// Events go on being numbered where the last tables of this node stopped.
Result<node_state> new_node(const LastAlive& alive) {
  node_state node{};
  const LastAlive::Numbers numbers = alive.numbers();
  node.next_seq = numbers.next;
  node.consumed_seq = numbers.told;
  if (::getrandom(node.secret, sizeof(node.secret), 0) != static_cast<ssize_t>(sizeof(node.secret))) {
    return fail(errno, "get random bytes for the node's secret");
  }
  return node;
}

Result<node_state> read_node(const Pins& pins) { return TRY(map_node(pins)).rows()[0]; }

// Asked of the kernel by a bind that cannot succeed: flags are judged before the interface is looked for.
bool af_xdp_takes_several_buffers() {
  constexpr std::uint16_t kUseSeveralBuffers = 1 << 4;  // XDP_USE_SG of newer kernels
  const UniqueFd socket(::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
  sockaddr_xdp nowhere{};
  nowhere.sxdp_family = AF_XDP;
  nowhere.sxdp_flags = kUseSeveralBuffers;
  nowhere.sxdp_ifindex = std::numeric_limits<int>::max();
  if (!socket) return false;
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&nowhere), sizeof(nowhere)) != 0 && errno == ENODEV;
}

// What the plan chose, and what only this machine can say: the node's secret, whether VLANs are served, and
// whether a route depends on more than the destination (then it is asked for every packet).
Result<struct options> options_for(const node_state& node, const Plan& plan) {
  struct options chosen = plan.options;
  std::memcpy(chosen.secret, node.secret, sizeof(chosen.secret));
  const auto interfaces = TRY(network_interfaces());
  for (const PlannedInterface& planned : plan.interfaces) {
    const NetworkInterface* found = find_interface(interfaces, planned.name);
    chosen.vlans |= found != nullptr && found->vlan.has_value();
  }
  chosen.route_memory_off = TRY(has_policy_rules());
  chosen.punt_several_buffers = af_xdp_takes_several_buffers();
  return chosen;
}

struct options for_slow_path(struct options chosen) {
  chosen.slow_path = 1;
  return chosen;
}

bool equal(const struct options& one, const struct options& other) {
  return std::memcmp(&one, &other, sizeof(one)) == 0;
}

}  // namespace

Result<Table<node_state>> map_node(const Pins& pins) {
  const UniqueFd fd = TRY(open_pin(pins.map("node_state")));
  return Table<node_state>::map(fd.get(), "node_state", 1);
}

LastAlive::Numbers numbers_of(node_state& node) {
  return {.next = load(node.next_seq), .told = load(node.consumed_seq)};
}

Result<std::unique_ptr<Datapath::State>> Datapath::State::open(const Plan& plan) {
  raise_limits();
  Pins pins{plan.config.paths.bpffs};
  TRY_VOID(make_root(pins));
  UniqueFd lock = TRY(lock_root(pins));
  const bool adopted = TRY(find_tables(pins)) == FoundTables::kAdoptable;
  if (!adopted) {
    // An agent that was killed before its tables were anybody's has attached all the same; without the old pins its
    // program would pass for a stranger's.
    if (std::filesystem::exists(pins.map("programs"))) TRY_VOID(TRY(Attacher::open(pins)).detach_everywhere());
    TRY_VOID(remove_tables(pins));
    TRY_VOID(make_root(pins));
  }
  node_state node = adopted ? TRY(read_node(pins)) : TRY(new_node(LastAlive(plan.config.paths.state)));
  Program program = TRY(Program::load(TRY(options_for(node, plan)), pins));
  Program slow_path = TRY(Program::load(for_slow_path(program.options()), pins));
  Tables tables = TRY(Tables::open(pins));
  Interfaces interfaces = TRY(Interfaces::open(tables, TRY(Attacher::open(pins))));
  EventRing ring = TRY(EventRing::open(tables.events_fd(), EVENT_RING_BYTES));
  RouteWatch routes = TRY(RouteWatch::open());
  auto state = std::unique_ptr<State>(new State{.pins = std::move(pins),
                                                .lock = std::move(lock),
                                                .program = std::move(program),
                                                .slow_path = std::move(slow_path),
                                                .tables = std::move(tables),
                                                .interfaces = std::move(interfaces),
                                                .ring = std::move(ring),
                                                .routes = std::move(routes),
                                                .clock = {},
                                                .alive = LastAlive(plan.config.paths.state),
                                                .plan = plan,
                                                .local = {},
                                                .sweeper = {},
                                                .opened = {.adopted = adopted},
                                                .left_at = {},
                                                .told = {},
                                                .waiting_forwards = {}});
  if (!adopted) {
    node.started_at_ns = state->now().tai_ns;
    *state->tables.rows().node = node;
  }
  state->opened.began_at_tai_ns = node.started_at_ns;
  return state;
}

// Once the pins are gone (detach), no program can take another number.
void Datapath::State::mark_alive() const {
  alive.mark(clock.realtime(), numbers_of(*tables.rows().node), !std::filesystem::exists(pins.map("node_state")));
}

// Nothing runs yet. The number of the tables comes last: until it is there, they are nobody's.
Result<void> Datapath::State::fill_cold(const Plan& wanted) {
  ports_at_risk = alive.within(std::chrono::seconds(wanted.config.timeouts.hold_down), clock.realtime());
  TRY_VOID(program.make_current(pins));
  TRY_VOID(apply(wanted, told));
  ports_at_risk = false;
  store(tables.rows().node->abi_version, APNAT_ABI_VERSION);
  return {};
}

Result<void> Datapath::State::apply(const Plan& wanted, std::vector<EventBody>& ended) {
  std::optional<Program> next, next_slow_path;
  const struct options options = TRY(options_for(*tables.rows().node, wanted));
  if (!equal(options, program.options())) {
    next = TRY(Program::load(options, pins));
    next_slow_path = TRY(Program::load(for_slow_path(options), pins));
  }
  const std::vector<Ip4> own = own_addresses(TRY(local_addresses()));
  const std::vector<ForwardView> forwards_before = Forwards(tables).list();

  const Moment moment = now();
  const Reconciler::Wanted target{wanted, own, [&](Ip4 address) {
                                    const auto left = left_at.find(address);
                                    return ports_at_risk ||
                                           (left != left_at.end() && ticks_since(left->second, moment.ticks) <
                                                                         std::int64_t{wanted.hold_down_ticks});
                                  }};
  Reconciler reconciler(tables, target, moment);
  TRY_VOID(reconciler.prepare());
  TRY_VOID(interfaces.attach(wanted));
  // From here on nothing is refused any more.
  TRY_VOID(reconciler.remove(ended));
  if (next) {
    program = std::move(*next);
    slow_path = std::move(*next_slow_path);
    ++generation;
  }
  TRY_VOID(program.make_current(pins));
  TRY_VOID(reconciler.add());
  reconciler.end_records(ended);
  for (Ip4 address : reconciler.left()) left_at[address] = moment.ticks;
  plan = wanted;
  local = own;
  sweeper.start_over();
  note_pools();
  sync_forwards(forwards_before);
  return interfaces.update(tables, wanted);
}

void Datapath::State::note_pools() {
  for (std::uint32_t index = 0; index < MAX_POOLS; ++index) {
    if (tables.rows().pools[index].name[0] != 0) seen_pools[index] = tables.rows().pools[index];
  }
}

// The configuration's forwards become the plan's; those made at run time stay, if their pool does.
void Datapath::State::sync_forwards(const std::vector<ForwardView>& before) {
  Forwards forwards(tables);
  forwards.mark_owners();
  const Moment moment = now();
  for (const ForwardView& view : forwards.list()) {
    const bool planned = std::ranges::count(plan.forwards, view.forward) != 0;
    const bool has_owner = tables.find_subscriber(view.forward.internal.address) != nullptr;
    if (has_owner && (planned || !view.from_configuration)) continue;
    if (const auto removed = forwards.remove(view.forward, moment, told); !removed) log_warning(removed.error().text);
  }
  waiting_forwards.clear();
  for (const PlannedForward& forward : plan.forwards) {
    const auto added = forwards.add(forward, true, program.options(), moment, told);
    if (added) continue;
    log_warning("a forward of the configuration has to wait: " + added.error().text);
    waiting_forwards.push_back(forward);
  }
  for (const ForwardView& view : before) {
    if (view.from_configuration || std::ranges::count(plan.forwards, view.forward) != 0) continue;
    if (const auto added = forwards.add(view.forward, false, program.options(), moment, told); !added) {
      log_warning("a forward ends: " + added.error().text);
    }
  }
}

// At once, unless that was a moment ago: a storm of changes is taken together by a later call.
void Datapath::State::heed_routes() {
  routes_changed |= routes.heed();
  const std::uint32_t ticks = now().ticks;
  if (!routes_changed || ticks == routes_forgotten_at) return;
  if (const auto forgotten = interfaces.forget_routes(tables); !forgotten) {
    log_warning("the programs may use old routes for a second: " + forgotten.error().text);
    return;
  }
  routes_changed = false;
  routes_forgotten_at = ticks;
  // Rules that look at more than the destination: nothing may be remembered.
  const auto policy = has_policy_rules();
  if (!policy || *policy == (program.options().route_memory_off != 0)) return;
  if (const auto applied = apply(plan, told); !applied) {
    log_warning("the routing rules changed: " + applied.error().text);
  }
}

void Datapath::State::keep_up() {
  interfaces.refresh(tables, plan);
  std::erase_if(waiting_forwards, [this](const PlannedForward& forward) {
    return Forwards(tables).add(forward, true, program.options(), now(), told).has_value();
  });
  const auto addresses = local_addresses();
  if (!addresses || own_addresses(*addresses) == local) return;
  if (const auto applied = apply(plan, told); !applied) {
    log_warning("the gateway's addresses changed: " + applied.error().text);
    local = own_addresses(*addresses);  // not again until they change again
  }
}

}  // namespace apnat
