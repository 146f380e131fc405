// load_plan.h - a configuration file becomes a plan for this machine, or every reason why not.
#pragma once

#include <filesystem>

#include "config/plan.h"

namespace apnat {

// `held_bytes`: memory of tables that are there already and will be kept.
Result<Plan> load_plan(const std::filesystem::path& file, std::uint64_t held_bytes);

// The same as far as it goes without looking at the machine: `apnatd --check`.
Result<Plan> check_plan(const std::filesystem::path& file);

// [node] name, or the host's.
std::string node_of(const Plan& plan);

}  // namespace apnat
