// status.h - `natctl status`: health at a glance.
#pragma once

#include "commands/ends.h"

namespace apnat {

void status_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void status_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
