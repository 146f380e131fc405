// counters.h - `natctl counters`: every way a packet can end, and how many did.
#pragma once

#include "commands/ends.h"

namespace apnat {

void counters_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void counters_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
