// list.h - what the list commands share, the agent's end: filter, limit, count.
#pragma once

#include <functional>

#include "commands/agent.h"
#include "control/answer.h"

namespace apnat {

std::vector<std::string> pool_names(const Plan& plan);

// `walk` calls what it is given for each row that passes the filter, until that returns false. `Row` makes the JSON,
// and only where it is wanted.
template <typename View, typename Walk, typename Row>
void answer_list(const Arguments& arguments, Answer& answer, const Walk& walk, const Row& row) {
  const auto limit = arguments.number("limit");
  const auto count_only = arguments.flag("count");
  if (!limit) return answer.refuse(limit.error().text, ExitCode::kUsage);
  if (!count_only) return answer.refuse(count_only.error().text, ExitCode::kUsage);
  const std::uint64_t most = limit->value_or(~std::uint64_t{0});
  std::uint64_t count = 0;
  walk([&](const View& view) {
    if (count == most) return false;
    ++count;
    return *count_only || answer.row(row(view));
  });
  answer.done(*count_only ? Json{{"count", count}} : Json());
}

}  // namespace apnat
