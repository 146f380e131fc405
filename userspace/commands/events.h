// events.h - `natctl events`: the live stream, as the sinks get it.
#pragma once

#include "commands/ends.h"

namespace apnat {

void events_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void events_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
