// reload_agent.cpp - SIGHUP's work, asked for by hand.
#include "commands/reload.h"

#include "commands/agent.h"
#include "control/answer.h"

namespace apnat {

void reload_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer) {
  const auto dry_run = arguments.flag("dry_run");
  if (!dry_run) return answer->refuse(dry_run.error().text, ExitCode::kUsage);
  const auto changes = agent.reload(*dry_run);
  if (!changes) return answer->refuse(changes.error().text);
  answer->done(Json{{"applied", !*dry_run}, {"changes", *changes}});
}

}  // namespace apnat
