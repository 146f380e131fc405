// attach_test.cpp - the entry program on interfaces, alone and beside others. What
// it goes on into is a program that counts and lets pass.
#include "datapath/attach.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <catch2/catch.hpp>

#include "datapath/program.h"
#include "userspace/datapath/sandbox.h"

using namespace apnat;
using namespace apnat::test;

namespace {

// Counts each packet in a table of one number, and passes it.
class Counter {
 public:
  explicit Counter(std::uint32_t flags) {
    LIBBPF_OPTS(bpf_map_create_opts, none);
    count_ = UniqueFd(::bpf_map_create(BPF_MAP_TYPE_ARRAY, "count", 4, 8, 1, &none));
    REQUIRE(count_);
    const bpf_insn code[] = {
        {.code = 0x62, .dst_reg = 10, .src_reg = 0, .off = -4, .imm = 0},           // key = 0
        {.code = 0x18, .dst_reg = 1, .src_reg = 1, .off = 0, .imm = count_.get()},  // r1 = count
        {.code = 0, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},                //
        {.code = 0xbf, .dst_reg = 2, .src_reg = 10, .off = 0, .imm = 0},            // r2 = &key
        {.code = 0x07, .dst_reg = 2, .src_reg = 0, .off = 0, .imm = -4},            //
        {.code = 0x85, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 1},             // look up
        {.code = 0x15, .dst_reg = 0, .src_reg = 0, .off = 2, .imm = 0},             // none: pass
        {.code = 0xb7, .dst_reg = 1, .src_reg = 0, .off = 0, .imm = 1},             //
        {.code = 0xdb, .dst_reg = 0, .src_reg = 1, .off = 0, .imm = 0},             // atomic add
        {.code = 0xb7, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 2},             // XDP_PASS
        {.code = 0x95, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
    };
    LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = flags);
    program_ =
        UniqueFd(::bpf_prog_load(BPF_PROG_TYPE_XDP, "counter", "GPL", code, sizeof(code) / sizeof(code[0]), &options));
    REQUIRE(program_);
  }

  void make_current(const Pins& pins) const {
    const UniqueFd programs = open_programs(pins).value();
    const std::uint32_t first = 0;
    const int fd = program_.get();
    REQUIRE(::bpf_map_update_elem(programs.get(), &first, &fd, BPF_ANY) == 0);
  }

  std::uint64_t packets() const {
    const std::uint32_t first = 0;
    std::uint64_t count = 0;
    REQUIRE(::bpf_map_lookup_elem(count_.get(), &first, &count) == 0);
    return count;
  }

  int fd() const { return program_.get(); }

 private:
  UniqueFd count_;
  UniqueFd program_;
};

std::uint32_t index_of(const char* name) { return ::if_nametoindex(name); }

// Something comes in by `in`: its peer asks who has an address.
void send_something() { (void)std::system("ping -q -c 3 -i 0.1 -W 1 -I in_peer 100.64.0.99 > /dev/null 2>&1"); }

template <typename T>
T must(Result<T> result) {
  INFO((result ? "" : result.error().text));
  REQUIRE(result);
  return std::move(*result);
}

}  // namespace

TEST_CASE("the entry program goes on into what is current, and is found again", "[kernel][attach]") {
  if (!may_use_kernel()) return;
  const AttachMode wanted = GENERATE(AttachMode::kAuto, AttachMode::kNative, AttachMode::kGeneric);
  Sandbox sandbox;
  const Pins pins{sandbox.bpffs()};
  REQUIRE(make_root(pins));
  const Counter first(BPF_F_XDP_HAS_FRAGS), second(BPF_F_XDP_HAS_FRAGS);
  first.make_current(pins);
  const Attacher attacher = must(Attacher::open(pins));
  const XdpMode mode = wanted == AttachMode::kGeneric ? XdpMode::kGeneric : XdpMode::kNative;
  CHECK_FALSE(attacher.find(index_of("in")));
  CHECK(must(attacher.attach(index_of("in"), "in", wanted)).mode == mode);
  CHECK(attacher.find(index_of("in")) == mode);
  CHECK_FALSE(attacher.find(index_of("out")));
  run("ip addr add 100.64.0.50/24 dev in_peer");

  send_something();
  CHECK(first.packets() > 0);
  second.make_current(pins);
  const auto before = first.packets();
  send_something();
  CHECK(second.packets() > 0);
  CHECK(first.packets() == before);

  // Attached already: not touched, whatever mode is asked for.
  CHECK(must(attacher.attach(index_of("in"), "in", AttachMode::kAuto)).mode == mode);
  // Another data plane's program is not ours.
  const Pins others{std::filesystem::path("/sys/fs/bpf/others")};
  REQUIRE(make_root(others));
  CHECK_FALSE(must(Attacher::open(others)).find(index_of("in")));

  REQUIRE(attacher.detach(index_of("in"), "in"));
  CHECK_FALSE(attacher.find(index_of("in")));
  REQUIRE(attacher.detach(index_of("in"), "in"));
}

TEST_CASE("a program behind libxdp's dispatcher keeps seeing packets beside ours", "[kernel][attach]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Pins pins{sandbox.bpffs()};
  REQUIRE(make_root(pins));
  run("xdp-loader load -m native in /usr/lib/x86_64-linux-gnu/bpf/xdpfilt_alw_all.o > /dev/null 2>&1");
  if (std::system("xdp-loader status in | grep -q xdp_dispatcher") != 0) {
    WARN("skipped: this kernel refuses libxdp's dispatcher");
    return;
  }
  const Counter counter(BPF_F_XDP_HAS_FRAGS);
  counter.make_current(pins);
  const Attacher attacher = must(Attacher::open(pins));
  const auto attached = attacher.attach(index_of("in"), "in", AttachMode::kAuto);
  if (!attached) {
    CHECK(attached.error().text.find("in runs other XDP programs") == 0);
    run("xdp-loader status in | grep -q xdpfilt");
    WARN("skipped: " << attached.error().text);
    return;
  }
  CHECK(attached->mode == XdpMode::kNative);
  CHECK(attacher.find(index_of("in")) == XdpMode::kNative);
  run("xdp-loader status in | grep -q apnat_entry");
  run("xdp-loader status in | grep -q xdpfilt");
  run("ip addr add 100.64.0.50/24 dev in_peer");
  send_something();
  CHECK(counter.packets() > 0);
  REQUIRE(attacher.detach(index_of("in"), "in"));
  CHECK_FALSE(attacher.find(index_of("in")));
  run("xdp-loader status in | grep -q xdpfilt");
}

TEST_CASE("a program that comes to a dispatcher after ours leaves ours in place", "[kernel][attach]") {
  if (!may_use_kernel()) return;
  Sandbox sandbox;
  const Pins pins{sandbox.bpffs()};
  REQUIRE(make_root(pins));
  const Counter counter(BPF_F_XDP_HAS_FRAGS);
  counter.make_current(pins);
  const Attacher attacher = must(Attacher::open(pins));
  must(attacher.attach(index_of("in"), "in", AttachMode::kAuto));
  if (std::system("xdp-loader status in | grep -q xdp_dispatcher") != 0) {
    WARN("skipped: this kernel refuses libxdp's dispatcher");
    return;
  }
  run("xdp-loader load -m native in /usr/lib/x86_64-linux-gnu/bpf/xdpfilt_alw_all.o");
  CHECK(attacher.find(index_of("in")) == XdpMode::kNative);
  run("ip addr add 100.64.0.50/24 dev in_peer");
  send_something();
  CHECK(counter.packets() > 0);
  REQUIRE(attacher.detach(index_of("in"), "in"));
  run("xdp-loader status in | grep -q xdpfilt");
}
