// where.h - a place in the file.
#pragma once

namespace apnat {

// Where in the file something was said; line 0: nowhere (a default).
struct Where {
  int line = 0;
  int column = 0;
};

}  // namespace apnat
