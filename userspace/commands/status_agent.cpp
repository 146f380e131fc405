// status_agent.cpp - what every room says of itself, and what of it is worth a warning.
#include "commands/status.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "commands/agent.h"
#include "commands/event_shapes.h"
#include "commands/rates.h"
#include "commands/shapes.h"
#include "commands/slow_path_shape.h"
#include "control/answer.h"
#include "events/decode.h"
#include "events/time_text.h"

namespace apnat {
namespace {

constexpr double kNearlyFullPercent = 90;

// Verdicts by which somebody was denied what the configuration limits.
constexpr enum verdict kRefusals[] = {VERDICT_PORT_LIMIT, VERDICT_PORT_EXHAUSTED,  VERDICT_ADDRESS_EXHAUSTED,
                                      VERDICT_RATE_LIMIT, VERDICT_EVENT_RING_FULL, VERDICT_SUBSCRIBER_BUSY};

Json agent_shape(const AgentFigures& figures) {
  return Json{{"version", APNAT_VERSION},
              {"pid", ::getppid()},  // this runs in a child of the agent
              {"started_at", rfc3339(figures.started_at)},
              {"uptime_seconds", figures.uptime_seconds}};
}

Json packets_shape(const AgentFigures& figures) {
  const PacketRates rates = packet_rates(figures.before, figures.now);
  return Json{{"total", rates.total},
              {"per_second", rates.per_second},
              {"forwarded_per_second", rates.forwarded_per_second},
              {"passed_per_second", rates.passed_per_second},
              {"answered_per_second", rates.answered_per_second},
              {"punted_per_second", rates.punted_per_second},
              {"dropped_per_second", rates.dropped_per_second}};
}

Json refusals_shape(const std::vector<std::uint64_t>& verdicts) {
  Json refusals = Json::object();
  for (enum verdict verdict : kRefusals) {
    if (verdict < verdicts.size()) refusals[verdict_name(verdict)] = verdicts[verdict];
  }
  return refusals;
}

// `written`: by every sink; `waiting`: for the one that is furthest behind.
Json events_shape(const AgentFigures& figures, const RingFigures& ring, WallTime now) {
  Json sinks = Json::array();
  std::uint64_t written = figures.sinks.empty() ? 0 : ~std::uint64_t{0};
  std::uint64_t waiting = 0;
  std::uint64_t lost = figures.events_lost;
  for (const FanOut::Figures& sink : figures.sinks) {
    written = std::min(written, sink.sink.written);
    waiting = std::max(waiting, sink.sink.waiting);
    lost += sink.lost;
    sinks.push_back(shape(sink, now));
  }
  return Json{{"written", written},
              {"waiting", waiting + figures.events_held},
              {"lost", lost},
              {"ring", {{"size_bytes", ring.size_bytes}, {"waiting_bytes", ring.waiting_bytes}}},
              {"sinks", sinks}};
}

struct Warnings {
  Json list = Json::array();

  void of(const InterfaceView& interface) {
    if (!interface.up) list.push_back(fmt::format("interface {} is down", interface.name));
    for (const std::string& warning : interface.warnings)
      list.push_back(fmt::format("interface {}: {}", interface.name, warning));
  }
  void of(const PoolView& pool) {
    if (pool.assignment == "dynamic" && full_percent(pool) >= kNearlyFullPercent) {
      list.push_back(fmt::format("pool {} is {} % full", pool.name, full_percent(pool)));
    }
  }
  void of(const FanOut::Figures& sink) {
    if (!sink.sink.error.empty()) list.push_back(fmt::format("event sink {}: {}", sink.sink.name, sink.sink.error));
    if (sink.lost) list.push_back(fmt::format("event sink {} lost {} events", sink.sink.name, sink.lost));
  }
  void of(const HistoryFigures& history) {
    if (history.files_set_aside) {
      list.push_back(fmt::format("{} damaged file(s) of the history were set aside", history.files_set_aside));
    }
  }
  void of(const RingFigures& ring) {
    if (ring.waiting_bytes > ring.size_bytes / 2) list.push_back("the event ring is more than half full");
  }
  void of(const std::vector<std::uint64_t>& verdicts) {
    const auto some = [&](enum verdict verdict) { return verdict < verdicts.size() && verdicts[verdict] > 0; };
    if (some(VERDICT_EVENT_RING_FULL)) list.push_back("assignments were refused because the event ring was full");
    if (some(VERDICT_FORWARDING_OFF))
      list.push_back("packets were dropped because the kernel does not forward (net.ipv4.ip_forward)");
    if (some(VERDICT_TABLE_MISSING)) list.push_back("packets met a table that is missing");
  }
};

}  // namespace

void status_agent(Agent& agent, const Arguments&, const AnswerTo& answer) {
  const AgentFigures figures = agent.figures();
  const WallTime now = SystemClock().realtime();
  const RingFigures ring = agent.datapath().ring();
  utsname kernel{};
  ::uname(&kernel);

  Warnings warnings;
  Json interfaces = Json::array();
  for (const InterfaceView& interface : agent.datapath().interfaces()) {
    interfaces.push_back(shape(interface));
    warnings.of(interface);
  }
  Json pools = Json::array();
  for (const PoolView& pool : agent.datapath().pools()) {
    pools.push_back(shape(pool));
    warnings.of(pool);
  }
  for (const FanOut::Figures& sink : figures.sinks) warnings.of(sink);
  warnings.of(figures.history);
  warnings.of(ring);
  warnings.of(figures.now.verdicts);
  for (const std::string& warning : slow_path_warnings(figures.slow_path)) warnings.list.push_back(warning);

  answer->done(Json{
      {"node", agent.node()},
      {"agent", agent_shape(figures)},
      {"kernel", kernel.release},
      {"interfaces", interfaces},
      {"pools", pools},
      {"packets", packets_shape(figures)},
      {"refusals", refusals_shape(figures.now.verdicts)},
      {"slow_path", slow_path_shape(figures.slow_path, agent.datapath().slow_path_verdicts(), agent.datapath().ids())},
      {"events", events_shape(figures, ring, now)},
      {"history", shape(figures.history, figures.history_until, now)},
      {"memory_bytes", agent.plan().memory_bytes()},
      {"warnings", warnings.list}});
}

}  // namespace apnat
