// check.cpp - the sections that say nothing of addresses and ports, and the order of the whole.
#include "config/check.h"

#include <algorithm>
#include <set>

#include "config/check_rules.h"

namespace apnat {
namespace {

void check_node(const Config& config, Complaints& complaints) {
  auto is_name = [](char c) {
    return std::string_view("._-").contains(c) || std::isalnum(static_cast<unsigned char>(c));
  };
  if (config.node_name.size() > limits::kNodeName || !std::ranges::all_of(config.node_name, is_name)) {
    complaints.add(
        config.node_name_at,
        fmt::format("name of the node: write at most {} letters, digits, '.', '_' and '-'", limits::kNodeName));
  }
}

void check_path(Complaints& complaints, Where where, std::string_view key, const std::filesystem::path& path) {
  if (path.is_absolute() && path.native().find('\0') == std::string::npos) return;
  complaints.add(where, fmt::format("{} is \"{}\"; write an absolute path", key, path.string()));
}

void check_paths(const PathsConfig& paths, Complaints& complaints) {
  check_path(complaints, paths.socket_at, "socket", paths.socket);
  check_path(complaints, paths.bpffs_at, "bpffs", paths.bpffs);
  check_path(complaints, paths.state_at, "state", paths.state);
  if (paths.socket.native().size() > limits::kSocketPath) {
    complaints.add(paths.socket_at, fmt::format("socket is {} bytes long; a socket's path has at most {}",
                                                paths.socket.native().size(), limits::kSocketPath));
  }
}

void check_interface_names(const std::vector<InterfaceName>& names, std::string_view realm, Where section,
                           Complaints& complaints) {
  if (names.empty()) complaints.add(section, fmt::format("no {} interface; name at least one", realm));
  std::set<std::string_view> seen;
  for (const InterfaceName& interface : names) {
    const bool fits = !interface.name.empty() && interface.name.size() <= limits::kInterfaceName;
    const bool clean = std::ranges::none_of(interface.name, [](char c) { return c == '/' || c <= ' ' || c == 0x7f; });
    if (!fits || !clean) {
      complaints.add(interface.where, fmt::format("{} interface: a name has 1 to {} characters, no blanks and no '/'",
                                                  realm, limits::kInterfaceName));
    } else if (!seen.insert(interface.name).second) {
      complaints.add(interface.where,
                     fmt::format("{} interface {} is named twice; once is enough", realm, interface.name));
    }
  }
}

void check_timeouts(const TimeoutsConfig& timeouts, Complaints& complaints) {
  struct Rule {
    std::string_view key;
    std::uint32_t value;
    std::uint32_t least;
    std::string_view source;
    Where where;
    Limits limits;
  };
  const Rule rules[] = {
      {"udp", timeouts.udp, 120, "RFC 4787 REQ-5", timeouts.udp_at, limits::kSeconds},
      {"tcp_established", timeouts.tcp_established, 7440, "RFC 5382 REQ-5", timeouts.tcp_established_at,
       limits::kSeconds},
      {"tcp_transitory", timeouts.tcp_transitory, 240, "RFC 5382 REQ-5", timeouts.tcp_transitory_at, limits::kSeconds},
      {"icmp", timeouts.icmp, 60, "RFC 5508 REQ-2", timeouts.icmp_at, limits::kSeconds},
      {"hold_down", timeouts.hold_down, 120, "RFC 6888 REQ-8", timeouts.hold_down_at, limits::kHoldDown},
  };
  for (const Rule& rule : rules) {
    const Where where = at_or(rule.where, timeouts.where);
    if (!check_number(complaints, where, rule.key, rule.value, rule.limits)) continue;
    if (rule.value >= rule.least || timeouts.allow_below_rfc) continue;
    complaints.add(where, fmt::format("{} is {} s; {} wants at least {}, or write allow_below_rfc = true in [timeouts]",
                                      rule.key, rule.value, rule.source, rule.least));
  }
  check_number(complaints, at_or(timeouts.block_idle_at, timeouts.where), "block_idle", timeouts.block_idle,
               limits::kSeconds);
}

void check_fragments(const FragmentsConfig& fragments, Complaints& complaints) {
  check_number(complaints, at_or(fragments.timeout_at, fragments.where), "timeout", fragments.timeout,
               limits::kFragmentTimeout);
  check_number(complaints, at_or(fragments.per_source_at, fragments.where), "per_source", fragments.per_source,
               limits::kPerSource);
  // Not kFragmentMemory.allow: a size from the file may be larger than its numbers are.
  if (fragments.memory >= std::uint64_t{limits::kFragmentMemory.least} &&
      fragments.memory <= std::uint64_t{limits::kFragmentMemory.most}) {
    return;
  }
  complaints.add(
      at_or(fragments.memory_at, fragments.where),
      fmt::format("memory is {}; write a size from {} to {}", text_of_bytes(fragments.memory),
                  text_of_bytes(limits::kFragmentMemory.least), text_of_bytes(limits::kFragmentMemory.most)));
}

void check_mtu(const MtuConfig& mtu, Complaints& complaints) {
  if (mtu.tcp_mss_clamp != 0 && !limits::kMssClamp.allow(mtu.tcp_mss_clamp)) {
    complaints.add(mtu.tcp_mss_clamp_at,
                   fmt::format("tcp_mss_clamp is {}; write 0 (off) or a number from {} to {}", mtu.tcp_mss_clamp,
                               limits::kMssClamp.least, limits::kMssClamp.most));
  }
  check_number(complaints, mtu.packet_too_big_floor_at, "packet_too_big_floor", mtu.packet_too_big_floor,
               limits::kPacketTooBigFloor);
}

void check_event_sinks(const std::vector<EventSinkConfig>& sinks, Complaints& complaints) {
  std::set<std::filesystem::path> seen;
  for (const EventSinkConfig& sink : sinks) {
    const Where where = at_or(sink.path_at, sink.where);
    const bool to_file = sink.type == SinkType::kFile;
    if (!to_file && !sink.path.empty()) {
      complaints.add(where, "path is for a sink of type \"file\"; take it out");
    } else if (to_file && sink.path.empty()) {
      complaints.add(where, "a sink of type \"file\" needs a path");
    } else if (to_file) {
      check_path(complaints, where, "path", sink.path);
    }
    if (!seen.insert(sink.path.lexically_normal()).second) {
      complaints.add(where, "the same sink twice: every event would be written double; take one out");
    }
  }
}

}  // namespace

Result<void> check(const Config& config) {
  Complaints complaints;
  check_node(config, complaints);
  check_paths(config.paths, complaints);
  check_interface_names(config.interfaces.internal, "internal", config.interfaces.where, complaints);
  check_interface_names(config.interfaces.external, "external", config.interfaces.where, complaints);
  check_pools(config, complaints);
  check_overlaps(config, complaints);
  check_capacity(config, complaints);
  check_static_blocks(config, complaints);
  check_forwards(config, complaints);
  check_timeouts(config.timeouts, complaints);
  check_number(complaints, at_or(config.ipv4_id.uniqueness_seconds_at, config.ipv4_id.where), "uniqueness_seconds",
               config.ipv4_id.uniqueness_seconds, limits::kUniquenessSeconds);
  check_fragments(config.fragments, complaints);
  check_mtu(config.mtu, complaints);
  check_event_sinks(config.event_sinks, complaints);
  return complaints.result(config.file);
}

}  // namespace apnat
