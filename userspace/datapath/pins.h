// pins.h - where the data plane lives in bpffs while no agent runs, and who may
// touch it: one agent at a time.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace apnat {

struct Pins {
  std::filesystem::path root;  // [paths] bpffs

  std::filesystem::path maps() const { return root / "maps"; }
  std::filesystem::path map(std::string_view name) const { return maps() / name; }
  std::filesystem::path program() const { return root / "apnat"; }
};

// The root exists and is on a bpffs; one is mounted on /sys/fs/bpf if none is there yet.
Result<void> make_root(const Pins& pins);

// Held as long as the agent lives. Refused (EWOULDBLOCK) while another holds it for longer than a dead agent's children
// may.
Result<UniqueFd> lock_root(const Pins& pins);

// Opens what is pinned there.
Result<UniqueFd> open_pin(const std::filesystem::path& path);

// Takes the tables and the program away, and keeps the root (it may be locked); what is attached keeps its objects
// until it is detached.
Result<void> remove_tables(const Pins& pins);
// And the root.
Result<void> remove_root(const Pins& pins);

}  // namespace apnat
