// explain.cpp - one frame through the native core over copies of the tables, and
// what there is to say about it.
#include "datapath/explain.h"

#include <fmt/format.h>
#include <linux/ip.h>
#include <net/if.h>

#include <cstring>
#include <memory>

#include "datapath/explain_world.h"

namespace apnat {
namespace {

constexpr std::size_t kAlignment = 2;  // the link header begins here, so that IPv4 is aligned

// What of an IPv4 packet goes into a sentence.
std::string packet_text(std::span<const std::uint8_t> packet) {
  if (packet.size() < 20) return fmt::format("{} bytes", packet.size());
  const auto word = [&](std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, packet.data() + at, sizeof(value));
    return Ip4::from_network(value).text();
  };
  const std::size_t header = (packet[0] & 15u) * 4;
  const auto half = [&](std::size_t at) { return packet.size() < at + 2 ? 0 : packet[at] << 8 | packet[at + 1]; };
  const std::uint8_t protocol = packet[9];
  if (protocol == IPPROTO_ICMP)
    return fmt::format("icmp {} -> {} type {} id {} ttl {}", word(12), word(16), half(header) >> 8, half(header + 4),
                       packet[8]);
  return fmt::format("{} {}:{} -> {}:{} ttl {}", protocol_name(protocol), word(12), half(header), word(16),
                     half(header + 2), packet[8]);
}

std::string name_of_interface(std::uint32_t ifindex) {
  char name[IF_NAMESIZE];
  return if_indextoname(ifindex, name) != nullptr ? name : fmt::format("interface {}", ifindex);
}

void tell_events(const Datapath& datapath, const ExplainWorld& world, std::vector<std::string>& steps) {
  for (const event_record& event : world.events()) {
    const std::string pool = datapath.pool_name(event.pool);
    if (event.type == EVENT_PORT_BLOCK_ASSIGNED)
      steps.push_back(fmt::format("takes a block of {} ports of pool {} on {} (which one is drawn at random)",
                                  event.last_slot - event.first_slot + 1, pool,
                                  Ip4::from_network(event.external_address).text()));
    else if (event.type == EVENT_MAPPING_CREATED)
      steps.push_back("the mapping is recorded, as pool " + pool + " asks");
    else if (event.type == EVENT_QUOTA_EXCEEDED || event.type == EVENT_POOL_EXHAUSTED)
      steps.push_back(fmt::format("refused at the limit of {} of pool {}", event.limit, pool));
  }
}

void tell_mapping(const Datapath& datapath, const ExplainWorld& world, const core_result& result,
                  std::vector<std::string>& steps) {
  const auto* subscriber = result.has_subscriber ? world.seen_subscriber(result.subscriber_reference) : nullptr;
  if (subscriber != nullptr)
    steps.push_back(fmt::format("sender: a subscriber of pool {}",
                                datapath.pool_name(static_cast<std::uint16_t>(subscriber->pool_plus_one - 1))));
  tell_events(datapath, world, steps);
  if (result.icmp_error) steps.push_back("an ICMP error: matched by the packet it quotes");
  if (world.opened_mapping())
    steps.push_back("no mapping yet: one would be opened");
  else if (core_fate(result.verdict) == FATE_FORWARD)
    steps.push_back("its mapping exists");
  if (result.hairpin) steps.push_back("for an external endpoint of ours: turned round, both addresses translated");
}

void tell_way(const ExplainWorld& world, std::vector<std::string>& steps) {
  if (!world.way()) return;
  const WayOut& way = *world.way();
  if (way.kind == WayOut::Kind::kProhibited)
    steps.push_back("route: blackhole, unreachable or prohibit");
  else if (way.kind != WayOut::Kind::kFound)
    steps.push_back("route: none");
  else
    steps.push_back(fmt::format("route: out of {} via {}{}, mtu {}", name_of_interface(way.ifindex),
                                way.next_hop.text(), way.mac ? "" : " (not resolved yet)", way.mtu));
}

// The frame as if its datagram had come whole: no fragment any more, its header sum right.
std::vector<std::uint8_t> made_whole(std::span<const std::uint8_t> frame, std::size_t network) {
  std::vector<std::uint8_t> whole(frame.begin(), frame.end());
  std::uint8_t* ip = whole.data() + network;
  ip[6] &= 0x40;
  ip[7] = ip[10] = ip[11] = 0;
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < (ip[0] & 15u) * 4; at += 2) sum += static_cast<std::uint32_t>(ip[at] << 8 | ip[at + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  ip[10] = static_cast<std::uint8_t>(~sum >> 8);
  ip[11] = static_cast<std::uint8_t>(~sum);
  return whole;
}

// A fragment's story goes on in the agent, with the whole datagram; its ports are in the first fragment.
Result<void> tell_datagram(const Datapath& datapath, const std::string& interface, std::span<const std::uint8_t> frame,
                           std::size_t network, std::vector<std::string>& steps) {
  steps.push_back("a fragment: goes up to the agent, which waits for the others and puts the datagram together");
  if ((frame[network + 6] & 0x1f) != 0 || frame[network + 7] != 0) {
    steps.push_back("whose ports are in its first fragment: explain that one to hear what becomes of it");
    return {};
  }
  const Explanation whole = TRY(explain(datapath, interface, made_whole(frame, network)));
  steps.insert(steps.end(), whole.steps.begin() + 1, whole.steps.end());
  steps.push_back(fmt::format("the datagram's own end: {} ({}), in fragments again if the way out needs it",
                              whole.verdict, whole.sentence));
  return {};
}

}  // namespace

Result<Explanation> explain(const Datapath& datapath, const std::string& interface,
                            std::span<const std::uint8_t> frame) {
  const std::uint32_t ifindex = if_nametoindex(interface.c_str());
  if (ifindex == 0) return fail("there is no interface " + interface);
  const std::unique_ptr<std::uint8_t[]> block(new std::uint8_t[frame.size() + kAlignment]);
  std::copy(frame.begin(), frame.end(), block.get() + kAlignment);
  const std::span<std::uint8_t> copy(block.get() + kAlignment, frame.size());

  ExplainWorld world(datapath.tables(), datapath.options());
  core_result result{};
  core_translate(&ExplainWorld::verbs(), &world, copy.data(), copy.size(), ifindex, &result);

  Explanation explanation{
      .verdict = core_verdict_name(result.verdict),
      .fate = std::array{"forward", "pass", "answer", "punt", "refuse", "drop"}[core_fate(result.verdict)],
      .sentence = core_verdict_sentence(result.verdict),
      .steps = {}};
  const std::size_t network =
      std::min<std::size_t>(result.network_offset == 0 ? 14 : result.network_offset, copy.size());
  explanation.steps.push_back(fmt::format("comes in by {}: {}", interface, packet_text(frame.subspan(network))));
  if (result.verdict == VERDICT_FRAGMENT) {
    TRY_VOID(tell_datagram(datapath, interface, frame, network, explanation.steps));
    return explanation;
  }
  tell_mapping(datapath, world, result, explanation.steps);
  tell_way(world, explanation.steps);
  if (!std::equal(frame.begin() + static_cast<std::ptrdiff_t>(network), frame.end(),
                  copy.begin() + static_cast<std::ptrdiff_t>(network)))
    explanation.steps.push_back("becomes: " + packet_text(copy.subspan(network)));
  return explanation;
}

}  // namespace apnat
