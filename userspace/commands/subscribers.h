// subscribers.h - `natctl subscribers`: who holds how much.
#pragma once

#include "commands/ends.h"

namespace apnat {

void subscribers_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void subscribers_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
