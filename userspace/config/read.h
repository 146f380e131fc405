// read.h - a TOML file becomes a Config.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "config/config.h"

namespace apnat {

// Reads the file and checks its form: known keys, right kinds of value. What the values mean together is
// check()'s. The error is every mistake found, one a line: `file:line:column: what, and what would be right`.
Result<Config> read_config(const std::filesystem::path& path);

// The same for text that is at hand; `name` is what complaints call it.
Result<Config> read_config_text(std::string_view text, const std::filesystem::path& name);

}  // namespace apnat
