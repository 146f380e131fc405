// sinks.h - the sinks a configuration asks for.
#pragma once

#include <memory>
#include <vector>

#include "config/config.h"
#include "events/fan_out.h"

namespace apnat {

// Opens those that `running` does not have yet; nothing of it is changed.
Result<std::vector<std::unique_ptr<Sink>>> open_missing_sinks(const Config& config, const std::string& node,
                                                              const FanOut& running);

// The names of all a configuration asks for.
std::vector<std::string> sink_names(const Config& config);

// Those of `after` that a reload from `before` may leave as they are: new ones, and those whose settings are the same.
std::vector<std::string> unchanged_sink_names(const Config& before, const Config& after);

}  // namespace apnat
