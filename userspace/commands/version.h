// version.h - `natctl version`: natctl's version, and the agent's.
#pragma once

#include "commands/ends.h"

namespace apnat {

void version_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void version_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
