// read.cpp - one function a section of the file, in the order of docs/configuration.md.
#include "config/read.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "config/read_event_sink.h"
#include "config/section.h"

namespace apnat {
namespace {

void read_node(Section section, Config& config) {
  section.text("name", config.node_name, &config.node_name_at);
  section.finish();
}

void read_paths(Section section, PathsConfig& paths) {
  section.path("socket", paths.socket, &paths.socket_at);
  section.path("bpffs", paths.bpffs, &paths.bpffs_at);
  section.path("state", paths.state, &paths.state_at);
  section.finish();
}

void read_interfaces(Section section, InterfacesConfig& interfaces) {
  interfaces.where = section.where();
  auto into = [](std::vector<InterfaceName>& names) {
    return [&names](const std::string& name, Where where) { names.push_back({name, where}); };
  };
  section.require("internal");
  section.list("internal", "a list such as [\"eth0\"]", into(interfaces.internal));
  section.require("external");
  section.list("external", "a list such as [\"eth1\"]", into(interfaces.external));
  section.word("mode", interfaces.mode,
               {{"auto", AttachMode::kAuto}, {"native", AttachMode::kNative}, {"generic", AttachMode::kGeneric}});
  section.finish();
}

void read_prefixes(Section& section, std::string_view key, std::string_view example, std::vector<PrefixAt>& prefixes) {
  section.require(key);
  section.list(key, example, [&](const std::string& text, Where where) {
    if (auto prefix = Prefix::parse(text)) {
      prefixes.push_back({*prefix, where});
    } else {
      section.complain(where, fmt::format("{}: {}", key, prefix.error().text));
    }
  });
}

void read_pool_ports(Section& section, PoolConfig& pool) {
  section.word("assignment", pool.assignment,
               {{"dynamic", ASSIGN_DYNAMIC}, {"deterministic", ASSIGN_DETERMINISTIC}, {"static", ASSIGN_STATIC}},
               &pool.assignment_at);
  section.parsed("ports", pool.ports, &PortRange::parse, "a range such as \"1024-65535\"", &pool.ports_at);
  if (auto size = section.number("block_size", limits::kBlockSize, &pool.block_size_at)) {
    pool.block_size = static_cast<std::uint32_t>(*size);
  }
  section.number("max_blocks", pool.max_blocks, limits::kMaxBlocks, &pool.max_blocks_at);
  section.number("first_block_reserve", pool.first_block_reserve, limits::kFirstBlockReserve,
                 &pool.first_block_reserve_at);
  section.number("max_new_mappings_per_second", pool.max_new_mappings_per_second, limits::kNewMappings,
                 &pool.max_new_mappings_per_second_at);
  section.number("subscriber_prefix_length", pool.subscriber_prefix_length, limits::kSubscriberPrefixLength,
                 &pool.subscriber_prefix_length_at);
  section.word("port_layout", pool.port_layout,
               {{"contiguous", LAYOUT_CONTIGUOUS}, {"psid", LAYOUT_PSID}, {"scattered", LAYOUT_SCATTERED}},
               &pool.port_layout_at);
  section.number("psid_offset", pool.psid_offset, limits::kPsidOffset, &pool.psid_offset_at);
}

PoolConfig read_pool(Section section) {
  PoolConfig pool;
  pool.where = section.where();
  section.require("name");
  section.text("name", pool.name, &pool.name_at);
  read_prefixes(section, "internal", "a list such as [\"100.64.0.0/16\"]", pool.internal);
  read_prefixes(section, "external", "a list such as [\"203.0.113.0/26\"]", pool.external);
  read_pool_ports(section, pool);
  section.word("filtering", pool.filtering, {{"endpoint_independent", FILTER_ENDPOINT_INDEPENDENT}}, nullptr,
               {"address_dependent", "address_and_port_dependent"});
  section.boolean("hairpinning", pool.hairpinning);
  section.word("log", pool.log,
               {{"blocks", LOG_BLOCKS},
                {"mappings", LOG_MAPPINGS},
                {"mappings_with_destination", LOG_MAPPINGS_WITH_DESTINATION}});
  section.word("on_log_failure", pool.continue_unlogged, {{"refuse", false}, {"continue", true}});
  section.boolean("proxy_arp", pool.proxy_arp);
  section.finish();
  return pool;
}

StaticBlockConfig read_static_block(Section section) {
  StaticBlockConfig block;
  block.where = section.where();
  for (const char* key : {"pool", "subscriber", "external_address", "ports"}) section.require(key);
  section.text("pool", block.pool, &block.pool_at);
  section.parsed("subscriber", block.subscriber, &Prefix::parse, "an address such as \"100.64.9.1\"",
                 &block.subscriber_at);
  section.parsed("external_address", block.external_address, &Ip4::parse, "an address such as \"203.0.113.70\"",
                 &block.external_address_at);
  section.parsed("ports", block.ports, &PortRange::parse, "a range such as \"8192-12287\"", &block.ports_at);
  section.finish();
  return block;
}

ForwardConfig read_forward(Section section) {
  ForwardConfig forward;
  forward.where = section.where();
  for (const char* key : {"pool", "protocol", "external", "internal"}) section.require(key);
  section.text("pool", forward.pool, &forward.pool_at);
  section.word("protocol", forward.protocol, {{"tcp", std::uint8_t{IPPROTO_TCP}}, {"udp", std::uint8_t{IPPROTO_UDP}}},
               &forward.protocol_at);
  section.parsed("external", forward.external, &Endpoint::parse, "an endpoint such as \"203.0.113.5:8080\"",
                 &forward.external_at);
  section.parsed("internal", forward.internal, &Endpoint::parse, "an endpoint such as \"100.64.3.7:80\"",
                 &forward.internal_at);
  section.finish();
  return forward;
}

void read_timeouts(Section section, TimeoutsConfig& timeouts) {
  timeouts.where = section.where();
  section.boolean("allow_below_rfc", timeouts.allow_below_rfc);
  section.number("udp", timeouts.udp, limits::kSeconds, &timeouts.udp_at);
  section.number("tcp_established", timeouts.tcp_established, limits::kSeconds, &timeouts.tcp_established_at);
  section.number("tcp_transitory", timeouts.tcp_transitory, limits::kSeconds, &timeouts.tcp_transitory_at);
  section.number("icmp", timeouts.icmp, limits::kSeconds, &timeouts.icmp_at);
  section.number("block_idle", timeouts.block_idle, limits::kSeconds, &timeouts.block_idle_at);
  section.number("hold_down", timeouts.hold_down, limits::kHoldDown, &timeouts.hold_down_at);
  section.finish();
}

void read_ipv4_id(Section section, Ipv4IdConfig& ipv4_id) {
  ipv4_id.where = section.where();
  section.word(
      "atomic", ipv4_id.atomic,
      {{"keep", AtomicId::kKeep}, {"zero", AtomicId::kZero}, {"random", AtomicId::kRandom}, {"low4", AtomicId::kLow4}});
  section.word("on_repeat", ipv4_id.on_repeat,
               {{"count", OnIdRepeat::kCount}, {"make_atomic", OnIdRepeat::kMakeAtomic}, {"drop", OnIdRepeat::kDrop}});
  section.number("uniqueness_seconds", ipv4_id.uniqueness_seconds, limits::kUniquenessSeconds,
                 &ipv4_id.uniqueness_seconds_at);
  section.finish();
}

void read_fragments(Section section, FragmentsConfig& fragments) {
  fragments.where = section.where();
  section.number("timeout", fragments.timeout, limits::kFragmentTimeout, &fragments.timeout_at);
  section.parsed("memory", fragments.memory, &parse_bytes, "a size such as \"64MiB\"", &fragments.memory_at);
  section.number("per_source", fragments.per_source, limits::kPerSource, &fragments.per_source_at);
  section.word("overlap", fragments.overlap, {{"kill", Overlap::kKill}, {"first_wins", Overlap::kFirstWins}});
  section.finish();
}

void read_mtu(Section section, MtuConfig& mtu) {
  section.number("tcp_mss_clamp", mtu.tcp_mss_clamp, {0, limits::kMssClamp.most}, &mtu.tcp_mss_clamp_at);
  section.number("packet_too_big_floor", mtu.packet_too_big_floor, limits::kPacketTooBigFloor,
                 &mtu.packet_too_big_floor_at);
  section.finish();
}

// "365d", "26w"; whole days, because the history is kept by the day.
std::optional<std::chrono::seconds> parse_retention(std::string_view text) {
  const std::string_view digits = text.substr(0, text.empty() ? 0 : text.size() - 1);
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (error != std::errc() || end != digits.data() + digits.size() || count < 1) return std::nullopt;
  const std::int64_t days = text.back() == 'd' ? count : text.back() == 'w' && count < 10'000 ? 7 * count : 0;
  if (!limits::kRetentionDays.allow(days)) return std::nullopt;
  return std::chrono::days(days);
}

void read_history(Section section, HistoryConfig& history) {
  section.parsed("retention", history.retention, &parse_retention,
                 "a number of days or weeks such as \"365d\" or \"26w\", at most 3660 days", &history.retention_at);
  section.finish();
}

// The file's top: which sections there are, and which of them may stand there several times.
class Root {
 public:
  Root(const toml::table& table, Complaints& complaints) : table_(table), complaints_(complaints) {}

  std::optional<Section> one(std::string_view name) {
    known_.push_back(name);
    const toml::node* node = table_.get(name);
    if (!node) return std::nullopt;
    if (const toml::table* table = node->as_table()) return Section(*table, fmt::format("[{}]", name), complaints_);
    complaints_.add(where_of(*node), fmt::format("{0} is {1}; write [{0}], once", name, kind_of(*node)));
    return std::nullopt;
  }

  template <typename Each>
  void each(std::string_view name, Each read) {
    known_.push_back(name);
    const toml::node* node = table_.get(name);
    if (!node) return;
    const toml::array* array = node->as_array();
    if (!array) {
      complaints_.add(where_of(*node),
                      fmt::format("{0} stands in single brackets; write [[{0}]], once for each", name));
      return;
    }
    for (const toml::node& element : *array) {
      if (const toml::table* table = element.as_table()) {
        read(Section(*table, fmt::format("[[{}]]", name), complaints_));
      } else {
        complaints_.add(where_of(element), fmt::format("{0} holds {1}; write [[{0}]]", name, kind_of(element)));
      }
    }
  }

  void finish() {
    Section rest(table_, "the file", complaints_);
    rest.finish(known_);
  }

 private:
  const toml::table& table_;
  Complaints& complaints_;
  std::vector<std::string_view> known_;
};

void read_root(const toml::table& table, Complaints& complaints, Config& config) {
  Root root(table, complaints);
  if (auto section = root.one("node")) read_node(*section, config);
  if (auto section = root.one("paths")) read_paths(*section, config.paths);
  if (auto section = root.one("interfaces")) read_interfaces(*section, config.interfaces);
  root.each("pool", [&](Section section) { config.pools.push_back(read_pool(section)); });
  root.each("static_block", [&](Section section) { config.static_blocks.push_back(read_static_block(section)); });
  root.each("forward", [&](Section section) { config.forwards.push_back(read_forward(section)); });
  if (auto section = root.one("timeouts")) read_timeouts(*section, config.timeouts);
  if (auto section = root.one("ipv4_id")) read_ipv4_id(*section, config.ipv4_id);
  if (auto section = root.one("fragments")) read_fragments(*section, config.fragments);
  if (auto section = root.one("mtu")) read_mtu(*section, config.mtu);
  root.each("event_sink", [&](Section section) { config.event_sinks.push_back(read_event_sink(section)); });
  if (auto section = root.one("history")) read_history(*section, config.history);
  root.finish();
}

}  // namespace

Result<Config> read_config_text(std::string_view text, const std::filesystem::path& name) {
  Complaints complaints;
  Config config;
  config.file = name;
  try {
    read_root(toml::parse(text, name.string()), complaints, config);
  } catch (const toml::parse_error& error) {
    complaints.add(where_of(error.source()), std::string(error.description()));
  }
  TRY_VOID(complaints.result(name));
  return config;
}

Result<Config> read_config(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail(errno, path.string());
  // Not a device, nor a FIFO that never ends.
  if (!S_ISREG(status.st_mode)) return fail(path.string() + ": not a file");
  if (static_cast<std::uint64_t>(status.st_size) > limits::kFileBytes) {
    return fail(fmt::format("{}: {} bytes are too many for a configuration", path.string(), status.st_size));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(errno, path.string());
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return fail(EIO, path.string());
  return read_config_text(text.view(), path);
}

}  // namespace apnat
