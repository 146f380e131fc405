// json.cpp - one function an event; a new alternative of EventBody does not compile until it has its own.
#include "events/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "events/time_text.h"

namespace apnat {
namespace {

class Line {
 public:
  Line& number(std::string_view name, std::uint64_t value) {
    begin(name);
    fmt::format_to(std::back_inserter(text_), "{}", value);
    return *this;
  }
  Line& boolean(std::string_view name, bool value) {
    begin(name);
    text_ += value ? "true" : "false";
    return *this;
  }
  Line& string(std::string_view name, std::string_view value) {
    begin(name);
    text_ += json_string(value);
    return *this;
  }
  Line& time(std::string_view name, WallTime value) { return string(name, rfc3339(value)); }
  Line& endpoint(std::string_view side, const Endpoint& value) {
    string(fmt::format("{}_address", side), value.address.text());
    return number(fmt::format("{}_port", side), value.port);
  }
  // First and last port of the whole; the list where it is not one run.
  Line& ports(const std::vector<PortRange>& ranges) {
    if (ranges.empty()) return number("port_start", 0).number("port_end", 0);
    number("port_start", ranges.front().first).number("port_end", ranges.back().last);
    if (ranges.size() == 1) return *this;
    begin("ports");
    char separator = '[';
    for (const PortRange& range : ranges) {
      fmt::format_to(std::back_inserter(text_), "{}{{\"port_start\":{},\"port_end\":{}}}", separator, range.first,
                     range.last);
      separator = ',';
    }
    text_ += ']';
    return *this;
  }
  std::string end() && { return std::move(text_) + '}'; }

 private:
  void begin(std::string_view name) {
    text_ += text_.empty() ? "{\"" : ",\"";
    text_ += name;
    text_ += "\":";
  }
  std::string text_;
};

template <typename Body>
Line& owner(Line& line, const Body& body) {
  return line.string("pool", body.pool).string("subscriber", body.subscriber.text());
}

// What each event is called, and what it says.
struct Name {
  std::string_view operator()(const PortBlockAssigned&) const { return "port_block_assigned"; }
  std::string_view operator()(const PortBlockReleased&) const { return "port_block_released"; }
  std::string_view operator()(const MappingCreated&) const { return "mapping_created"; }
  std::string_view operator()(const MappingDeleted&) const { return "mapping_deleted"; }
  std::string_view operator()(const QuotaExceeded&) const { return "quota_exceeded"; }
  std::string_view operator()(const PoolExhausted&) const { return "pool_exhausted"; }
  std::string_view operator()(const SourceSpoofed&) const { return "source_spoofed"; }
  std::string_view operator()(const Ipv4IdRepeated&) const { return "ipv4_id_repeated"; }
  std::string_view operator()(const ConfigApplied&) const { return "config_applied"; }
  std::string_view operator()(const AgentStarted&) const { return "agent_started"; }
  std::string_view operator()(const AgentStopped&) const { return "agent_stopped"; }
  std::string_view operator()(const Gap&) const { return "gap"; }
};

struct Fields {
  Line& line;

  void operator()(const PortBlockAssigned& e) const {
    owner(line, e).string("external_address", e.external_address.text()).ports(e.ports);
  }
  void operator()(const PortBlockReleased& e) const {
    owner(line, e).string("external_address", e.external_address.text()).ports(e.ports);
    line.time("assigned_at", e.assigned_at).number("mappings_created", e.mappings_created);
  }
  void operator()(const MappingCreated& e) const {
    owner(line, e).string("protocol", protocol_name(e.protocol));
    line.endpoint("internal", e.internal).endpoint("external", e.external);
    if (e.destination) line.endpoint("destination", *e.destination);
  }
  void operator()(const MappingDeleted& e) const {
    owner(line, e).string("protocol", protocol_name(e.protocol));
    line.endpoint("internal", e.internal).endpoint("external", e.external);
    line.time("created_at", e.created_at).string("reason", e.reason);
  }
  void operator()(const QuotaExceeded& e) const {
    owner(line, e).string("verdict", e.verdict).number("limit", e.limit).number("suppressed", e.suppressed);
  }
  void operator()(const PoolExhausted& e) const {
    owner(line, e).number("limit", e.limit).number("suppressed", e.suppressed);
  }
  void operator()(const SourceSpoofed& e) const {
    line.string("source_address", e.source.text()).string("interface", e.interface);
    line.string("verdict", e.verdict).number("suppressed", e.suppressed);
  }
  void operator()(const Ipv4IdRepeated& e) const {
    line.string("external_address", e.external_address.text()).string("protocol", protocol_name(e.protocol));
    line.number("suppressed", e.suppressed);
  }
  void operator()(const ConfigApplied& e) const { line.string("hash", e.hash).string("parameters", e.parameters); }
  void operator()(const AgentStarted& e) const {
    line.string("version", e.version).boolean("adopted", e.adopted).number("mappings_adopted", e.mappings_adopted);
  }
  void operator()(const AgentStopped& e) const { line.string("reason", e.reason); }
  void operator()(const Gap& e) const {
    line.number("first_seq", e.first_seq).number("last_seq", e.last_seq).string("reason", e.reason);
  }
};

bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
}

}  // namespace

std::string to_json(const Event& event, std::string_view node) {
  Line line;
  line.number("seq", event.seq).time("time", event.time).string("node", node);
  line.string("event", event_name(event.body));
  std::visit(Fields{line}, event.body);
  return std::move(line).end();
}

std::string_view event_name(const EventBody& body) { return std::visit(Name{}, body); }

std::string json_string(std::string_view text) {
  if (std::ranges::all_of(text, is_plain)) return '"' + std::string(text) + '"';
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace apnat
