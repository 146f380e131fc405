// forward_agent.cpp - add, remove, list; what a forward must be is checked before the data plane is asked.
#include "commands/forward.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>

#include "base/clock.h"
#include "commands/agent.h"
#include "commands/list.h"
#include "commands/shapes.h"
#include "control/answer.h"

namespace apnat {
namespace {

Result<Endpoint> endpoint(const Arguments& arguments, const char* name) {
  const auto text = TRY(arguments.text(name));
  const auto parsed = text ? Endpoint::parse(*text) : std::nullopt;
  if (!parsed || parsed->port == 0) return fail(fmt::format("--{} must be ADDRESS:PORT", name));
  return *parsed;
}

bool is_in(const std::vector<Prefix>& prefixes, Ip4 address) {
  return std::ranges::any_of(prefixes, [&](const Prefix& prefix) { return prefix.contains(address); });
}

Result<PlannedForward> parse_forward(const Arguments& arguments) {
  PlannedForward forward;
  const auto pool = TRY(arguments.text("pool"));
  if (!pool) return fail("--pool: which pool?");
  forward.pool = *pool;
  const auto protocol = TRY(arguments.text("protocol"));
  const auto number = protocol ? parse_protocol(*protocol) : std::nullopt;
  if (number != IPPROTO_TCP && number != IPPROTO_UDP) return fail("--protocol must be tcp or udp");
  forward.protocol = *number;
  forward.external = TRY(endpoint(arguments, "external"));
  forward.internal = TRY(endpoint(arguments, "internal"));
  return forward;
}

Result<void> check_place(const PlannedForward& forward, const Plan& plan) {
  const auto pool = std::ranges::find(plan.pools, forward.pool, &PlannedPool::name);
  if (pool == plan.pools.end()) return fail(fmt::format("there is no pool \"{}\"", forward.pool));
  if (!std::ranges::binary_search(pool->external, forward.external.address)) {
    return fail(fmt::format("{} is not an external address of pool {}", forward.external.address.text(), pool->name));
  }
  if (!is_in(pool->internal, forward.internal.address)) {
    return fail(fmt::format("{} is not a subscriber of pool {}", forward.internal.address.text(), pool->name));
  }
  return {};
}

Result<void> change(Agent& agent, bool add, const PlannedForward& forward) {
  if (add) {
    TRY_VOID(check_place(forward, agent.plan()));
    return agent.datapath().add_forward(forward, false);
  }
  const auto all = agent.datapath().forwards();
  const auto found = std::ranges::find(all, forward, &ForwardView::forward);
  if (found == all.end()) return fail("there is no such forward");
  if (found->from_configuration) return fail("this forward is the configuration's: take it out of the file and reload");
  return agent.datapath().remove_forward(forward);
}

}  // namespace

void forward_change_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer) {
  const auto forward = parse_forward(arguments);
  const auto add = arguments.flag("add");
  if (!forward) return answer->refuse(forward.error().text, ExitCode::kUsage);
  if (!add) return answer->refuse(add.error().text, ExitCode::kUsage);
  const WallTime before = SystemClock().realtime();
  const auto changed = change(agent, *add, *forward);
  agent.rules_changed(before);
  if (!changed) return answer->refuse(changed.error().text);
  answer->done(shape(ForwardView{*forward, false}));
}

void forward_list_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer) {
  answer_list<ForwardView>(
      arguments, *answer,
      [&](const auto& each) {
        for (const ForwardView& forward : agent.datapath().forwards()) {
          if (!each(forward)) return;
        }
      },
      [](const ForwardView& forward) { return shape(forward); });
}

}  // namespace apnat
