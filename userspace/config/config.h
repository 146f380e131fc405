// config.h - what the operator writes, as plain values with their defaults.
// One struct a TOML table, one member a key, the same words (docs/configuration.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apnat/tables.h"
#include "config/event_sink.h"
#include "config/where.h"
#include "net/address.h"
#include "net/port_range.h"

namespace apnat {

struct PathsConfig {
  std::filesystem::path socket = "/run/apnat/apnatd.sock";
  std::filesystem::path bpffs = "/sys/fs/bpf/apnat";
  std::filesystem::path state = "/var/lib/apnat";
  Where socket_at, bpffs_at, state_at;
};

enum class AttachMode { kAuto, kNative, kGeneric };

struct InterfaceName {
  std::string name;
  Where where;
};

struct InterfacesConfig {
  std::vector<InterfaceName> internal;
  std::vector<InterfaceName> external;
  AttachMode mode = AttachMode::kAuto;
  Where where;
};

struct PrefixAt {
  Prefix prefix;
  Where where;
};

struct PoolConfig {
  std::string name;
  std::vector<PrefixAt> internal;
  std::vector<PrefixAt> external;
  enum assignment assignment = ASSIGN_DYNAMIC;
  PortRange ports{1024, 65535};
  std::optional<std::uint32_t> block_size;  // default 512; deterministic: none, the division gives it
  std::uint32_t max_blocks = 4;
  std::uint32_t first_block_reserve = 0;  // blocks of each address kept for subscribers without one
  std::uint32_t max_new_mappings_per_second = 0;
  int subscriber_prefix_length = 32;
  enum port_layout port_layout = LAYOUT_CONTIGUOUS;
  int psid_offset = 6;  // a of RFC 7597; with block_size it fixes k and m
  enum filtering filtering = FILTER_ENDPOINT_INDEPENDENT;
  bool hairpinning = true;
  enum log_level log = LOG_BLOCKS;
  bool continue_unlogged = false;  // on_log_failure = "continue"
  bool proxy_arp = false;
  Where where;  // of the table
  Where block_size_at, ports_at, max_blocks_at, assignment_at, port_layout_at;
  Where name_at, first_block_reserve_at, max_new_mappings_per_second_at, subscriber_prefix_length_at, psid_offset_at;
};

struct StaticBlockConfig {
  std::string pool;
  Prefix subscriber;  // an address, or a prefix of the pool's subscriber_prefix_length
  Ip4 external_address;
  PortRange ports;
  Where where;
  Where pool_at, subscriber_at, external_address_at, ports_at;
};

struct ForwardConfig {
  std::string pool;
  std::uint8_t protocol = 0;
  Endpoint external;
  Endpoint internal;
  Where where;
  Where pool_at, protocol_at, external_at, internal_at;
};

struct TimeoutsConfig {
  bool allow_below_rfc = false;
  std::uint32_t udp = 300;
  std::uint32_t tcp_established = 7440;
  std::uint32_t tcp_transitory = 240;
  std::uint32_t icmp = 60;
  std::uint32_t block_idle = 600;
  std::uint32_t hold_down = 120;
  Where where;
  Where udp_at, tcp_established_at, tcp_transitory_at, icmp_at, hold_down_at;
  Where block_idle_at;
};

// What becomes of the ID of an atomic packet, which means nothing (RFC 6864 section 4.1).
enum class AtomicId { kKeep, kZero, kRandom, kLow4 };
// What becomes of a packet whose ID would have to repeat within the interval.
enum class OnIdRepeat { kCount, kMakeAtomic, kDrop };

struct Ipv4IdConfig {
  AtomicId atomic = AtomicId::kKeep;
  OnIdRepeat on_repeat = OnIdRepeat::kCount;
  std::uint32_t uniqueness_seconds = 120;
  Where where;
  Where uniqueness_seconds_at;
};

// What becomes of a datagram whose fragments overlap and are no exact duplicates.
enum class Overlap { kKill, kFirstWins };

struct FragmentsConfig {
  std::uint32_t timeout = 5;                       // seconds, from the fragment that arrived first
  std::uint64_t memory = std::uint64_t{64} << 20;  // bytes, bookkeeping included
  std::uint32_t per_source = 64;                   // datagrams of one source being put together
  Overlap overlap = Overlap::kKill;
  Where where;
  Where timeout_at, memory_at, per_source_at;
};

struct MtuConfig {
  std::uint16_t tcp_mss_clamp = 0;
  std::uint16_t packet_too_big_floor = 576;
  Where tcp_mss_clamp_at, packet_too_big_floor_at;
};

struct HistoryConfig {
  std::chrono::seconds retention = std::chrono::days(365);
  Where retention_at;
};

struct Config {
  std::filesystem::path file;  // where it was read
  std::string node_name;       // empty: the host's name
  Where node_name_at;
  PathsConfig paths;
  InterfacesConfig interfaces;
  std::vector<PoolConfig> pools;
  std::vector<StaticBlockConfig> static_blocks;
  std::vector<ForwardConfig> forwards;
  TimeoutsConfig timeouts;
  Ipv4IdConfig ipv4_id;
  FragmentsConfig fragments;
  MtuConfig mtu;
  std::vector<EventSinkConfig> event_sinks;
  HistoryConfig history;
};

// The words of the file for its choices.
std::string_view word_of(enum assignment assignment);
std::string_view word_of(enum port_layout layout);
std::string_view word_of(enum log_level log);
std::string_view word_of(AttachMode mode);
std::string_view word_of(AtomicId atomic);
std::string_view word_of(OnIdRepeat on_repeat);
std::string_view word_of(Overlap overlap);
// A number of bytes as the file has it: "64MiB", "1536KiB", "1000B".
std::optional<std::uint64_t> parse_bytes(std::string_view text);
std::string text_of_bytes(std::uint64_t bytes);

}  // namespace apnat
