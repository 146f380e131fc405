// detach_agent.cpp - the one command after which nothing is translated any more.
#include "commands/detach.h"

#include "commands/agent.h"
#include "control/answer.h"

namespace apnat {

void detach_agent(Agent& agent, const Arguments&, const AnswerTo& answer) {
  std::vector<std::string> interfaces;
  for (const PlannedInterface& interface : agent.plan().interfaces) interfaces.push_back(interface.name);
  const auto detached = agent.detach();
  if (!detached) return answer->refuse(detached.error().text);
  answer->done(Json{{"interfaces", interfaces}});
}

}  // namespace apnat
