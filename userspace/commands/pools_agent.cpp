// pools_agent.cpp - the data plane's own view, as rows.
#include "commands/filter.h"
#include "commands/list.h"
#include "commands/pools.h"
#include "commands/shapes.h"

namespace apnat {

void pools_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer) {
  const auto filter = parse_filter(arguments, pool_names(agent.plan()));
  if (!filter) return answer->refuse(filter.error().text, ExitCode::kUsage);
  answer_list<PoolView>(
      arguments, *answer,
      [&](const auto& each) {
        for (const PoolView& pool : agent.datapath().pools()) {
          if ((!filter->pool || *filter->pool == pool.name) && !each(pool)) return;
        }
      },
      [](const PoolView& pool) { return shape(pool); });
}

}  // namespace apnat
