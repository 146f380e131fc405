// plan.h - `natctl plan`: what a deployment would need, before it is bought.
#pragma once

#include "commands/ends.h"

namespace apnat {

void plan_natctl(CLI::App& app, Natctl& natctl);

}  // namespace apnat
