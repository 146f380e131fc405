// load_plan.h - a configuration file becomes a plan for this machine, or every reason why not.
#pragma once

#include <filesystem>

#include "config/check.h"
#include "config/plan.h"

namespace apnat {

// `held`: memory that the running plan has taken and the new one will keep.
Result<Plan> load_plan(const std::filesystem::path& file, const HeldMemory& held);

// The same as far as it goes without looking at the machine: `apnatd --check`.
Result<Plan> check_plan(const std::filesystem::path& file);

// [node] name, or the host's.
std::string node_of(const Plan& plan);

}  // namespace apnat
