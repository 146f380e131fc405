// state.h - what a Datapath owns: one of each of the room's things, in the order
// they are opened.
#pragma once

#include <array>
#include <map>
#include <vector>

#include "base/clock.h"
#include "datapath/event_ring.h"
#include "datapath/forwards.h"
#include "datapath/interfaces.h"
#include "datapath/last_alive.h"
#include "datapath/lists.h"
#include "datapath/program.h"
#include "datapath/sweeper.h"
#include "datapath/tables.h"
#include "net/route_watch.h"

namespace apnat {

// The node's row behind its pin: it outlives the pin for whoever has it mapped.
Result<Table<node_state>> map_node(const Pins& pins);
// As the row has them now.
LastAlive::Numbers numbers_of(node_state& node);

struct Datapath::State {
  // Opens or makes everything but what the plan asks for.
  static Result<std::unique_ptr<State>> open(const Plan& plan);

  // The plan's turn: first what can be refused, then the writing.
  Result<void> apply(const Plan& wanted, std::vector<EventBody>& ended);
  Result<void> fill_cold(const Plan& wanted);
  void sync_forwards(const std::vector<ForwardView>& before);
  void keep_up();  // with interfaces, addresses, forwards that had to wait
  void heed_routes();
  void note_pools();
  void mark_alive() const;

  Moment now() const { return Moment::of(clock); }
  Lists lists() const { return Lists(tables, program.options(), now()); }

  Pins pins;
  UniqueFd lock;
  Program program;
  Program slow_path;  // the same with its results handed back: run by the agent on whole datagrams
  Tables tables;
  Interfaces interfaces;
  EventRing ring;
  RouteWatch routes;

  SystemClock clock;
  LastAlive alive;
  Plan plan;
  std::vector<Ip4> local;
  Sweeper sweeper;
  Opened opened;
  bool ports_at_risk = false;            // cold start soon after another data plane: ports wait out the hold-down
  std::map<Ip4, std::uint32_t> left_at;  // external addresses that left, and when (ticks)
  std::array<struct pool, MAX_POOLS> seen_pools{};  // the last of each number: records of a removed pool still need it
  std::vector<EventBody> told;                      // events for the next sweep to hand on
  std::vector<PlannedForward> waiting_forwards;     // the configuration's, whose port a live mapping has
  std::uint64_t generation = 1;                     // of the programs
  std::uint32_t kept_up_at = 0;                     // ticks
  std::uint32_t marked_at = 0;
  bool routes_changed = false;            // and the programs were not told yet
  std::uint32_t routes_forgotten_at = 0;  // ticks
};

}  // namespace apnat
