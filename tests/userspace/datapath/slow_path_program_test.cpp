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
  Piece piece{.source = source, .destination = destination, .more = false};
  for (const std::uint32_t field : {std::uint32_t{source_port}, std::uint32_t{destination_port}, 108U, 0U}) {
    put16(piece.payload, field);
  }
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

// The newest program of that name that the kernel holds.
UniqueFd find_program(std::string_view name) {
  UniqueFd found;
  for (std::uint32_t id = 0; ::bpf_prog_get_next_id(id, &id) == 0;) {
    UniqueFd program(::bpf_prog_get_fd_by_id(id));
    bpf_prog_info about{};
    std::uint32_t size = sizeof(about);
    if (!program || ::bpf_obj_get_info_by_fd(program.get(), &about, &size) != 0) continue;
    if (name == about.name) found = std::move(program);
  }
  REQUIRE(found);
  return found;
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
};

}  // namespace

TEST_CASE("one run translates a whole batch, each by itself", "[kernel][datapath][FRAG-1]") {
  if (!may_use_kernel()) return;
  Lab lab;
  const UniqueFd program = find_program("apnat_slow_path");
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
  for (std::uint32_t n = 0; n < 12; ++n) {
    const bool inbound = n % 4 >= 2;
    lab.program.ask(n, inbound ? frame_of(reply) : frame_of(udp(kS1, 5000, kRemote, 53)), inbound ? lab.out : lab.in);
  }
  REQUIRE(lab.program.run(12) == 12);
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

TEST_CASE("a broken chain of calls costs a run for each datagram, not the datagram", "[kernel][datapath]") {
  if (!may_use_kernel()) return;
  Lab lab;
  const UniqueFd program = find_program("apnat_slow_path");
  // Another table to go round by, and nothing in it; the datapath's own is closed with the datapath, not before.
  const UniqueFd batch(::bpf_obj_get(Pins{lab.sandbox.bpffs()}.map("slow_path_batch").c_str()));
  const UniqueFd datagrams(::bpf_obj_get(Pins{lab.sandbox.bpffs()}.map("slow_path_datagrams").c_str()));
  SlowPathProgram alone = SlowPathProgram::open(program.get(), program.get(), batch.get(), datagrams.get()).value();
  for (std::uint16_t n = 0; n < 8; ++n) {
    alone.ask(n, frame_of(udp(kS1, static_cast<std::uint16_t>(5000 + n), kRemote, 53)), lab.in);
  }
  {
    SlowPathProgram gone = std::move(lab.program);
    Datapath gone_too = std::move(lab.datapath);
  }
  const Runs runs(program.get());
  // The kernel empties the table once the last descriptor of it is closed.
  CHECK(alone.run(8) == 8);
  CHECK(runs.since() == 8);
  for (std::uint32_t n = 0; n < 8; ++n) CHECK(alone.answer(n).verdict == VERDICT_TRANSLATED_OUTBOUND);
}
