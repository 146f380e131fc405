// events_agent.cpp - the answer stays open and becomes one more follower.
#include "commands/events.h"

#include "commands/agent.h"
#include "control/answer.h"

namespace apnat {

void events_agent(Agent& agent, const Arguments&, const AnswerTo& answer) {
  Followers& followers = agent.followers();
  const auto id = followers.add([answer](std::string_view line) { return answer->row_of_json(line); });
  answer->on_gone([&followers, id] { followers.remove(id); });
}

}  // namespace apnat
