// The tables of one dynamic pool, filled by hand: what apnatd would write for
//   internal = 100.64.0.0/16, external = 203.0.113.0/25, ports 1024-65535,
//   block_size = 512, max_blocks = 8
#include <apnat/options.h>
#include <apnat/tables.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "gateway.h"
#include "nat.skel.h"

namespace apnat::bench {

namespace {

constexpr std::uint32_t kInternalNet = 0x64400000;  // 100.64.0.0
constexpr std::uint32_t kExternalNet = 0xcb007100;  // 203.0.113.0
constexpr std::uint32_t kExternalAddresses = 128;
constexpr std::uint32_t kSubscribers = 65536;
constexpr std::uint32_t kBlockSizeLog2 = 9;
constexpr std::uint16_t kExternalPage = 1;
constexpr std::uint16_t kInternalPage = 2;
constexpr std::array<std::uint64_t, 4> kSecret = {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
                                                  0x082efa98ec4e6c89};

std::uint32_t ticks(std::uint64_t seconds) { return static_cast<std::uint32_t>(seconds * 1'000'000'000 >> TICK_SHIFT); }

Result<void> shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) return fail("failed: " + command);
  return {};
}

template <typename Row>
Result<void> put(bpf_map* map, std::uint32_t index, const Row& row) {
  if (bpf_map__value_size(map) != sizeof(Row)) return fail(std::string("other rows in ") + bpf_map__name(map));
  if (bpf_map_update_elem(bpf_map__fd(map), &index, &row, BPF_ANY) != 0)
    return fail(errno, std::string("fill ") + bpf_map__name(map));
  return {};
}

}  // namespace

Standalone::Standalone(nat_bpf* skeleton) : skeleton_(skeleton) {}
Standalone::Standalone(Standalone&&) noexcept = default;
Standalone::~Standalone() = default;
void Standalone::Destroy::operator()(nat_bpf* skeleton) const { nat_bpf::destroy(skeleton); }

Result<Standalone> Standalone::make() {
  Standalone standalone(nat_bpf::open());
  if (!standalone.skeleton_) return fail(errno, "open the translator");
  TRY_VOID(standalone.load());
  TRY_VOID(standalone.add_pool());
  TRY_VOID(standalone.add_directory());
  TRY_VOID(standalone.add_subscribers());
  return standalone;
}

Result<Standalone> Standalone::with_own_network() {
  TRY_VOID(lay_network());
  return in_this_network();
}

Result<Standalone> Standalone::in_this_network() {
  Standalone standalone = TRY(make());
  TRY_VOID(standalone.add_interfaces());
  return standalone;
}

Result<void> Standalone::add_interfaces() {
  gateway_.inside = if_nametoindex("inside");
  gateway_.outside = if_nametoindex("outside");
  if (gateway_.inside == 0 || gateway_.outside == 0) return fail("no interfaces `inside` and `outside` here");
  TRY_VOID(add_interface(gateway_.inside, INTERFACE_INTERNAL | INTERFACE_EGRESS));
  return add_interface(gateway_.outside, INTERFACE_EXTERNAL | INTERFACE_EGRESS);
}

Result<void> Standalone::attach() {
  for (const unsigned ifindex : {gateway_.inside, gateway_.outside})
    if (bpf_xdp_attach(static_cast<int>(ifindex), gateway_.program, XDP_FLAGS_DRV_MODE, nullptr) != 0)
      return fail(errno, "attach the translator");
  return {};
}

Result<void> Standalone::pin(const std::string& directory) {
  const auto pin_fd = [&](int fd, const char* name) -> Result<void> {
    if (bpf_obj_pin(fd, (directory + "/" + name).c_str()) != 0) return fail(errno, directory + "/" + name);
    return {};
  };
  std::filesystem::create_directories(directory + "/maps");
  TRY_VOID(pin_fd(gateway_.program, "apnat"));
  TRY_VOID(pin_fd(gateway_.mapping_tables, "maps/mapping_tables"));
  TRY_VOID(pin_fd(gateway_.external_addresses, "maps/external_addresses"));
  TRY_VOID(pin_fd(bpf_map__fd(skeleton_->maps.block_tables), "maps/block_tables"));
  return pin_fd(gateway_.verdicts, "maps/verdict_counters");
}

// Two veth pairs whose far ends stay here too: nothing is ever received, the FIB only has to find a way.
Result<void> Standalone::lay_network() {
  if (unshare(CLONE_NEWNET) != 0) return fail(errno, "make a network namespace");
  TRY_VOID(shell(
      "ip link add inside type veth peer name inside-far && ip link add outside type veth peer name outside-far"));
  for (const char* device : {"lo", "inside", "inside-far", "outside", "outside-far"})
    TRY_VOID(shell(fmt::format("ip link set {} up", device)));
  TRY_VOID(shell("ip addr add 192.0.2.1/24 dev inside && ip addr add 198.51.100.1/30 dev outside"));
  TRY_VOID(shell("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev inside nud permanent"));
  TRY_VOID(shell("ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:04 dev outside nud permanent"));
  TRY_VOID(shell("ip route add 100.64.0.0/16 via 192.0.2.2 && ip route add default via 198.51.100.2"));
  TRY_VOID(shell("echo 1 > /proc/sys/net/ipv4/ip_forward"));
  return {};
}

Result<void> Standalone::load() {
  auto& options = skeleton_->rodata->options;
  options.hairpinning = 1;
  options.udp_ticks = ticks(3600);
  options.tcp_established_ticks = ticks(7440);
  options.tcp_transitory_ticks = ticks(240);
  options.icmp_ticks = ticks(60);
  options.event_interval_ticks = ticks(10);
  options.packet_too_big_floor = 576;
  std::copy(kSecret.begin(), kSecret.end(), options.secret);
  bpf_program__set_expected_attach_type(skeleton_->progs.apnat, bpf_attach_type{});  // as the agent does
  if (int error = nat_bpf::load(skeleton_.get())) return fail(-error, "the kernel refused the translator");
  gateway_.program = bpf_program__fd(skeleton_->progs.apnat);
  gateway_.mapping_tables = bpf_map__fd(skeleton_->maps.mapping_tables);
  gateway_.external_addresses = bpf_map__fd(skeleton_->maps.external_addresses);
  gateway_.verdicts = bpf_map__fd(skeleton_->maps.verdict_counters);
  return {};
}

// Tables 0..count-1 inside `outer`, each of `rows` rows.
Result<void> Standalone::add_tables(bpf_map* outer, std::uint32_t count, std::uint32_t row_bytes, std::uint32_t rows) {
  bpf_map_create_opts options{};
  options.sz = sizeof(options);
  options.map_flags = BPF_F_MMAPABLE;
  for (std::uint32_t number = 0; number < count; ++number) {
    const int table = bpf_map_create(BPF_MAP_TYPE_ARRAY, "bench", sizeof(std::uint32_t), row_bytes, rows, &options);
    if (table < 0) return fail(errno, std::string("make a table of ") + bpf_map__name(outer));
    const int error = bpf_map_update_elem(bpf_map__fd(outer), &number, &table, BPF_ANY) != 0 ? errno : 0;
    close(table);
    if (error != 0) return fail(error, std::string("place a table of ") + bpf_map__name(outer));
  }
  return {};
}

Result<void> Standalone::add_pool() {
  auto& maps = skeleton_->maps;
  pool row{};
  row.assignment = ASSIGN_DYNAMIC;
  row.flags = POOL_HAIRPINNING;
  row.block_size_log2 = kBlockSizeLog2;
  row.max_blocks = MAX_SUBSCRIBER_BLOCKS;
  row.subscriber_prefix_length = 32;
  row.first_port_host = 1024;
  row.last_port_host = 65535;
  row.first_block = 1024 >> kBlockSizeLog2;
  row.last_block = 65535 >> kBlockSizeLog2;
  row.address_count = kExternalAddresses;
  std::strcpy(row.name, "bench");
  TRY_VOID(put(maps.pools, 0, row));

  TRY_VOID(add_tables(maps.mapping_tables, kExternalAddresses, sizeof(mapping_set), SETS_PER_ADDRESS));
  TRY_VOID(add_tables(maps.block_tables, kExternalAddresses, sizeof(port_block), BLOCKS_PER_ADDRESS));
  for (std::uint32_t n = 0; n < kExternalAddresses; ++n) {
    external_address address{};
    address.address = __builtin_bswap32(kExternalNet + n);
    address.pool_plus_one = 1;
    address.flags = ADDRESS_POOL;
    address.tables = n;
    TRY_VOID(put(maps.external_addresses, n, address));
    TRY_VOID(put(maps.pool_addresses, n, pool_address{.external_row = n, .reserved = 0}));
  }
  node_state node{};
  node.abi_version = APNAT_ABI_VERSION;
  std::copy(kSecret.begin(), kSecret.end(), node.secret);
  return put(maps.node_state, 0, node);
}

Result<void> Standalone::add_directory() {
  auto& maps = skeleton_->maps;
  const auto add_page = [&](realm side, std::uint32_t net, std::uint16_t page) {
    directory_root root{};
    root.chunk_page[(net >> 16) & (ROOT_PAGES - 1)] = page;
    return put(maps.directory_roots, side * (DIRECTORY_ROOTS / 2) + (net >> 21), root);
  };
  TRY_VOID(add_page(REALM_EXTERNAL, kExternalNet, kExternalPage));
  TRY_VOID(add_page(REALM_INTERNAL, kInternalNet, kInternalPage));
  const auto add_chunk = [&](std::uint16_t page, std::uint32_t number, std::uint32_t first_row) {
    return put(maps.directory_chunks, page * CHUNKS_PER_PAGE + number,
               directory_chunk{.row_plus_one = first_row + 1, .shift = 0, .reserved = {}});
  };
  TRY_VOID(add_chunk(kExternalPage, (kExternalNet >> 8) & (CHUNKS_PER_PAGE - 1), 0));
  for (std::uint32_t chunk = 0; chunk < kSubscribers / ADDRESSES_PER_CHUNK; ++chunk)
    TRY_VOID(add_chunk(kInternalPage, chunk, chunk * ADDRESSES_PER_CHUNK));
  return {};
}

Result<void> Standalone::add_subscribers() {
  constexpr std::uint32_t kTables = kSubscribers / SUBSCRIBERS_PER_TABLE;
  TRY_VOID(add_tables(skeleton_->maps.subscriber_tables, kTables, sizeof(subscriber), SUBSCRIBERS_PER_TABLE));
  subscriber row{};
  row.pool_plus_one = 1;
  for (std::uint32_t number = 0; number < kTables; ++number) {
    std::uint32_t id = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.subscriber_tables), &number, &id) != 0)
      return fail(errno, "find a table of subscribers");
    const int table = bpf_map_get_fd_by_id(id);
    if (table < 0) return fail(errno, "open a table of subscribers");
    for (std::uint32_t index = 0; index < SUBSCRIBERS_PER_TABLE; ++index)
      if (bpf_map_update_elem(table, &index, &row, BPF_ANY) != 0) return fail(errno, "add a subscriber");
    close(table);
  }
  return {};
}

Result<void> Standalone::add_interface(unsigned ifindex, std::uint8_t flags) {
  interface row{};
  row.flags = flags;
  row.redirect_ifindex = ifindex;
  TRY_VOID(put(skeleton_->maps.interfaces, ifindex, row));
  return put(skeleton_->maps.tx_ports, ifindex, std::uint32_t{ifindex});
}

}  // namespace apnat::bench
