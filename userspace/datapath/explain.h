// explain.h - what the data plane would do with a packet, told step by step. It
// reads the tables that are in use and writes none.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "datapath/datapath.h"

namespace apnat {

struct Explanation {
  std::string verdict;   // a name of verdicts.def
  std::string fate;      // forward, pass, answer, drop
  std::string sentence;  // verdicts.def's
  std::vector<std::string> steps;
};

// `frame`: an Ethernet frame as it would come in by `interface`. Refused: an interface the gateway does not serve.
Result<Explanation> explain(const Datapath& datapath, const std::string& interface,
                            std::span<const std::uint8_t> frame);

}  // namespace apnat
