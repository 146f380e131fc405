#include "gateway.h"

#include <apnat/tables.h>
#include <apnat/verdict.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <optional>
#include <span>

namespace apnat::bench {

namespace {

// The subscriber's n-th flow has this port (feeder.bpf.c, next_outbound); here the other way round.
std::optional<std::uint32_t> flow_of(const mapping& entry, const Flows& flows) {
  const std::uint32_t subscriber = __builtin_bswap32(entry.internal_address) - flows.first_address;
  const std::uint32_t port = __builtin_bswap16(entry.internal_port);
  if (entry.protocol != IPPROTO_UDP || subscriber >= flows.subscribers || port < FIRST_PORT) return std::nullopt;
  const std::uint32_t nth = (port - FIRST_PORT - subscriber * SUBSCRIBER_PORT_STEP) & (FLOW_PORTS - 1);
  const std::uint64_t flow = static_cast<std::uint64_t>(nth) * flows.subscribers + subscriber;
  if (flow >= flows.count) return std::nullopt;
  return static_cast<std::uint32_t>(flow);
}

// One external address's UDP mappings, each noted at its flow's number.
Result<void> note_endpoints(const Gateway& gateway, const external_address& row, const Flows& flows,
                            std::vector<feed_endpoint>& endpoints) {
  std::uint32_t id = 0;
  if (bpf_map_lookup_elem(gateway.mapping_tables, &row.tables, &id) != 0)
    return fail(errno, "find the mapping table of an external address");
  const int table = bpf_map_get_fd_by_id(id);
  if (table < 0) return fail(errno, "open a mapping table");
  const std::size_t bytes = sizeof(mapping_set) * SETS_PER_ADDRESS;
  void* rows = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, table, 0);
  close(table);
  if (rows == MAP_FAILED) return fail(errno, "map a mapping table");
  constexpr std::size_t kSlots = SLOTS_PER_CLASS;
  const std::span slots(static_cast<const mapping*>(rows) + kSlots * CLASS_UDP, kSlots);
  for (std::uint32_t slot = 0; slot < slots.size(); ++slot) {
    if (slots[slot].key == 0) continue;
    if (const auto flow = flow_of(slots[slot], flows))
      endpoints[*flow] = {
          .address = row.address, .port = __builtin_bswap16(static_cast<std::uint16_t>(slot)), .reserved = 0};
  }
  munmap(rows, bytes);
  return {};
}

}  // namespace

// The pool's port layout is contiguous: the slot is the port.
Result<std::vector<feed_endpoint>> endpoints_of(const Gateway& gateway, const Flows& flows) {
  std::vector<feed_endpoint> endpoints(flows.count);
  for (std::uint32_t index = 0; index < MAX_EXTERNAL_ROWS; ++index) {
    external_address row{};
    if (bpf_map_lookup_elem(gateway.external_addresses, &index, &row) != 0) break;
    if (row.pool_plus_one == 0) continue;
    TRY_VOID(note_endpoints(gateway, row, flows, endpoints));
  }
  return endpoints;
}

Result<Verdicts> verdicts(const Gateway& gateway) {
  Verdicts totals(VERDICT_COUNT);
  std::vector<std::uint64_t> each(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  for (std::uint32_t verdict = 0; verdict < totals.size(); ++verdict) {
    if (bpf_map_lookup_elem(gateway.verdicts, &verdict, each.data()) != 0) return fail(errno, "read the verdicts");
    for (const std::uint64_t count : each) totals[verdict] += count;
  }
  return totals;
}

std::string difference(const Verdicts& before, const Verdicts& after) {
  static constexpr const char* kNames[] = {
      "CONTINUE",
#define VERDICT(name, fate, icmp, sentence) #name,
#include <apnat/verdicts.def>
#undef VERDICT
  };
  std::string text;
  for (std::size_t verdict = 0; verdict < after.size(); ++verdict)
    if (after[verdict] != before[verdict])
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", kNames[verdict], after[verdict] - before[verdict]);
  return text.empty() ? "nothing" : text;
}

Result<Gateway> adopt(const std::string& pins, const std::string& inside, const std::string& outside) {
  Gateway gateway;
  gateway.inside = if_nametoindex(inside.c_str());
  gateway.outside = if_nametoindex(outside.c_str());
  if (gateway.inside == 0 || gateway.outside == 0) return fail("no interface " + inside + " or " + outside + " here");
  const auto open_pin = [&](const char* name, int& fd) -> Result<void> {
    fd = bpf_obj_get((pins + "/" + name).c_str());
    if (fd < 0) return fail(errno, pins + "/" + name);
    return {};
  };
  TRY_VOID(open_pin("apnat", gateway.program));
  TRY_VOID(open_pin("maps/mapping_tables", gateway.mapping_tables));
  TRY_VOID(open_pin("maps/external_addresses", gateway.external_addresses));
  TRY_VOID(open_pin("maps/verdict_counters", gateway.verdicts));
  return gateway;
}

}  // namespace apnat::bench
