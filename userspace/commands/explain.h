// explain.h - `natctl explain`: what would happen to this packet, step by step, changing nothing.
#pragma once

#include "commands/ends.h"

namespace apnat {

void explain_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void explain_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
