// messages.h - what libbpf and libxdp say while they work: kept, so that a refusal
// can be explained, instead of printed past the agent's log.
#pragma once

#include <string>

namespace apnat {

// Catches the libraries' messages while it lives; nested ones share.
class Messages {
 public:
  Messages();
  ~Messages();
  Messages(const Messages&) = delete;
  Messages& operator=(const Messages&) = delete;

  // The last few lines, joined by "; "; empty: nothing was said.
  std::string last(std::size_t lines) const;
};

}  // namespace apnat
