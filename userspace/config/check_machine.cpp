// check_machine.cpp - a configuration against the machine: its interfaces and its memory.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "config/check.h"
#include "config/check_rules.h"
#include "config/demand.h"
#include "net/interface.h"

namespace apnat {
namespace {

// What the kernel can still give without swapping.
Result<std::uint64_t> memory_available() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::uint64_t kibibytes = 0;
  std::string rest;
  while (file >> key >> kibibytes && std::getline(file, rest)) {
    if (key == "MemAvailable:") return kibibytes * 1024;
  }
  return fail("read the memory that is available from /proc/meminfo");
}

// Table memory is charged to the agent's control group: its limit counts too, where there is one.
std::uint64_t left_in_control_group() {
  constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
  std::ifstream membership("/proc/self/cgroup");
  std::string line;
  std::uint64_t least = kUnlimited;
  while (std::getline(membership, line)) {
    if (!line.starts_with("0::/")) continue;
    // Each group above has its say as well.
    for (std::filesystem::path group = line.substr(3); group.has_relative_path(); group = group.parent_path()) {
      const std::string folder = "/sys/fs/cgroup" + group.string();
      std::ifstream limit_file(folder + "/memory.max");
      std::ifstream used_file(folder + "/memory.current");
      std::uint64_t limit = 0;
      std::uint64_t used = 0;
      if (limit_file >> limit && used_file >> used) least = std::min(least, limit > used ? limit - used : 0);
    }
  }
  return least;
}

std::string megabytes(std::uint64_t bytes) { return fmt::format("{} MiB", (bytes + (1 << 20) - 1) >> 20); }

void check_interface(const InterfaceName& wanted, const Machine& machine, Complaints& complaints) {
  const auto found = std::ranges::find(machine.interfaces, wanted.name, &Machine::Interface::name);
  if (found != machine.interfaces.end()) {
    if (!found->ethernet) {
      complaints.add(wanted.where,
                     fmt::format("interface {} has no Ethernet headers; it cannot be served", wanted.name));
    }
    return;
  }
  std::vector<std::string_view> names;
  for (const Machine::Interface& interface : machine.interfaces) {
    if (interface.ethernet) names.push_back(interface.name);
  }
  const std::string_view meant = nearest(wanted.name, names);
  const std::string there = names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
  complaints.add(wanted.where,
                 fmt::format("there is no interface {}; {}", wanted.name,
                             meant.empty() ? "there is " + there : fmt::format("did you mean {}?", meant)));
}

std::uint64_t growth(std::uint64_t held, std::uint64_t wanted) { return wanted > held ? wanted - held : 0; }

// What an agent that starts finds of tables is taken over, and how much of it they hold is not known yet; memory for
// fragments is always new. Another size of it is taken before the old one is given back.
void check_memory(const Config& config, const Machine& machine, const HeldMemory& held, Complaints& complaints) {
  const std::uint64_t tables = table_demand(config).memory_bytes();
  const std::uint64_t fragments = config.fragments.memory;
  const bool adopting = machine.tables_exist && held.tables == 0;
  const std::uint64_t more =
      (adopting ? 0 : growth(held.tables, tables)) + (fragments == held.fragments ? 0 : fragments);
  if (more <= machine.available_bytes) return;
  const std::string than_now = held.tables ? fmt::format(", {} more than now,", megabytes(more)) : "";
  complaints.add({}, fmt::format("the tables need {} and fragments {}{} and {} are available; share fewer external "
                                 "addresses ({} MiB each), give [fragments] less memory, or add memory",
                                 megabytes(tables), megabytes(fragments), than_now, megabytes(machine.available_bytes),
                                 bytes_per_address() >> 20));
}

}  // namespace

Result<Machine> this_machine(const Config& config) {
  Machine machine;
  for (const NetworkInterface& interface : TRY(network_interfaces())) {
    machine.interfaces.push_back({interface.name, interface.ethernet});
  }
  machine.available_bytes = std::min(TRY(memory_available()), left_in_control_group());
  std::error_code ignored;
  machine.tables_exist = std::filesystem::exists(config.paths.bpffs, ignored) &&
                         !std::filesystem::is_empty(config.paths.bpffs, ignored) && !ignored;
  return machine;
}

Result<void> check_machine(const Config& config, const Machine& machine, const HeldMemory& held) {
  Complaints complaints;
  for (const InterfaceName& name : config.interfaces.internal) check_interface(name, machine, complaints);
  for (const InterfaceName& name : config.interfaces.external) {
    // One-armed: said once is enough.
    if (std::ranges::count(config.interfaces.internal, name.name, &InterfaceName::name)) continue;
    check_interface(name, machine, complaints);
  }
  check_memory(config, machine, held, complaints);
  return complaints.result(config.file);
}

}  // namespace apnat
