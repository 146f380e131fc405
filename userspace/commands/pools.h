// pools.h - `natctl pools`: what each pool has, and how full it is.
#pragma once

#include "commands/ends.h"

namespace apnat {

void pools_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void pools_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
