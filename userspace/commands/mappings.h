// mappings.h - `natctl mappings`: internal endpoint <-> external endpoint, each that lives.
#pragma once

#include "commands/ends.h"

namespace apnat {

void mappings_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void mappings_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
