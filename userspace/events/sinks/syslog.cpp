// syslog.cpp - <PRI>1 TIME NODE apnat - EVENT - {JSON}
#include "events/sinks/syslog.h"

#include <fmt/format.h>

#include <iterator>

#include "events/json.h"
#include "events/time_text.h"

namespace apnat {
namespace {

struct Severity {
  int operator()(const QuotaExceeded&) const { return 4; }
  int operator()(const PoolExhausted&) const { return 4; }
  int operator()(const SourceSpoofed&) const { return 4; }
  int operator()(const Ipv4IdRepeated&) const { return 4; }
  int operator()(const FragmentIdsWrapped&) const { return 4; }
  int operator()(const Gap&) const { return 3; }
  int operator()(const AgentStarted&) const { return 5; }
  int operator()(const AgentStopped&) const { return 5; }
  int operator()(const ConfigApplied&) const { return 5; }
  int operator()(const TraceAsked&) const { return 5; }
  template <typename Routine>
  int operator()(const Routine&) const {
    return 6;
  }
};

}  // namespace

Encoder syslog_encoder(JsonFormat format, int facility) {
  return [facility, json = json_encoder(format)](const Event& event, const std::string& node, Encoded& out) {
    const int priority = facility * 8 + std::visit(Severity{}, event.body);
    fmt::format_to(std::back_inserter(out.payload), "<{}>1 ", priority);
    append_rfc3339(out.payload, event.time);
    // The names of events are MSGIDs already: at most 32 printable characters.
    fmt::format_to(std::back_inserter(out.payload), " {} apnat - {} - ", node, event_name(event.body));
    json(event, node, out);
  };
}

}  // namespace apnat
