// kernel_world.cpp - the loaded program, its maps as rows, and frames given to it by
// BPF_PROG_TEST_RUN in a network namespace of the test's own.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "apnat/options.h"
#include "nat.skel.h"
#include "support/translator.h"

namespace apnat::test {
namespace {

constexpr std::size_t kPage = 4096;

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

// Two pairs of interfaces, a default route outside, and neighbours that are known. Once a process.
void enter_namespace() {
  static bool entered = false;
  if (entered) return;
  check(unshare(CLONE_NEWNET) == 0, "a network namespace");
  shell(
      "set -e; ip link set lo up; ip link add in0 type veth peer name in1; ip link add out0 type veth peer name out1;"
      "for i in in0 in1 out0 out1; do ip link set $i up; done;"
      "ip addr add 100.64.255.1/16 dev in0; ip addr add 198.51.100.254/24 dev out0;"
      "ip route add 10.0.0.0/8 via 100.64.255.2 dev in0; ip route add default via 198.51.100.253 dev out0;"
      "ip neigh add 198.51.100.253 lladdr 02:00:00:00:00:09 dev out0;"
      "ip neigh add 100.64.255.2 lladdr 02:00:00:00:00:09 dev in0;"
      "sysctl -qw net.ipv4.ip_forward=1;"
      "for n in 10 11 12 20 21; do ip neigh add 100.64.0.$n lladdr 02:00:00:00:00:09 dev in0; done;"
      "for n in 1 2 3 77; do ip neigh add 198.51.100.$n lladdr 02:00:00:00:00:09 dev out0; done");
  entered = true;
}

// A memory-mapped array of rows.
template <typename Row>
class Rows {
 public:
  Rows() = default;
  Rows(int fd, std::size_t count) : bytes_((count * ((sizeof(Row) + 7) & ~7ul) + kPage - 1) / kPage * kPage) {
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(memory != MAP_FAILED, "map an array");
    base_ = static_cast<std::uint8_t*>(memory);
  }
  Rows(Rows&& other) noexcept : base_(std::exchange(other.base_, nullptr)), bytes_(other.bytes_) {}
  Rows& operator=(Rows&&) = delete;
  ~Rows() {
    if (base_ != nullptr) munmap(base_, bytes_);
  }
  Row& operator[](std::size_t i) { return *reinterpret_cast<Row*>(base_ + i * ((sizeof(Row) + 7) & ~7ul)); }
  void wipe() { std::memset(base_, 0, bytes_); }

 private:
  std::uint8_t* base_ = nullptr;
  std::size_t bytes_ = 0;
};

// The inner arrays of a map in maps, made when first asked for.
template <typename Row>
class Tables {
 public:
  Tables(const bpf_map* outer, std::uint32_t rows) : outer_(bpf_map__fd(outer)), rows_(rows) {}
  Row& at(std::uint32_t table, std::uint32_t index) {
    auto found = made_.find(table);
    if (found == made_.end()) found = made_.emplace(table, make(table)).first;
    return found->second[index];
  }
  void wipe() {
    for (auto& [_, rows] : made_) rows.wipe();
  }

 private:
  Rows<Row> make(std::uint32_t table) {
    bpf_map_create_opts options{};
    options.sz = sizeof(options);
    options.map_flags = BPF_F_MMAPABLE;
    const int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "table", sizeof(std::uint32_t), sizeof(Row), rows_, &options);
    check(fd >= 0, "make a table");
    check(bpf_map_update_elem(outer_, &table, &fd, BPF_ANY) == 0, "place a table");
    Rows<Row> rows(fd, rows_);
    close(fd);
    return rows;
  }

  int outer_;
  std::uint32_t rows_;
  std::map<std::uint32_t, Rows<Row>> made_;
};

std::uint32_t rows_of(const bpf_map* map) { return bpf_map__max_entries(map); }

void wipe_array(const bpf_map* map) {
  const std::size_t row = (bpf_map__value_size(map) + 7) & ~7ul,
                    bytes = (rows_of(map) * row + kPage - 1) & ~(kPage - 1);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
  check(memory != MAP_FAILED, "map an array");
  std::memset(memory, 0, bytes);
  munmap(memory, bytes);
}

void wipe_percpu_array(const bpf_map* map) {
  const std::size_t row = (bpf_map__value_size(map) + 7) & ~7ul;
  const std::vector<std::uint8_t> zeros(row * static_cast<std::size_t>(libbpf_num_possible_cpus()));
  for (std::uint32_t i = 0; i < rows_of(map); ++i)
    check(bpf_map_update_elem(bpf_map__fd(map), &i, zeros.data(), BPF_ANY) == 0, "wipe a row");
}

int keep_record(void* events, void* data, std::size_t) {
  static_cast<std::vector<event_record>*>(events)->push_back(*static_cast<event_record*>(data));
  return 0;
}

std::vector<event_record> read_ring(const bpf_map* map) {
  std::vector<event_record> events;
  ring_buffer* ring = ring_buffer__new(bpf_map__fd(map), keep_record, &events, nullptr);
  check(ring != nullptr, "open the ring");
  ring_buffer__consume(ring);
  ring_buffer__free(ring);
  return events;
}

// What a program may have written. Other maps hold only what KernelWorld::put wrote, who undoes it; the options stay.
void wipe(const bpf_map* map) {
  const auto type = bpf_map__type(map);
  if (type == BPF_MAP_TYPE_RINGBUF) read_ring(map);
  if (type == BPF_MAP_TYPE_PERCPU_ARRAY) wipe_percpu_array(map);
  if (type == BPF_MAP_TYPE_ARRAY && !bpf_map__is_internal(map) && bpf_map__map_flags(map) & BPF_F_MMAPABLE)
    wipe_array(map);
}

// A loaded program and its tables. Loading is what takes time (the verifier's, above all on an emulated machine), so
// a world serves one test after the other: prepare() gives each the tables as new.
class KernelWorld : public World {
 public:
  explicit KernelWorld(const struct options& options) : loaded_with_(options), skeleton_(load(options)) {
    auto& maps = skeleton_->maps;
    node_.emplace(bpf_map__fd(maps.node_state), 1);
    external_addresses_.emplace(bpf_map__fd(maps.external_addresses), MAX_EXTERNAL_ROWS);
    pools_.emplace(bpf_map__fd(maps.pools), MAX_POOLS);
    pool_addresses_.emplace(bpf_map__fd(maps.pool_addresses), MAX_EXTERNAL_TABLES * 2);
    forward_sets_.emplace(bpf_map__fd(maps.forward_sets), FORWARD_SETS);
    ipv4_ids_.emplace(bpf_map__fd(maps.ipv4_ids), IPV4_ID_ROWS);
    ipv4_id_laps_.emplace(bpf_map__fd(maps.ipv4_id_laps), IPV4_ID_ROWS);
    subscribers_.emplace(maps.subscriber_tables, SUBSCRIBERS_PER_TABLE);
    mappings_.emplace(maps.mapping_tables, SETS_PER_ADDRESS);
    creations_.emplace(maps.creation_tables, SETS_PER_ADDRESS);
    blocks_.emplace(maps.block_tables, BLOCKS_PER_ADDRESS);
  }
  KernelWorld(const KernelWorld&) = delete;
  ~KernelWorld() override { nat_bpf::destroy(skeleton_); }

  bool is_loaded_with(const struct options& options) const {
    return std::memcmp(&loaded_with_, &options, sizeof(options)) == 0;
  }
  void prepare(const NatSpec& spec) {
    skeleton_options_ = loaded_with_;
    if (used_) wipe_all();
    used_ = true;
    lay_out(*this, spec);
    for (std::uint32_t tables = 0; tables < 4; ++tables) {  // what the program may touch, it must find
      mappings_->at(tables, 0);
      creations_->at(tables, 0);
      blocks_->at(tables, 0);
    }
  }

  struct options& options() override { return skeleton_options_; }
  struct node_state& node() override { return (*node_)[0]; }
  struct subscriber& subscriber(std::uint32_t reference) override {
    return subscribers_->at(reference / SUBSCRIBERS_PER_TABLE, reference % SUBSCRIBERS_PER_TABLE);
  }
  struct external_address& external_address(std::uint32_t row) override { return (*external_addresses_)[row]; }
  struct pool& pool(std::uint32_t index) override { return (*pools_)[index]; }
  struct pool_address& pool_address(std::uint32_t index) override { return (*pool_addresses_)[index]; }
  struct mapping_set& mapping_set(std::uint32_t t, std::uint32_t set) override { return mappings_->at(t, set); }
  struct creation_set& creation_set(std::uint32_t t, std::uint32_t set) override { return creations_->at(t, set); }
  struct port_block& port_block(std::uint32_t t, std::uint32_t block) override { return blocks_->at(t, block); }
  struct forward_set& forward_set(std::uint32_t set) override { return (*forward_sets_)[set]; }
  struct ipv4_id_row& ipv4_id_row(std::uint32_t row) override { return (*ipv4_ids_)[row]; }
  struct ipv4_id_laps& ipv4_id_laps(std::uint32_t row) override { return (*ipv4_id_laps_)[row]; }
  void put_root(std::uint32_t i, const struct directory_root& row) override {
    put(skeleton_->maps.directory_roots, i, &row);
  }
  void put_chunk(std::uint32_t i, const struct directory_chunk& row) override {
    put(skeleton_->maps.directory_chunks, i, &row);
  }
  void put_interface(std::uint32_t ifindex, const struct interface& row) override {
    put(skeleton_->maps.interfaces, ifindex, &row);
    put(skeleton_->maps.tx_ports, ifindex, &ifindex);
  }
  void put_vlan_member(std::uint32_t i, const struct vlan_member& row) override {
    put(skeleton_->maps.vlan_members, i, &row);
  }
  std::uint32_t inside_ifindex() const override { return if_nametoindex("in0"); }
  std::uint32_t outside_ifindex() const override { return if_nametoindex("out0"); }
  std::uint32_t now_ticks() const override {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const std::uint64_t ns =
        static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
    return static_cast<std::uint32_t>(ns >> TICK_SHIFT);
  }

  nat_bpf& skeleton() { return *skeleton_; }

 private:
  static nat_bpf* load(const struct options& options) {
    enter_namespace();
    const rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    nat_bpf* skeleton = nat_bpf::open();
    check(skeleton != nullptr, "open the program");
    std::memcpy(const_cast<struct options*>(&skeleton->rodata->options), &options, sizeof(options));
    check(nat_bpf::load(skeleton) == 0, "load the program");
    return skeleton;
  }

  void put(const bpf_map* map, std::uint32_t index, const void* row) {
    check(bpf_map_update_elem(bpf_map__fd(map), &index, row, BPF_ANY) == 0, "write a row");
    written_.emplace_back(map, index);
  }

  void wipe_all() {
    for (const auto& [map, index] : written_) {
      const std::vector<std::uint8_t> zeros(bpf_map__value_size(map));
      const bool array = bpf_map__type(map) == BPF_MAP_TYPE_ARRAY;
      check((array ? bpf_map_update_elem(bpf_map__fd(map), &index, zeros.data(), BPF_ANY)
                   : bpf_map_delete_elem(bpf_map__fd(map), &index)) == 0,
            "wipe a row");
    }
    written_.clear();
    const bpf_map* map = nullptr;
    bpf_object__for_each_map(map, skeleton_->obj) wipe(map);
    subscribers_->wipe();
    mappings_->wipe();
    creations_->wipe();
    blocks_->wipe();
  }

  const struct options loaded_with_;
  struct options skeleton_options_{};  // a test may write what it likes there
  nat_bpf* skeleton_;
  bool used_ = false;
  std::vector<std::pair<const bpf_map*, std::uint32_t>> written_;  // rows of maps that are not in memory here
  std::optional<Rows<struct node_state>> node_;
  std::optional<Rows<struct external_address>> external_addresses_;
  std::optional<Rows<struct pool>> pools_;
  std::optional<Rows<struct pool_address>> pool_addresses_;
  std::optional<Rows<struct forward_set>> forward_sets_;
  std::optional<Rows<struct ipv4_id_row>> ipv4_ids_;
  std::optional<Rows<struct ipv4_id_laps>> ipv4_id_laps_;
  std::optional<Tables<struct subscriber>> subscribers_;
  std::optional<Tables<struct mapping_set>> mappings_;
  std::optional<Tables<struct creation_set>> creations_;
  std::optional<Tables<struct port_block>> blocks_;
};

// The worlds between two tests, the last used first.
class IdleWorlds {
 public:
  std::unique_ptr<KernelWorld> take(const struct options& options) {
    const auto same = [&](const auto& world) { return world->is_loaded_with(options); };
    const auto found = std::find_if(worlds_.begin(), worlds_.end(), same);
    if (found == worlds_.end()) return std::make_unique<KernelWorld>(options);
    std::unique_ptr<KernelWorld> world = std::move(*found);
    worlds_.erase(found);
    return world;
  }

  void put_back(std::unique_ptr<KernelWorld> world) {
    worlds_.push_front(std::move(world));
    if (worlds_.size() > kMost) worlds_.pop_back();
  }

 private:
  static constexpr std::size_t kMost = 8;  // some 50 MB each
  std::list<std::unique_ptr<KernelWorld>> worlds_;
};

IdleWorlds& idle_worlds() {
  static IdleWorlds worlds;
  return worlds;
}

// Where the reader of the ring says it has come to; the program finds no place when that is far enough behind.
class ReaderPosition {
 public:
  explicit ReaderPosition(int ring) {
    void* reader = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0);
    check(reader != MAP_FAILED, "map the reader's page of the ring");
    void* writer = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, ring, kPage);
    check(writer != MAP_FAILED, "map the writer's page of the ring");
    reader_ = static_cast<volatile unsigned long*>(reader);
    writer_ = static_cast<const volatile unsigned long*>(writer);
  }
  ReaderPosition(const ReaderPosition&) = delete;
  ~ReaderPosition() {
    catch_up();
    munmap(const_cast<unsigned long*>(reader_), kPage);
    munmap(const_cast<unsigned long*>(writer_), kPage);
  }
  void fall_behind() {
    if (true_position_) return;
    true_position_ = *reader_;
    *reader_ = *writer_ - EVENT_RING_BYTES;
  }
  void catch_up() {
    if (true_position_) *reader_ = *true_position_;
    true_position_.reset();
  }

 private:
  volatile unsigned long* reader_;
  const volatile unsigned long* writer_;
  std::optional<unsigned long> true_position_;
};

class KernelTranslator : public Translator {
 public:
  explicit KernelTranslator(const NatSpec& spec)
      : world_(idle_worlds().take(options_for(spec))), reader_(bpf_map__fd(world_->skeleton().maps.events)) {
    world_->prepare(spec);
  }
  ~KernelTranslator() override { idle_worlds().put_back(std::move(world_)); }
  std::string name() const override { return "kernel"; }
  World& world() override { return *world_; }

  Outcome frame(std::uint32_t ifindex, Bytes& frame) override {
    const auto before = counters();
    give(ifindex, frame);
    return {moved(before, counters()), {}};
  }

  void give(std::uint32_t ifindex, Bytes& frame) override {
    Bytes out(frame.size() + 256);
    xdp_md context{};
    context.data_end = static_cast<std::uint32_t>(frame.size());
    context.ingress_ifindex = ifindex;
    bpf_test_run_opts run{};
    run.sz = sizeof(run);
    run.data_in = frame.data();
    run.data_size_in = static_cast<std::uint32_t>(frame.size());
    run.data_out = out.data();
    run.data_size_out = static_cast<std::uint32_t>(out.size());
    run.ctx_in = &context;
    run.ctx_size_in = sizeof(context);
    run.repeat = 1;
    check(bpf_prog_test_run_opts(bpf_program__fd(world_->skeleton().progs.apnat), &run) == 0, "run the program");
    frame.assign(out.begin(), out.begin() + run.data_size_out);
  }

  std::vector<event_record> take_events() override { return read_ring(world_->skeleton().maps.events); }

  void refuse_events(bool refuse) override { refuse ? reader_.fall_behind() : reader_.catch_up(); }

 private:
  std::vector<std::uint64_t> counters() {
    std::vector<std::uint64_t> sums(VERDICT_COUNT), cpus(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    for (std::uint32_t i = 0; i < VERDICT_COUNT; ++i) {
      check(bpf_map_lookup_elem(bpf_map__fd(world_->skeleton().maps.verdict_counters), &i, cpus.data()) == 0, "count");
      for (const std::uint64_t count : cpus) sums[i] += count;
    }
    return sums;
  }

  // Exactly one counter moves, by one: anything else is a broken promise.
  static enum verdict moved(const std::vector<std::uint64_t>& before, const std::vector<std::uint64_t>& after) {
    int verdict = -1;
    for (int i = 0; i < VERDICT_COUNT; ++i) {
      if (after[static_cast<std::size_t>(i)] == before[static_cast<std::size_t>(i)]) continue;
      if (verdict != -1 || after[static_cast<std::size_t>(i)] != before[static_cast<std::size_t>(i)] + 1)
        throw std::runtime_error("a packet moved more than one counter");
      verdict = i;
    }
    if (verdict == -1) throw std::runtime_error("a packet moved no counter");
    // No socket of a slow path is bound here: what would go up to it is told from what nobody sends up elsewhere.
    return verdict == VERDICT_SLOW_PATH_AWAY ? VERDICT_FRAGMENT : static_cast<enum verdict>(verdict);
  }

  std::unique_ptr<KernelWorld> world_;
  ReaderPosition reader_;
};

}  // namespace

void shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

std::unique_ptr<Translator> kernel(const NatSpec& spec) { return std::make_unique<KernelTranslator>(spec); }

}  // namespace apnat::test
