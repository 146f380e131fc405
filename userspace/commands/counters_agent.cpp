// counters_agent.cpp - {"NAME": number}, verdicts of packets only: their sum is the number of packets seen.
#include "commands/counters.h"

#include "apnat/verdict.h"
#include "commands/agent.h"
#include "control/answer.h"
#include "events/decode.h"

namespace apnat {

void counters_agent(Agent& agent, const Arguments&, const AnswerTo& answer) {
  const std::vector<std::uint64_t> counts = agent.datapath().verdicts();
  Json counters = Json::object();
  for (unsigned verdict = VERDICT_CONTINUE + 1; verdict < VERDICT_COUNT && verdict < counts.size(); ++verdict) {
    counters[verdict_name(verdict)] = counts[verdict];
  }
  answer->done(counters);
}

}  // namespace apnat
