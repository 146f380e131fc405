// check.h - what is wrong with a configuration as a whole, before anything is touched.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace apnat {

// Overlaps, port arithmetic, RFC minima, capacity: everything that can be said without looking at the machine.
// The error is every complaint, one a line, as read_config's.
Result<void> check(const Config& config);

// What a configuration needs to know of the machine it is to run on.
struct Machine {
  struct Interface {
    std::string name;
    bool ethernet = false;
  };
  std::vector<Interface> interfaces;
  std::uint64_t available_bytes = 0;  // of memory, for a process that starts now
  bool tables_exist = false;          // at paths.bpffs: an earlier agent's, which this one will adopt
};
Result<Machine> this_machine(const Config& config);

// What the running plan has taken already, and a new one will keep.
struct HeldMemory {
  std::uint64_t tables = 0;     // its memory_bytes()
  std::uint64_t fragments = 0;  // its [fragments] memory
};

// Interfaces exist and carry Ethernet; there is memory for the tables and for fragments. Only for a configuration that
// check() has passed.
Result<void> check_machine(const Config& config, const Machine& machine, const HeldMemory& held = {});

}  // namespace apnat
