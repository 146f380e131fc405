// Whole datagrams through the slow path's copy of the loaded program, many in one run.
#include "datapath/slow_path_program.h"

#include <bpf/bpf.h>
#include <net/if.h>

#include <catch2/catch.hpp>

#include "apnat/verdict.h"
#include "datapath/datapath.h"
#include "datapath/pins.h"
#include "slowpath/frame.h"
#include "support/fragments.h"
#include "userspace/datapath/sandbox.h"

using namespace apnat;
using namespace apnat::test;

namespace {

constexpr std::uint32_t kRemote = 0xc6336435;  // 198.51.100.53
constexpr std::uint32_t kShared = 0xcb007101;  // 203.0.113.1
constexpr std::uint16_t kCustomer = 0x8100;

Piece udp(std::uint32_t source, std::uint16_t source_port, std::uint32_t destination, std::uint16_t destination_port) {
  Piece piece{.source = source,
              .destination = destination,
              .more = false,
              .payload = udp_header(source_port, destination_port, 108)};
  const Octets data = bytes_of(100, source_port);
  piece.payload.insert(piece.payload.end(), data.begin(), data.end());
  return piece;
}

// How often a program has been started, and not by a tail call, since this was made.
class Runs {
 public:
  explicit Runs(int program) : program_(program), statistics_(::bpf_enable_stats(BPF_STATS_RUN_TIME)) {
    REQUIRE(statistics_);
    before_ = count();
  }
  std::uint64_t since() const { return count() - before_; }

 private:
  std::uint64_t count() const {
    bpf_prog_info about{};
    std::uint32_t size = sizeof(about);
    REQUIRE(::bpf_obj_get_info_by_fd(program_, &about, &size) == 0);
    return about.run_cnt;
  }
  int program_;
  UniqueFd statistics_;
  std::uint64_t before_ = 0;
};

bpf_map_info about_map(int fd) {
  bpf_map_info about{};
  std::uint32_t size = sizeof(about);
  REQUIRE(::bpf_obj_get_info_by_fd(fd, &about, &size) == 0);
  return about;
}

// The tables a program uses; empty if it is not called so.
std::vector<UniqueFd> maps_of(int program, std::string_view name) {
  std::vector<std::uint32_t> ids(64);
  bpf_prog_info about{};
  about.nr_map_ids = static_cast<std::uint32_t>(ids.size());
  about.map_ids = reinterpret_cast<std::uint64_t>(ids.data());
  std::uint32_t size = sizeof(about);
  std::vector<UniqueFd> maps;
  if (::bpf_obj_get_info_by_fd(program, &about, &size) != 0 || name != about.name) return maps;
  REQUIRE(about.nr_map_ids <= ids.size());
  for (std::uint32_t n = 0; n < about.nr_map_ids; ++n) maps.emplace_back(::bpf_map_get_fd_by_id(ids[n]));
  return maps;
}

struct Lab {
  Sandbox sandbox;
  Datapath datapath = Datapath::open(made()).value();
  SlowPathProgram program = datapath.slow_path_program().value();
  std::uint32_t in = ::if_nametoindex("in"), out = ::if_nametoindex("out");

  Lab() {
    run("ip neigh add 198.51.100.53 lladdr 02:00:00:00:00:35 dev out nud permanent && "
        "ip neigh add 100.64.0.10 lladdr 02:00:00:00:00:0a dev in nud permanent");
  }
  Plan made() const {
    Plan wanted = plan(sandbox.config({dynamic_pool("home", "100.64.0.0/24", "203.0.113.1/32")}));
    wanted.options.vlans = 1;
    return wanted;
  }
  // As if the interface carried one tag: frames leave with it, and those that come in with it are the interface's.
  void tag(std::uint32_t ifindex, std::uint16_t vlan) const {
    const Pins pins{sandbox.bpffs()};
    const UniqueFd interfaces(::bpf_obj_get(pins.map("interfaces").c_str()));
    const UniqueFd members(::bpf_obj_get(pins.map("vlan_members").c_str()));
    struct interface row{};
    REQUIRE(::bpf_map_lookup_elem(interfaces.get(), &ifindex, &row) == 0);
    row.vlan_depth = 1;
    row.vlan_protocol[0] = __builtin_bswap16(kCustomer);
    row.vlan_id[0] = __builtin_bswap16(vlan);
    row.vlan_table_plus_one = 1;
    REQUIRE(::bpf_map_update_elem(interfaces.get(), &ifindex, &row, BPF_ANY) == 0);
    const std::uint32_t place = vlan;
    const vlan_member member{.ifindex = ifindex, .reserved = 0};
    REQUIRE(::bpf_map_update_elem(members.get(), &place, &member, BPF_ANY) == 0);
  }
  Octets answered(std::uint32_t number) {
    const slow_path_datagram& answer = program.answer(number);
    return Octets(answer.head, answer.head + answer.head_length);
  }

  // The kernel's program behind `program`: others of its name may be there, with other tables.
  UniqueFd loaded() const {
    const UniqueFd ours(::bpf_obj_get(Pins{sandbox.bpffs()}.map("slow_path_batch").c_str()));
    const std::uint32_t wanted = about_map(ours.get()).id;
    for (std::uint32_t id = 0; ::bpf_prog_get_next_id(id, &id) == 0;) {
      UniqueFd candidate(::bpf_prog_get_fd_by_id(id));
      const auto maps = maps_of(candidate.get(), "apnat_slow_path");
      if (std::ranges::any_of(maps, [&](const UniqueFd& map) { return about_map(map.get()).id == wanted; })) {
        return candidate;
      }
    }
    FAIL("the slow path's program is not loaded");
    return {};
  }
  void break_chain() const {
    for (const UniqueFd& map : maps_of(loaded().get(), "apnat_slow_path")) {
      const std::uint32_t first = 0;
      if (about_map(map.get()).type != BPF_MAP_TYPE_PROG_ARRAY) continue;
      REQUIRE(::bpf_map_delete_elem(map.get(), &first) == 0);
    }
  }
};

}  // namespace

TEST_CASE("one run translates a whole batch, each by itself", "[kernel][datapath][FRAG-1]") {
  if (!may_use_kernel()) return;
  Lab lab;
  const UniqueFd program = lab.loaded();
  const Runs runs(program.get());
  for (std::uint16_t n = 0; n < SlowPathProgram::kMost; ++n) {
    lab.program.ask(n, frame_of(udp(kS1, static_cast<std::uint16_t>(5000 + n), kRemote, 53)), lab.in);
  }
  REQUIRE(lab.program.run(SlowPathProgram::kMost) == SlowPathProgram::kMost);
  CHECK(runs.since() == 1);
  CHECK(lab.datapath.slow_path_verdicts()[VERDICT_TRANSLATED_OUTBOUND] == SlowPathProgram::kMost);
  CHECK(lab.datapath.verdicts()[VERDICT_TRANSLATED_OUTBOUND] == 0);
  for (std::uint32_t n = 0; n < SlowPathProgram::kMost; ++n) {
    CHECK(lab.program.answer(n).verdict == VERDICT_TRANSLATED_OUTBOUND);
    CHECK(lab.program.answer(n).device_ifindex == lab.out);
    const auto frame = parse_frame(lab.answered(n));
    REQUIRE(frame);
    CHECK(frame->source().value() == kShared);
    CHECK(frame->payload.size() == 108);
    const Octets data(frame->payload.begin() + 8, frame->payload.end());
    CHECK(data == bytes_of(100, 5000 + n));
  }
}

TEST_CASE("what one datagram of a batch is refused for is nothing to the next", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Lab lab;
  // Nothing of these is left in the rows.
  for (std::uint32_t n = 0; n < 5; ++n) lab.program.ask(n, frame_of(udp(kS1, 5000, kRemote, 53)), lab.in);
  REQUIRE(lab.program.run(5) == 5);
  CHECK(lab.program.answer(4).mtu == 1500);
  Piece expired = udp(kS1, 5000, kRemote, 53), damaged = udp(kS1, 5001, kRemote, 53);
  expired.ttl = 1;
  damaged.payload[1] = damaged.payload[0] = 0;
  lab.program.ask(0, frame_of(expired), lab.in);
  lab.program.ask(1, frame_of(udp(kS1, 5002, kRemote, 53)), lab.in);
  lab.program.ask(2, frame_of(damaged), lab.in);
  lab.program.ask(3, frame_of(udp(kRemote, 53, kShared, 9)), lab.out);
  lab.program.ask(4, frame_of(udp(kS1, 5002, kRemote, 53)), lab.in);
  REQUIRE(lab.program.run(5) == 5);
  CHECK(lab.program.answer(0).verdict == VERDICT_TTL_EXPIRED);
  CHECK(lab.program.answer(1).verdict == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(lab.program.answer(2).verdict == VERDICT_PORT_ZERO);
  CHECK(lab.program.answer(3).verdict == VERDICT_NO_MAPPING);
  CHECK(lab.program.answer(4).verdict == VERDICT_TRANSLATED_OUTBOUND);
  for (const std::uint32_t refused : {0, 2, 3}) {
    CHECK(lab.program.answer(refused).egress_ifindex == 0);
    CHECK(lab.program.answer(refused).device_ifindex == 0);
    CHECK(lab.program.answer(refused).mtu == 0);
  }
}

TEST_CASE("tags put on or taken off one datagram of a batch are nothing to the next", "[kernel][datapath][UDP-25]") {
  if (!may_use_kernel()) return;
  Lab lab;
  lab.tag(lab.out, 7);
  lab.program.ask(0, frame_of(udp(kS1, 5000, kRemote, 53)), lab.in);
  REQUIRE(lab.program.run(1) == 1);
  const auto opened = parse_frame(lab.answered(0));
  REQUIRE(opened);
  Piece reply = udp(kRemote, 53, kShared, load16(opened->payload.data()));
  reply.tags = {std::uint32_t{kCustomer} << 16 | 7};
  // Where the chain is broken each datagram has a run of its own.
  const bool is_broken = GENERATE(false, true);
  if (is_broken) lab.break_chain();
  const UniqueFd program = lab.loaded();
  const Runs runs(program.get());
  for (std::uint32_t n = 0; n < 12; ++n) {
    const bool inbound = n % 4 >= 2;
    lab.program.ask(n, inbound ? frame_of(reply) : frame_of(udp(kS1, 5000, kRemote, 53)), inbound ? lab.out : lab.in);
  }
  REQUIRE(lab.program.run(12) == 12);
  CHECK(runs.since() == (is_broken ? 12 : 1));
  for (std::uint32_t n = 0; n < 12; ++n) {
    INFO("datagram " << n);
    const bool inbound = n % 4 >= 2;
    const slow_path_datagram& answer = lab.program.answer(n);
    CHECK(answer.verdict == (inbound ? VERDICT_TRANSLATED_INBOUND : VERDICT_TRANSLATED_OUTBOUND));
    CHECK(answer.head_length == (inbound ? SLOW_PATH_HEAD - 4 : SLOW_PATH_HEAD + 4));
    CHECK(answer.network_offset == (inbound ? 14 : 18));
    const Octets bytes = lab.answered(n);
    const auto frame = parse_frame(bytes);
    REQUIRE(frame);
    CHECK(frame->link.size() == answer.network_offset);
    CHECK(frame->destination().value() == (inbound ? kS1 : kRemote));
    CHECK(frame->payload.size() == 108);
  }
}
