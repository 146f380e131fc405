// list.cpp - the names a filter may say.
#include "commands/list.h"

namespace apnat {

std::vector<std::string> pool_names(const Plan& plan) {
  std::vector<std::string> names;
  for (const PlannedPool& pool : plan.pools) names.push_back(pool.name);
  return names;
}

}  // namespace apnat
