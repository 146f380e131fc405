// tables.cpp - opening what is pinned, and the tables inside tables.
#include "datapath/tables.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <thread>

namespace apnat {
namespace {

constexpr std::uint32_t kPoolAddressRows = 2 * MAX_EXTERNAL_TABLES;

template <typename Row>
Result<Table<Row>> map_pinned(const Pins& pins, const char* name, std::uint32_t count) {
  const UniqueFd fd = TRY(open_pin(pins.map(name)));
  return TRY(Table<Row>::map(fd.get(), name, count));
}

template <typename Row>
Result<CalledTable<Row>> open_called(const Pins& pins, const char* name, std::uint32_t count) {
  return TRY(CalledTable<Row>::open(TRY(open_pin(pins.map(name))), name, count));
}

// The table at `number` of a table of tables; no Table (empty rows): none is there.
template <typename Row>
Result<Table<Row>> map_inner(const UniqueFd& outer, std::string_view name, std::uint32_t number, std::uint32_t count,
                             __u8 in_place) {
  if (!in_place) return Table<Row>();
  std::uint32_t id = 0;
  if (::bpf_map_lookup_elem(outer.get(), &number, &id) != 0) {
    if (errno == ENOENT) return Table<Row>();
    return fail(errno, fmt::format("read {}[{}]", name, number));
  }
  const UniqueFd fd(::bpf_map_get_fd_by_id(id));
  if (!fd) return fail(errno, fmt::format("open {}[{}]", name, number));
  return TRY(Table<Row>::map(fd.get(), name, count));
}

// A new table of zeroes, in place at `number` of a table of tables.
template <typename Row>
Result<Table<Row>> make_inner(const UniqueFd& outer, const char* name, std::uint32_t number, std::uint32_t count,
                              __u8& in_place) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
  const UniqueFd fd(::bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(std::uint32_t), sizeof(Row), count, &options));
  if (!fd) return fail(errno, fmt::format("make table {} ({} KiB)", name, count * sizeof(Row) / 1024));
  Table<Row> table = TRY(Table<Row>::map(fd.get(), name, count));
  const int inner = fd.get();
  store(in_place, __u8{1});
  if (::bpf_map_update_elem(outer.get(), &number, &inner, BPF_ANY) != 0) {
    return fail(errno, fmt::format("put table {}[{}] in place", name, number));
  }
  return table;
}

Result<void> erase_inner(const UniqueFd& outer, std::string_view name, std::uint32_t number, __u8& in_place) {
  if (::bpf_map_delete_elem(outer.get(), &number) != 0 && errno != ENOENT)
    return fail(errno, fmt::format("remove {}[{}]", name, number));
  store(in_place, __u8{0});
  return {};
}

std::uint32_t root_index(std::uint32_t realm_and_16) { return realm_and_16 / ROOT_PAGES; }

}  // namespace

Result<void> check_rows(int fd, std::string_view name, std::size_t row_size, std::uint32_t count) {
  bpf_map_info about{};
  std::uint32_t size = sizeof(about);
  if (::bpf_obj_get_info_by_fd(fd, &about, &size) != 0) return fail(errno, fmt::format("ask about table {}", name));
  if (about.value_size == row_size && about.max_entries == count) return {};
  return fail(fmt::format("table {} has {} rows of {} bytes; this version needs {} of {}", name, about.max_entries,
                          about.value_size, count, row_size));
}

void wait_for_programs() {
  // A global barrier waits for an RCU grace period, and programs run under RCU. With one processor online, or none
  // left to the kernel alone (nohz_full), it may return at once or refuse: then we wait longer than a packet takes.
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0 && ::sysconf(_SC_NPROCESSORS_ONLN) > 1) return;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

Result<Datapath::Tables> Datapath::Tables::open(const Pins& pins) {
  Tables tables;
  TRY_VOID(tables.open_flat(pins));
  TRY_VOID(tables.open_nested(pins));
  TRY_VOID(tables.read_directory());
  return tables;
}

Result<void> Datapath::Tables::open_flat(const Pins& pins) {
  pools_ = TRY(map_pinned<struct pool>(pins, "pools", MAX_POOLS));
  activity_ = TRY(map_pinned<pool_activity>(pins, "pool_activity", MAX_POOLS));
  pool_addresses_ = TRY(map_pinned<pool_address>(pins, "pool_addresses", kPoolAddressRows));
  external_addresses_ = TRY(map_pinned<external_address>(pins, "external_addresses", MAX_EXTERNAL_ROWS));
  forward_sets_ = TRY(map_pinned<forward_set>(pins, "forward_sets", FORWARD_SETS));
  ipv4_ids_ = TRY(map_pinned<ipv4_id_row>(pins, "ipv4_ids", IPV4_ID_ROWS));
  ipv4_id_laps_ = TRY(map_pinned<struct ipv4_id_laps>(pins, "ipv4_id_laps", IPV4_ID_ROWS));
  xsk_backlogs_ = TRY(map_pinned<xsk_backlog>(pins, "xsk_backlogs", MAX_XSK_SOCKETS));
  in_place_ = TRY(map_pinned<tables_in_place>(pins, "tables_in_place", MAX_EXTERNAL_TABLES));
  node_ = TRY(map_pinned<node_state>(pins, "node_state", 1));
  roots_ = TRY(open_called<directory_root>(pins, "directory_roots", DIRECTORY_ROOTS));
  chunks_ = TRY(open_called<directory_chunk>(pins, "directory_chunks", MAX_CHUNK_PAGES * CHUNKS_PER_PAGE));
  interfaces_ = TRY(open_called<struct interface>(pins, "interfaces", MAX_IFINDEX));
  vlan_members_ = TRY(open_called<vlan_member>(pins, "vlan_members", MAX_VLAN_TABLES * VLANS_PER_TABLE));
  tx_ports_ = TRY(open_called<std::uint32_t>(pins, "tx_ports", MAX_IFINDEX));
  verdict_counters_ = TRY(open_pin(pins.map("verdict_counters")));
  slow_path_counters_ = TRY(open_pin(pins.map("slow_path_counters")));
  slow_path_batch_ = TRY(open_pin(pins.map("slow_path_batch")));
  slow_path_datagrams_ = TRY(open_pin(pins.map("slow_path_datagrams")));
  xsk_sockets_ = TRY(open_pin(pins.map("xsk_sockets")));
  events_ = TRY(open_pin(pins.map("events")));
  rows_ = Rows{.pools = pools_.rows(),
               .activity = activity_.rows(),
               .pool_addresses = pool_addresses_.rows(),
               .external_addresses = external_addresses_.rows(),
               .forward_sets = forward_sets_.rows(),
               .ipv4_ids = ipv4_ids_.rows(),
               .ipv4_id_laps = ipv4_id_laps_.rows(),
               .node = node_.rows().data(),
               .subscriber_tables = std::vector<std::span<subscriber>>(MAX_SUBSCRIBER_TABLES),
               .addresses = std::vector<AddressRows>(MAX_EXTERNAL_TABLES)};
  subscriber_tables_.resize(MAX_SUBSCRIBER_TABLES);
  addresses_.resize(MAX_EXTERNAL_TABLES);
  return {};
}

Result<void> Datapath::Tables::open_nested(const Pins& pins) {
  subscriber_outer_ = TRY(open_pin(pins.map("subscriber_tables")));
  mapping_outer_ = TRY(open_pin(pins.map("mapping_tables")));
  block_outer_ = TRY(open_pin(pins.map("block_tables")));
  creation_outer_ = TRY(open_pin(pins.map("creation_tables")));
  for (std::uint32_t n = 0; n < MAX_SUBSCRIBER_TABLES; ++n) {
    subscriber_tables_[n] = TRY(map_inner<subscriber>(subscriber_outer_, "subscriber_tables", n, SUBSCRIBERS_PER_TABLE,
                                                      load(in_place_.rows()[n].subscribers)));
    rows_.subscriber_tables[n] = subscriber_tables_[n].rows();
  }
  for (std::uint32_t n = 0; n < MAX_EXTERNAL_TABLES; ++n) {
    AddressTables& address = addresses_[n];
    const tables_in_place& in_place = in_place_.rows()[n];
    address.mappings =
        TRY(map_inner<mapping_set>(mapping_outer_, "mapping_tables", n, SETS_PER_ADDRESS, load(in_place.mappings)));
    address.blocks =
        TRY(map_inner<port_block>(block_outer_, "block_tables", n, BLOCKS_PER_ADDRESS, load(in_place.blocks)));
    address.creations =
        TRY(map_inner<creation_set>(creation_outer_, "creation_tables", n, SETS_PER_ADDRESS, load(in_place.creations)));
    show_address(n);
  }
  return {};
}

void Datapath::Tables::show_address(std::uint32_t number) {
  const AddressTables& address = addresses_[number];
  rows_.addresses[number] = {address.mappings.rows(), address.blocks.rows(), address.creations.rows()};
}

// ---- the directory ---------------------------------------------------------------

Result<void> Datapath::Tables::read_directory() {
  for (std::uint32_t index = 0; index < DIRECTORY_ROOTS; ++index) {
    const directory_root root = TRY(roots_.get(index));
    for (std::uint32_t n = 0; n < ROOT_PAGES; ++n) {
      if (root.chunk_page[n] != 0) TRY_VOID(read_page(index * ROOT_PAGES + n, root.chunk_page[n]));
    }
  }
  return {};
}

Result<void> Datapath::Tables::read_page(std::uint32_t realm_and_16, std::uint32_t page) {
  pages_[realm_and_16] = page;
  Chunks& chunks = directory_[realm_and_16 >> 16];
  for (std::uint32_t n = 0; n < CHUNKS_PER_PAGE; ++n) {
    const directory_chunk row = TRY(chunks_.get(page * CHUNKS_PER_PAGE + n));
    if (row.row_plus_one != 0) {
      chunks[(realm_and_16 & 0xffff) << 8 | n] = Chunk{.base = row.row_plus_one - 1, .shift = row.shift};
    }
  }
  return {};
}

Result<void> Datapath::Tables::put_root(std::uint32_t realm_and_16, std::uint32_t page) {
  directory_root root = TRY(roots_.get(root_index(realm_and_16)));
  root.chunk_page[realm_and_16 % ROOT_PAGES] = static_cast<__u16>(page);
  return roots_.put(root_index(realm_and_16), root);
}

// The page of a /16, or a free one (whose chunks are all zero).
Result<std::uint32_t> Datapath::Tables::page_of(std::uint32_t realm_and_16) {
  if (const auto found = pages_.find(realm_and_16); found != pages_.end()) return found->second;
  std::set<std::uint32_t> used;
  for (const auto& [where, page] : pages_) used.insert(page);
  for (std::uint32_t page = 1; page < MAX_CHUNK_PAGES; ++page) {
    if (!used.contains(page)) return page;
  }
  return fail("no directory page is left");
}

Result<void> Datapath::Tables::put_chunk(enum realm realm, std::uint32_t number, const Chunk& chunk) {
  const std::uint32_t realm_and_16 = static_cast<std::uint32_t>(realm) << 16 | number >> 8;
  const std::uint32_t page = TRY(page_of(realm_and_16));
  const directory_chunk row{.row_plus_one = chunk.base + 1, .shift = static_cast<__u8>(chunk.shift), .reserved = {}};
  TRY_VOID(chunks_.put(page * CHUNKS_PER_PAGE + number % CHUNKS_PER_PAGE, row));
  if (!pages_.contains(realm_and_16)) {
    TRY_VOID(put_root(realm_and_16, page));
    pages_[realm_and_16] = page;
  }
  directory_[realm][number] = chunk;
  return {};
}

Result<void> Datapath::Tables::erase_chunk(enum realm realm, std::uint32_t number) {
  const std::uint32_t realm_and_16 = static_cast<std::uint32_t>(realm) << 16 | number >> 8;
  const auto page = pages_.find(realm_and_16);
  if (page == pages_.end()) return {};
  TRY_VOID(chunks_.put(page->second * CHUNKS_PER_PAGE + number % CHUNKS_PER_PAGE, directory_chunk{}));
  Chunks& chunks = directory_[realm];
  chunks.erase(number);
  const auto next = chunks.lower_bound(number & ~std::uint32_t{0xff});
  if (next == chunks.end() || next->first >> 8 != number >> 8) {
    TRY_VOID(put_root(realm_and_16, 0));
    pages_.erase(page);
  }
  return {};
}

std::uint32_t Datapath::Tables::find_reference(Ip4 internal) const {
  return find_row(directory_[REALM_INTERNAL], internal).value_or(0);
}

subscriber* Datapath::Tables::find_subscriber(Ip4 internal) const {
  const auto reference = find_row(directory_[REALM_INTERNAL], internal);
  if (!reference) return nullptr;
  subscriber* row = rows_.find_subscriber(*reference);
  return row && load(row->pool_plus_one) != 0 ? row : nullptr;
}

// ---- tables inside tables -----------------------------------------------------------

Result<void> Datapath::Tables::make_address(std::uint32_t number, bool creations) {
  AddressTables& address = addresses_[number];
  tables_in_place& in_place = in_place_.rows()[number];
  if (address.blocks.rows().empty()) {
    address.blocks =
        TRY(make_inner<port_block>(block_outer_, "block_table", number, BLOCKS_PER_ADDRESS, in_place.blocks));
  }
  if (creations && address.creations.rows().empty()) {
    address.creations =
        TRY(make_inner<creation_set>(creation_outer_, "creation_table", number, SETS_PER_ADDRESS, in_place.creations));
  }
  if (address.mappings.rows().empty()) {
    address.mappings =
        TRY(make_inner<mapping_set>(mapping_outer_, "mapping_table", number, SETS_PER_ADDRESS, in_place.mappings));
  }
  show_address(number);
  return {};
}

Result<void> Datapath::Tables::drop_address(std::uint32_t number) {
  tables_in_place& in_place = in_place_.rows()[number];
  rows_.addresses[number] = {};
  addresses_[number] = {};
  TRY_VOID(erase_inner(mapping_outer_, "mapping_tables", number, in_place.mappings));
  TRY_VOID(erase_inner(block_outer_, "block_tables", number, in_place.blocks));
  return erase_inner(creation_outer_, "creation_tables", number, in_place.creations);
}

Result<void> Datapath::Tables::make_subscriber_table(std::uint32_t number) {
  if (!subscriber_tables_[number].rows().empty()) return {};
  subscriber_tables_[number] = TRY(make_inner<subscriber>(subscriber_outer_, "subscribers", number,
                                                          SUBSCRIBERS_PER_TABLE, in_place_.rows()[number].subscribers));
  rows_.subscriber_tables[number] = subscriber_tables_[number].rows();
  return {};
}

// ---- devices ----------------------------------------------------------------------------

Result<void> Datapath::Tables::put_tx_port(std::uint32_t ifindex) { return tx_ports_.put(ifindex, ifindex); }

Result<void> Datapath::Tables::erase_tx_port(std::uint32_t ifindex) {
  if (::bpf_map_delete_elem(tx_ports_.fd(), &ifindex) == 0 || errno == ENOENT) return {};
  return fail(errno, fmt::format("remove tx_ports[{}]", ifindex));
}

Result<void> Datapath::Tables::put_xsk_socket(std::uint32_t index, int socket, std::uint32_t room) {
  xsk_backlog& backlog = xsk_backlogs()[index];
  store(backlog.taken, load(backlog.punted));  // nothing waits
  store(backlog.room, room);
  if (::bpf_map_update_elem(xsk_sockets_.get(), &index, &socket, BPF_ANY) == 0) return {};
  return fail(errno, fmt::format("write xsk_sockets[{}]", index));
}

}  // namespace apnat
