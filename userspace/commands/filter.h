// filter.h - what the list commands are narrowed to: the words of the command
// line, and what the agent makes of them.
#pragma once

#include <string>
#include <vector>

#include "control/protocol.h"

namespace CLI {
class App;
}

namespace apnat {

struct Filter;

// natctl: --pool, --subscriber, --external, --protocol, --limit, --count, as far as they are in `options`.
struct FilterWords {
  std::string pool;
  std::string subscriber;
  std::string external;
  std::string protocol;
  std::uint64_t limit = 0;
  bool count = false;

  void add_to(CLI::App& command, const std::string& options);
  Json arguments() const;
};

// The agent: the same as values; what is no address, no protocol or no pool of `pools` is refused.
Result<Filter> parse_filter(const Arguments& arguments, const std::vector<std::string>& pools);

}  // namespace apnat
