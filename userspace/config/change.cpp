// change.cpp - two plans side by side, in words.
#include "config/change.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace apnat {
namespace {

template <typename T>
void compare(std::vector<std::string>& lines, std::string_view what, const T& before, const T& after) {
  if (before != after) lines.push_back(fmt::format("{} {} -> {}", what, before, after));
}

std::string_view yes_no(bool value) { return value ? "true" : "false"; }

Result<void> refuse_moving(const PathsConfig& running, const PathsConfig& wanted) {
  struct Path {
    std::string_view key;
    const std::filesystem::path& before;
    const std::filesystem::path& after;
  };
  for (const Path& path : {Path{"socket", running.socket, wanted.socket}, Path{"bpffs", running.bpffs, wanted.bpffs},
                           Path{"state", running.state, wanted.state}}) {
    if (path.before == path.after) continue;
    return fail(fmt::format("paths.{} {} -> {}: a running agent does not move; restart it", path.key,
                            path.before.string(), path.after.string()));
  }
  return {};
}

// ---- what is in one list and not in the other

template <typename T>
std::vector<T> without(const std::vector<T>& all, const std::vector<T>& taken) {
  const std::set<T> gone(taken.begin(), taken.end());
  std::vector<T> left;
  std::ranges::copy_if(all, std::back_inserter(left), [&](const T& item) { return !gone.contains(item); });
  return left;
}

std::string text_of(const Prefix& prefix) { return prefix.text(); }
std::string text_of(Ip4 address) { return address.text(); }
std::string text_of(const std::string& text) { return text; }

// A line that lists a handful and counts the rest.
template <typename T>
std::string listed(const std::vector<T>& items) {
  constexpr std::size_t kShown = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(items.size(), kShown); ++i) text += (i ? ", " : "") + text_of(items[i]);
  if (items.size() > kShown) text += fmt::format(" and {} more", items.size() - kShown);
  return text;
}

template <typename T>
void compare_lists(std::vector<std::string>& lines, std::string_view what, std::string_view loss,
                   const std::vector<T>& before, const std::vector<T>& after) {
  if (const auto added = without(after, before); !added.empty()) {
    lines.push_back(fmt::format("{} {} added", what, listed(added)));
  }
  if (const auto removed = without(before, after); !removed.empty()) {
    lines.push_back(fmt::format("{} {} removed; {}", what, listed(removed), loss));
  }
}

// ---- pools

template <typename T>
bool begins_with(const std::vector<T>& longer, const std::vector<T>& start) {
  return longer.size() >= start.size() && std::equal(start.begin(), start.end(), longer.begin());
}

// Whether a mapping of `before` would stand at its place in `after` too.
bool same_shape(const PlannedPool& before, const PlannedPool& after) {
  const struct pool& one = before.row;
  const struct pool& other = after.row;
  const bool same_rows = one.assignment == other.assignment && one.port_layout == other.port_layout &&
                         one.block_size_log2 == other.block_size_log2 && one.psid_offset == other.psid_offset &&
                         one.subscriber_prefix_length == other.subscriber_prefix_length;
  if (!same_rows || one.assignment != ASSIGN_DETERMINISTIC) return same_rows;
  // The n-th subscriber keeps its range only if those before it, and the division, stay.
  return before.deterministic_ratio == after.deterministic_ratio && before.ports == after.ports &&
         begins_with(after.internal, before.internal) && begins_with(after.external, before.external);
}

std::vector<std::string> static_block_texts(const PlannedPool& pool) {
  std::vector<std::string> texts;
  for (const PlannedBlock& block : pool.static_blocks) {
    texts.push_back(fmt::format("{} {} {}", block.subscriber.text(), block.external_address.text(),
                                PortRange{block.slots.first, block.slots.last}.text()));
  }
  return texts;
}

void compare_rows(std::vector<std::string>& lines, const PlannedPool& before, const PlannedPool& after) {
  const struct pool& one = before.row;
  const struct pool& other = after.row;
  auto flag = [&](std::string_view what, int bit) {
    compare(lines, what, yes_no(one.flags & bit), yes_no(other.flags & bit));
  };
  auto size = [](const struct pool& row) { return row.block_size_log2 ? 1 << row.block_size_log2 : 0; };
  compare(lines, "assignment", word_of(static_cast<enum assignment>(one.assignment)),
          word_of(static_cast<enum assignment>(other.assignment)));
  compare(lines, "ports", before.ports.text(), after.ports.text());
  if (size(one) && size(other)) compare(lines, "block_size", size(one), size(other));
  compare(lines, "max_blocks", int{one.max_blocks}, int{other.max_blocks});
  compare(lines, "first_block_reserve", int{one.first_block_reserve}, int{other.first_block_reserve});
  compare(lines, "max_new_mappings_per_second", std::uint32_t{one.max_new_mappings_per_second},
          std::uint32_t{other.max_new_mappings_per_second});
  compare(lines, "subscriber_prefix_length", int{one.subscriber_prefix_length}, int{other.subscriber_prefix_length});
  compare(lines, "port_layout", word_of(static_cast<enum port_layout>(one.port_layout)),
          word_of(static_cast<enum port_layout>(other.port_layout)));
  compare(lines, "psid_offset", int{one.psid_offset}, int{other.psid_offset});
  compare(lines, "sharing ratio", before.deterministic_ratio, after.deterministic_ratio);
  flag("hairpinning", POOL_HAIRPINNING);
  compare(lines, "log", word_of(static_cast<enum log_level>(one.log)), word_of(static_cast<enum log_level>(other.log)));
  auto on_failure = [](const struct pool& row) { return row.flags & POOL_CONTINUE_UNLOGGED ? "continue" : "refuse"; };
  compare(lines, "on_log_failure", std::string_view(on_failure(one)), std::string_view(on_failure(other)));
  flag("proxy_arp", POOL_PROXY_ARP);
}

void compare_pool(Change& change, const PlannedPool& before, const PlannedPool& after) {
  std::vector<std::string> lines;
  compare_rows(lines, before, after);
  compare_lists(lines, "internal", "mappings of subscribers that are in no prefix now end", before.internal,
                after.internal);
  compare_lists(lines, "external", "mappings there end", before.external, after.external);
  compare_lists(lines, "static_block", "its mappings end", static_block_texts(before), static_block_texts(after));
  for (const std::string& line : lines) change.lines.push_back(fmt::format("pool {}: {}", after.name, line));
  if (same_shape(before, after)) return;
  change.ended_pools.push_back(after.name);
  change.lines.push_back(fmt::format("pool {}: its ports are given out anew; its mappings end", after.name));
}

void compare_pools(Change& change, const std::vector<PlannedPool>& running, const std::vector<PlannedPool>& wanted) {
  for (const PlannedPool& before : running) {
    const auto after = std::ranges::find(wanted, before.name, &PlannedPool::name);
    if (after != wanted.end()) {
      compare_pool(change, before, *after);
      continue;
    }
    change.ended_pools.push_back(before.name);
    change.lines.push_back(fmt::format("pool {}: removed; its mappings end", before.name));
  }
  for (const PlannedPool& after : wanted) {
    if (std::ranges::count(running, after.name, &PlannedPool::name)) continue;
    change.lines.push_back(fmt::format("pool {}: added, {} external addresses for {} subscribers", after.name,
                                       after.external.size(), after.subscriber_count()));
  }
}

// ---- the rest

std::vector<std::string> forward_texts(const std::vector<PlannedForward>& forwards) {
  std::vector<std::string> texts;
  for (const PlannedForward& forward : forwards) {
    texts.push_back(fmt::format("{} {} -> {} (pool {})", protocol_name(forward.protocol), forward.external.text(),
                                forward.internal.text(), forward.pool));
  }
  return texts;
}

std::string_view role_of(const PlannedInterface& interface) {
  if (interface.internal && interface.external) return "internal+external";
  return interface.internal ? "internal" : "external";
}

void compare_interfaces(Change& change, const Plan& running, const Plan& wanted) {
  std::vector<std::string> lines;
  for (const PlannedInterface& before : running.interfaces) {
    const auto after = std::ranges::find(wanted.interfaces, before.name, &PlannedInterface::name);
    if (after == wanted.interfaces.end()) {
      lines.push_back(fmt::format("interface {}: let go", before.name));
    } else {
      compare(lines, fmt::format("interface {}:", before.name), role_of(before), role_of(*after));
    }
  }
  for (const PlannedInterface& after : wanted.interfaces) {
    if (std::ranges::count(running.interfaces, after.name, &PlannedInterface::name)) continue;
    lines.push_back(fmt::format("interface {}: taken, {}", after.name, role_of(after)));
  }
  compare(lines, "interfaces.mode", word_of(running.config.interfaces.mode), word_of(wanted.config.interfaces.mode));
  change.interfaces_changed = !lines.empty();
  change.lines.insert(change.lines.end(), lines.begin(), lines.end());
}

void compare_timeouts(std::vector<std::string>& lines, const TimeoutsConfig& before, const TimeoutsConfig& after) {
  compare(lines, "timeouts.udp", before.udp, after.udp);
  compare(lines, "timeouts.tcp_established", before.tcp_established, after.tcp_established);
  compare(lines, "timeouts.tcp_transitory", before.tcp_transitory, after.tcp_transitory);
  compare(lines, "timeouts.icmp", before.icmp, after.icmp);
  compare(lines, "timeouts.block_idle", before.block_idle, after.block_idle);
  compare(lines, "timeouts.hold_down", before.hold_down, after.hold_down);
}

void compare_fragments(std::vector<std::string>& lines, const Config& before, const Config& after) {
  compare(lines, "ipv4_id.atomic", word_of(before.ipv4_id.atomic), word_of(after.ipv4_id.atomic));
  compare(lines, "ipv4_id.on_repeat", word_of(before.ipv4_id.on_repeat), word_of(after.ipv4_id.on_repeat));
  compare(lines, "ipv4_id.uniqueness_seconds", before.ipv4_id.uniqueness_seconds, after.ipv4_id.uniqueness_seconds);
  compare(lines, "fragments.timeout", before.fragments.timeout, after.fragments.timeout);
  compare(lines, "fragments.memory", text_of_bytes(before.fragments.memory), text_of_bytes(after.fragments.memory));
  compare(lines, "fragments.per_source", before.fragments.per_source, after.fragments.per_source);
  compare(lines, "fragments.overlap", word_of(before.fragments.overlap), word_of(after.fragments.overlap));
}

std::int64_t days_of(const HistoryConfig& history) {
  return std::chrono::floor<std::chrono::days>(history.retention).count();
}

std::vector<std::string> sink_texts(const std::vector<EventSinkConfig>& sinks) {
  std::vector<std::string> texts;
  for (const EventSinkConfig& sink : sinks) texts.push_back(sink_text(sink));
  return texts;
}

// The same receiver, spoken to in another way: the sink is opened anew over the same spool.
void compare_sinks(std::vector<std::string>& lines, const std::vector<EventSinkConfig>& before,
                   const std::vector<EventSinkConfig>& after) {
  for (const EventSinkConfig& was : before) {
    for (const EventSinkConfig& is : after) {
      if (sink_text(was) != sink_text(is) || sink_fingerprint(was) == sink_fingerprint(is)) continue;
      lines.push_back(fmt::format("event_sink {}: other settings", sink_text(is)));
    }
  }
}

}  // namespace

Result<Change> change(const Plan& running, const Plan& wanted) {
  TRY_VOID(refuse_moving(running.config.paths, wanted.config.paths));
  Change change;
  compare(change.lines, "node.name", running.config.node_name, wanted.config.node_name);
  compare_interfaces(change, running, wanted);
  compare_pools(change, running.pools, wanted.pools);
  compare_lists(change.lines, "forward", "its mapping ends", forward_texts(running.forwards),
                forward_texts(wanted.forwards));
  compare_timeouts(change.lines, running.config.timeouts, wanted.config.timeouts);
  compare_fragments(change.lines, running.config, wanted.config);
  compare(change.lines, "mtu.tcp_mss_clamp", running.config.mtu.tcp_mss_clamp, wanted.config.mtu.tcp_mss_clamp);
  compare(change.lines, "mtu.packet_too_big_floor", running.config.mtu.packet_too_big_floor,
          wanted.config.mtu.packet_too_big_floor);
  compare_lists(change.lines, "event_sink", "no more events go there", sink_texts(running.config.event_sinks),
                sink_texts(wanted.config.event_sinks));
  compare_sinks(change.lines, running.config.event_sinks, wanted.config.event_sinks);
  compare(change.lines, "history.retention, days", days_of(running.config.history), days_of(wanted.config.history));
  change.options_changed = std::memcmp(&running.options, &wanted.options, sizeof(struct options)) != 0;
  return change;
}

}  // namespace apnat
