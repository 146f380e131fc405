// pins.cpp - bpffs: mounted, made, locked, emptied.
#include "datapath/pins.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

namespace apnat {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kSystemBpffs = "/sys/fs/bpf";
// Whoever answers a question of natctl is a child of the agent, and has its lock until the kernel has ended it too.
constexpr std::chrono::milliseconds kDeadAgentsChildren{1000};

fs::path nearest_existing(fs::path path) {
  std::error_code ignored;
  while (!fs::exists(path, ignored) && path.has_relative_path()) path = path.parent_path();
  return path;
}

bool is_bpffs(const fs::path& path) {
  struct statfs about{};
  return ::statfs(path.c_str(), &about) == 0 && static_cast<unsigned long>(about.f_type) == BPF_FS_MAGIC;
}

bool is_below(const fs::path& path, std::string_view directory) {
  const std::string text = path.lexically_normal().string();
  return text.starts_with(directory) && (text.size() == directory.size() || text[directory.size()] == '/');
}

}  // namespace

Result<void> make_root(const Pins& pins) {
  if (!is_bpffs(nearest_existing(pins.root)) && is_below(pins.root, kSystemBpffs)) {
    if (::mount("bpf", kSystemBpffs.data(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) {
      return fail(errno, "mount a bpffs on /sys/fs/bpf (as root: mount -t bpf bpf /sys/fs/bpf)");
    }
  }
  if (const fs::path there = nearest_existing(pins.root); !is_bpffs(there)) {
    return fail(fmt::format("paths.bpffs {}: {} is not on a bpffs; mount one there: mount -t bpf bpf {}",
                            pins.root.string(), there.string(), there.string()));
  }
  std::error_code error;
  fs::create_directories(pins.maps(), error);
  if (error) return fail(error.value(), "make " + pins.maps().string());
  return {};
}

Result<UniqueFd> lock_root(const Pins& pins) {
  UniqueFd root(::open(pins.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail(errno, "open " + pins.root.string());
  const auto until = std::chrono::steady_clock::now() + kDeadAgentsChildren;
  int locked = 0;
  while ((locked = ::flock(root.get(), LOCK_EX | LOCK_NB)) != 0 && errno == EWOULDBLOCK &&
         std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  if (locked == 0) return root;
  if (errno == EWOULDBLOCK) {
    return std::unexpected(
        Error{EWOULDBLOCK, "another apnatd runs this data plane (" + pins.root.string() + " is locked)"});
  }
  return fail(errno, "lock " + pins.root.string());
}

Result<UniqueFd> open_pin(const std::filesystem::path& path) {
  UniqueFd fd(::bpf_obj_get(path.c_str()));
  if (!fd) return fail(errno, "open " + path.string());
  return fd;
}

Result<void> remove_tables(const Pins& pins) {
  std::error_code error;
  for (const fs::path& path : {pins.maps(), pins.program()}) {
    fs::remove_all(path, error);
    if (error) return fail(error.value(), "remove " + path.string());
  }
  return {};
}

Result<void> remove_root(const Pins& pins) {
  TRY_VOID(remove_tables(pins));
  std::error_code error;
  fs::remove(pins.root, error);
  if (error) return fail(error.value(), "remove " + pins.root.string());
  return {};
}

}  // namespace apnat
