// syslog.h - an event as an RFC 5424 message whose text is its JSON. Pure.
#pragma once

#include "events/sinks/encoder.h"

namespace apnat {

// Severity follows the event: refusals are warnings, gaps errors, everything else informational.
Encoder syslog_encoder(JsonFormat format, int facility);

}  // namespace apnat
