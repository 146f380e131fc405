// load_plan.cpp - read, check, check against the machine, plan.
#include "apnatd/load_plan.h"

#include <unistd.h>

#include "config/read.h"

namespace apnat {

Result<Plan> load_plan(const std::filesystem::path& file, const HeldMemory& held) {
  const Config config = TRY(read_config(file));
  TRY_VOID(check(config));
  const Machine machine = TRY(this_machine(config));
  TRY_VOID(check_machine(config, machine, held));
  return plan(config);
}

Result<Plan> check_plan(const std::filesystem::path& file) {
  const Config config = TRY(read_config(file));
  TRY_VOID(check(config));
  return plan(config);
}

std::string node_of(const Plan& plan) {
  if (!plan.config.node_name.empty()) return plan.config.node_name;
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 && name[0] ? name : "apnat";
}

}  // namespace apnat
