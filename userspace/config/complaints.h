// complaints.h - everything wrong with a configuration, gathered so that the operator hears it in one go.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace apnat {

class Complaints {
 public:
  void add(Where where, std::string what);
  bool empty() const { return all_.empty(); }

  // "file:line:column: what", one a line, in the file's order; or success if there are none.
  Result<void> result(const std::filesystem::path& file) const;

 private:
  struct Complaint {
    Where where;
    std::size_t order;  // of the complaining, for several at one place
    std::string what;
  };
  std::vector<Complaint> all_;
};

// The first that says where it is, or the second.
inline Where at_or(Where exact, Where near) { return exact.line ? exact : near; }

// The one of `known` that `word` was probably meant to be; empty: none is near.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace apnat
