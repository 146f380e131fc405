// read_event_sink.h - one [[event_sink]] out of the file. Of read.cpp alone.
#pragma once

#include "config/event_sink.h"
#include "config/section.h"

namespace apnat {

EventSinkConfig read_event_sink(Section section);

}  // namespace apnat
