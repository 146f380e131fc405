// forward.h - `natctl forward`: port forwards, made and taken away while the gateway runs.
#pragma once

#include "commands/ends.h"

namespace apnat {

// {"add": true|false, "pool", "protocol", "external": "A:PORT", "internal": "A:PORT"}
void forward_change_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void forward_list_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
void forward_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
