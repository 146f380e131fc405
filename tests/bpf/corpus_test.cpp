// Whatever frames the fuzzer has learnt to make: the kernel ends them as the native core does, byte for byte.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "core_native.h"
#include "net/address.h"
#include "support/frame_script.h"
#include "support/memory_world.h"

using namespace apnat::test;

namespace {

const std::filesystem::path kCorpus = APNAT_SOURCE_DIR "/tests/fuzz/corpus/frame";

Bytes content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// By gateway, each in the order of names: what one script leaves behind, the next one finds, on both hosts.
std::map<std::size_t, std::vector<std::filesystem::path>> scripts() {
  std::map<std::size_t, std::vector<std::filesystem::path>> scripts;
  for (const auto& entry : std::filesystem::directory_iterator(kCorpus))
    scripts[read_script(content_of(entry.path())).gateway].push_back(entry.path());
  for (auto& [_, paths] : scripts) std::sort(paths.begin(), paths.end());
  return scripts;
}

// The native core has no routes: it is told what the kernel's routing must have said.
core_route_result route_behind(enum verdict verdict) {
  switch (verdict) {
    case VERDICT_NEIGHBOUR_PENDING:
      return CORE_ROUTE_NO_NEIGHBOUR;
    case VERDICT_FRAGMENTED_BY_KERNEL:
    case VERDICT_FRAGMENTATION_NEEDED:
    case VERDICT_INBOUND_TOO_BIG:
      return CORE_ROUTE_TOO_BIG;
    case VERDICT_EGRESS_BY_KERNEL:
      return CORE_ROUTE_BY_KERNEL;
    case VERDICT_NO_ROUTE:
      return CORE_ROUTE_NONE;
    case VERDICT_ROUTE_PROHIBITED:
      return CORE_ROUTE_PROHIBITED;
    case VERDICT_FORWARDING_OFF:
      return CORE_ROUTE_FORWARDING_OFF;
    default:
      return CORE_ROUTE_FOUND;
  }
}

// The records since the last look, each in a line, without what must differ: the times, and the interface's number.
std::vector<std::string> records(Translator& nat) {
  const auto endpoint = [](__be32 address, __be16 port) {
    return fmt::format("{}:{}", apnat::Ip4::from_network(address).text(), __builtin_bswap16(port));
  };
  std::vector<std::string> lines;
  for (const auto& event : nat.take_events())
    lines.push_back(fmt::format(
        "#{} type {} protocol {} pool {} verdict {} subscriber {} internal {} external {} slots {}-{} destination {} "
        "limit {} suppressed {}",
        event.seq, event.type, event.protocol, event.pool, core_verdict_name(static_cast<enum verdict>(event.verdict)),
        endpoint(event.subscriber, 0), endpoint(event.internal_address, event.internal_port),
        endpoint(event.external_address, event.external_port), event.first_slot, event.last_slot,
        endpoint(event.destination_address, event.destination_port), event.limit, event.suppressed));
  return lines;
}

Bytes tail(const Bytes& bytes, std::size_t count) {
  return {bytes.end() - static_cast<std::ptrdiff_t>(std::min(count, bytes.size())), bytes.end()};
}

void replay(Translator& native, Translator& kernel, const FrameScript& script, std::set<enum verdict>& seen) {
  for (const ScriptFrame& frame : script.frames) {
    if (frame.bytes.size() < 14) continue;  // the kernel's own test run takes nothing shorter
    const bool outside = frame.flags & kFrameOutside;
    Bytes in_kernel = frame.bytes, here = frame.bytes;
    const auto expected =
        kernel.frame(outside ? kernel.world().outside_ifindex() : kernel.world().inside_ifindex(), in_kernel).verdict;
    dynamic_cast<MemoryWorld&>(native.world()).answer_routes([&](core_route& route) {
      route.egress_ifindex = kOutsideIfindex;
      return route_behind(expected);
    });
    const auto verdict = native.frame(outside ? kOutsideIfindex : kInsideIfindex, here).verdict;
    INFO("native " << core_verdict_name(verdict) << ", kernel " << core_verdict_name(expected));
    REQUIRE(verdict == expected);
    seen.insert(verdict);
    if (verdict == VERDICT_ARP_ANSWERED) continue;  // with the MAC of an interface that is another here
    // The way out's link header is the program's affair, not the core's.
    const bool forwarded = core_fate(verdict) == FATE_FORWARD;
    const std::size_t same = here.size() - (forwarded ? network_offset(frame.bytes) : 0);
    REQUIRE(tail(here, same) == tail(in_kernel, same));
  }
}

}  // namespace

TEST_CASE("the fuzzer's corpus ends alike on both hosts", "[SEC-25]") {
  if (translators().size() < 2) return;
  const auto gateways = script_gateways();
  const auto all = scripts();
  REQUIRE(all.size() == gateways.size());
  std::set<enum verdict> seen;
  for (const auto& [gateway, paths] : all) {
    auto here = native(gateways[gateway]), in_kernel = kernel(gateways[gateway]);
    furnish(*here);
    furnish(*in_kernel);
    for (const auto& path : paths) {
      INFO(path.filename().string());
      replay(*here, *in_kernel, read_script(content_of(path)), seen);
      CHECK(records(*here) == records(*in_kernel));
    }
  }
  for (const auto verdict : {VERDICT_TRANSLATED_OUTBOUND, VERDICT_TRANSLATED_INBOUND, VERDICT_HAIRPINNED})
    CHECK(seen.count(verdict) == 1);
  CHECK(seen.size() > 30);  // of the ways a packet can end
}
