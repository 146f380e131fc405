// command.h - what commands there are: the agent's list and natctl's. A new one is
// a line in each, and its three files.
#pragma once

#include "commands/blocks.h"
#include "commands/counters.h"
#include "commands/detach.h"
#include "commands/events.h"
#include "commands/explain.h"
#include "commands/forward.h"
#include "commands/mappings.h"
#include "commands/plan.h"
#include "commands/pools.h"
#include "commands/reload.h"
#include "commands/status.h"
#include "commands/subscribers.h"
#include "commands/trace.h"
#include "commands/version.h"
#include "control/answer.h"

namespace apnat {

struct AgentCommand {
  const char* name;
  Way way;
  AgentEnd run;
};

inline constexpr AgentCommand kAgentCommands[] = {
    {"status", Way::kReads, status_agent},
    {"pools", Way::kReads, pools_agent},
    {"subscribers", Way::kReads, subscribers_agent},
    {"blocks", Way::kReads, blocks_agent},
    {"mappings", Way::kReads, mappings_agent},
    {"counters", Way::kReads, counters_agent},
    {"events", Way::kStays, events_agent},
    {"explain", Way::kReads, explain_agent},
    {"forward_change", Way::kChanges, forward_change_agent},
    {"forward_list", Way::kReads, forward_list_agent},
    {"trace", Way::kStays, trace_agent},
    {"reload", Way::kChanges, reload_agent},
    {"detach", Way::kChanges, detach_agent},
    {"version", Way::kReads, version_agent},
};

inline constexpr NatctlEnd kNatctlCommands[] = {
    status_natctl,  pools_natctl, subscribers_natctl, blocks_natctl, mappings_natctl, counters_natctl, events_natctl,
    explain_natctl, trace_natctl, forward_natctl,     reload_natctl, plan_natctl,     detach_natctl,   version_natctl,
};

}  // namespace apnat
