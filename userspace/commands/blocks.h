// blocks.h - `natctl blocks`: which external ports are whose.
#pragma once

#include "commands/ends.h"

namespace apnat {

void blocks_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void blocks_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
