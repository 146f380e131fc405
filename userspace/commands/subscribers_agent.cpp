// subscribers_agent.cpp - the data plane's own view, as rows.
#include "commands/subscribers.h"

#include "commands/filter.h"
#include "commands/list.h"
#include "commands/shapes.h"

namespace apnat {

void subscribers_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer) {
  const auto filter = parse_filter(arguments, pool_names(agent.plan()));
  if (!filter) return answer->refuse(filter.error().text, ExitCode::kUsage);
  answer_list<SubscriberView>(
      arguments, *answer, [&](const auto& each) { agent.datapath().subscribers(*filter, each); },
      [](const SubscriberView& row) { return shape(row); });
}

}  // namespace apnat
