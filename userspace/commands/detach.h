// detach.h - `natctl detach`: take the gateway off its interfaces.
#pragma once

#include "commands/ends.h"

namespace apnat {

void detach_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void detach_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
