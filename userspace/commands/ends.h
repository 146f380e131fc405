// ends.h - the two ends of a command, as types: what its header declares.
#pragma once

#include <memory>

#include "control/protocol.h"

namespace CLI {
class App;
}

namespace apnat {

class Agent;
class Answer;
struct Natctl;

// Shared, because an answer may stay open after the command has returned.
using AnswerTo = std::shared_ptr<Answer>;

using AgentEnd = void (*)(Agent& agent, const Arguments& arguments, const AnswerTo& answer);
using NatctlEnd = void (*)(CLI::App& app, Natctl& natctl);

}  // namespace apnat
