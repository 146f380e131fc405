// parameters.h - what decides who gets which port, as one text that is equal when that is equal (RFC 7422 section 3).
#pragma once

#include <string>

#include "config/config.h"

namespace apnat {

// "pool residential assignment=dynamic ...; static_block ...": pools by name, blocks and forwards by address,
// whatever their order in the file.
std::string parameters_text(const Config& config);

// Which pools record more of their subscribers than blocks. Nobody's ports depend on it, so it is no part of the above.
std::string logging_text(const Config& config);

}  // namespace apnat
