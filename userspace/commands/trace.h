// trace.h - `natctl trace`: who had this address and port then; what did this subscriber have.
#pragma once

#include "commands/ends.h"

namespace apnat {

void trace_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void trace_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
