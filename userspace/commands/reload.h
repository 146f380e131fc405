// reload.h - `natctl reload`: apply the configuration file; say what changes.
#pragma once

#include "commands/ends.h"

namespace apnat {

void reload_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void reload_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
