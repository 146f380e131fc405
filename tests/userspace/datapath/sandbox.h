// sandbox.h - a network and mount namespace of its own for a test that needs the
// kernel: a bpffs nobody else sees, veth pairs, and what was pinned goes with it.
#pragma once

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/unique_fd.h"
#include "config/plan.h"

namespace apnat::test {

inline void run(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

// True where programs may be loaded; else the test has to say that it skips.
inline bool may_use_kernel() {
  if (::geteuid() == 0) return true;
  WARN("skipped: needs root");
  return false;
}

class Sandbox {
 public:
  Sandbox()
      : network_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)),
        mounts_(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)) {
    REQUIRE(::unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_FS) == 0);
    REQUIRE(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    REQUIRE(::mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0);
    REQUIRE(::mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) == 0);
    // libxdp makes this once a process, and this process has a bpffs for each test.
    std::filesystem::create_directory("/sys/fs/bpf/xdp");
    char name[] = "/tmp/apnat-datapath-XXXXXX";
    REQUIRE(::mkdtemp(name));
    directory_ = name;
    run("ip link set lo up && sysctl -qw net.ipv4.ip_forward=1");
    for (const char* side : {"in", "out"}) {
      run(fmt::format("ip link add {0} type veth peer name {0}_peer && ip link set {0} up && ip link set {0}_peer up",
                      side));
    }
    run("ip addr add 100.64.0.1/24 dev in && ip addr add 198.51.100.1/24 dev out");
  }

  ~Sandbox() {
    std::filesystem::remove_all(directory_);
    if (::setns(mounts_.get(), CLONE_NEWNS) != 0 || ::setns(network_.get(), CLONE_NEWNET) != 0) std::abort();
  }

  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path bpffs() const { return "/sys/fs/bpf/apnat"; }

  // A gateway between `in` and `out` with these pools; timeouts as `adjust` likes them.
  Config config(std::vector<PoolConfig> pools) const {
    Config config;
    config.node_name = "test";
    config.paths.socket = directory_ / "socket";
    config.paths.bpffs = bpffs();
    config.paths.state = directory_;
    config.interfaces.internal = {{.name = "in", .where = {}}};
    config.interfaces.external = {{.name = "out", .where = {}}};
    config.pools = std::move(pools);
    return config;
  }

 private:
  UniqueFd network_;
  UniqueFd mounts_;
  std::filesystem::path directory_;
};

// A program of somebody else: passes everything.
inline int pass_program() {
  const bpf_insn code[] = {{.code = 0xb7, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 2},
                           {.code = 0x95, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  return ::bpf_prog_load(BPF_PROG_TYPE_XDP, "somebody", "GPL", code, 2, nullptr);
}

inline PrefixAt prefix(const std::string& text) { return {.prefix = Prefix::parse(text).value(), .where = {}}; }
inline Ip4 ip(const std::string& text) { return Ip4::parse(text).value(); }
inline Endpoint endpoint(const std::string& text) { return Endpoint::parse(text).value(); }

inline PoolConfig dynamic_pool(const std::string& name, const std::string& internal, const std::string& external) {
  PoolConfig pool;
  pool.name = name;
  pool.internal = {prefix(internal)};
  pool.external = {prefix(external)};
  pool.block_size = 512;
  return pool;
}

}  // namespace apnat::test
