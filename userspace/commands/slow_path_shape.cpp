// slow_path_shape.cpp - fragments being put together, what was lost and why, and how far the time went where.
#include "commands/slow_path_shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "apnat/verdict.h"
#include "events/decode.h"

namespace apnat {
namespace {

Json gauges_shape(const ReassemblyGauges& gauges) {
  return Json{{"datagrams", gauges.datagrams},
              {"fragments", gauges.fragments},
              {"sources", gauges.sources},
              {"memory_bytes", gauges.bytes},
              {"memory_limit_bytes", gauges.memory},
              {"oldest_ms", gauges.oldest_ns / 1'000'000},
              {"tombstones_forgotten", gauges.tombstones_forgotten}};
}

template <typename Counters>
Json counters_shape(const Counters& counters) {
  Json shape = Json::object();
  counters.for_each([&](const char* name, std::uint64_t count) { shape[name] = count; });
  return shape;
}

Json sockets_shape(const std::vector<SocketView>& sockets) {
  Json shape = Json::array();
  for (const SocketView& socket : sockets) {
    shape.push_back(
        {{"device", socket.device}, {"queue", socket.queue}, {"mode", socket.zero_copy ? "zero_copy" : "copy"}});
  }
  return shape;
}

Json verdicts_shape(const std::vector<std::uint64_t>& verdicts) {
  Json shape = Json::object();
  for (unsigned verdict = VERDICT_CONTINUE + 1; verdict < VERDICT_COUNT && verdict < verdicts.size(); ++verdict) {
    if (verdicts[verdict] != 0) shape[verdict_name(verdict)] = verdicts[verdict];
  }
  return shape;
}

}  // namespace

Json slow_path_shape(const SlowPathFigures& figures, const std::vector<std::uint64_t>& verdicts, const IdFigures& ids) {
  const WorkerFigures& worker = figures.worker;
  Json stages = Json::object();
  for (std::size_t stage = 0; stage < kStageNames.size(); ++stage) stages[kStageNames[stage]] = worker.stage_ns[stage];
  return Json{{"sockets", sockets_shape(figures.sockets)},
              {"pending",
               {{"internal", gauges_shape(worker.gauges[REALM_INTERNAL])},
                {"external", gauges_shape(worker.gauges[REALM_EXTERNAL])}}},
              {"wrap_margin", worker.wrap_margin},
              {"reassembly", counters_shape(worker.reassembly)},
              {"counters", counters_shape(worker.counters)},
              {"socket_losses",
               {{"rx_dropped", figures.lost.rx_dropped},
                {"rx_ring_full", figures.lost.rx_ring_full},
                {"fill_ring_empty", figures.lost.fill_ring_empty}}},
              {"verdicts", verdicts_shape(verdicts)},
              {"ids_repeated", ids.repeated},
              {"ids_made_atomic", ids.made_atomic},
              {"stage_ns", stages}};
}

std::vector<std::string> slow_path_warnings(const SlowPathFigures& figures) {
  std::vector<std::string> warnings;
  if (!figures.complaint.empty()) warnings.push_back("fragments are lost: " + figures.complaint);
  if (figures.worker.wrap_margin <= 1) {
    warnings.push_back(
        fmt::format("somebody sends fragmented datagrams so fast that their IDs come round within the timeout "
                    "(wrap margin {:.2f}): a shorter [fragments] timeout would keep them apart",
                    figures.worker.wrap_margin));
  }
  for (const ReassemblyGauges& gauges : figures.worker.gauges) {
    if (gauges.memory != 0 && gauges.bytes > gauges.memory / 10 * 9) {
      warnings.push_back("the memory for fragments is nearly full");
    }
  }
  return warnings;
}

}  // namespace apnat
