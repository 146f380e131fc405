// slow_path_shape.h - the slow path's figures as JSON, and what of them is worth a warning. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/answer.h"
#include "datapath/datapath.h"
#include "slowpath/figures.h"

namespace apnat {

// `verdicts`: of datagrams put together, by enum verdict.
Json slow_path_shape(const SlowPathFigures& figures, const std::vector<std::uint64_t>& verdicts, const IdFigures& ids);

std::vector<std::string> slow_path_warnings(const SlowPathFigures& figures);

}  // namespace apnat
