// json.cpp - one function an event; a new alternative of EventBody does not compile until it has its own.
#include "events/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "events/json_line.h"

namespace apnat {
namespace {

template <typename Body>
JsonLine& owner(JsonLine& line, const Body& body) {
  return line.string("pool", body.pool).prefix("subscriber", body.subscriber);
}

template <typename Body>
void endpoints(JsonLine& line, const Body& body) {
  line.address("internal_address", body.internal.address).number("internal_port", body.internal.port);
  line.address("external_address", body.external.address).number("external_port", body.external.port);
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
  std::string_view operator()(const FragmentIdsWrapped&) const { return "fragment_ids_wrapped"; }
  std::string_view operator()(const TraceAsked&) const { return "trace_asked"; }
  std::string_view operator()(const ConfigApplied&) const { return "config_applied"; }
  std::string_view operator()(const AgentStarted&) const { return "agent_started"; }
  std::string_view operator()(const AgentStopped&) const { return "agent_stopped"; }
  std::string_view operator()(const Gap&) const { return "gap"; }
};

struct Fields {
  JsonLine& line;

  void operator()(const PortBlockAssigned& e) const {
    owner(line, e).address("external_address", e.external_address).ports(e.ports);
  }
  void operator()(const PortBlockReleased& e) const {
    owner(line, e).address("external_address", e.external_address).ports(e.ports);
    line.time("assigned_at", e.assigned_at).number("mappings_created", e.mappings_created);
  }
  void operator()(const MappingCreated& e) const {
    owner(line, e).string("protocol", protocol_name(e.protocol));
    endpoints(line, e);
    if (!e.destination) return;
    line.address("destination_address", e.destination->address).number("destination_port", e.destination->port);
  }
  void operator()(const MappingDeleted& e) const {
    owner(line, e).string("protocol", protocol_name(e.protocol));
    endpoints(line, e);
    line.time("created_at", e.created_at).string("reason", e.reason);
  }
  void operator()(const QuotaExceeded& e) const {
    owner(line, e).string("verdict", e.verdict).number("limit", e.limit).number("suppressed", e.suppressed);
  }
  void operator()(const PoolExhausted& e) const {
    owner(line, e).number("limit", e.limit).number("suppressed", e.suppressed);
  }
  void operator()(const SourceSpoofed& e) const {
    line.address("source_address", e.source).string("interface", e.interface);
    line.string("verdict", e.verdict).number("suppressed", e.suppressed);
  }
  void operator()(const Ipv4IdRepeated& e) const {
    line.string("external_address", e.external_address.text()).string("protocol", protocol_name(e.protocol));
    line.number("suppressed", e.suppressed);
  }
  void operator()(const FragmentIdsWrapped& e) const {
    line.string("source_address", e.source.text()).string("protocol", protocol_name(e.protocol));
    line.number("datagrams_per_second", e.datagrams_per_second).number("limit", e.limit);
    line.number("suppressed", e.suppressed);
  }
  void operator()(const TraceAsked& e) const {
    line.number("uid", e.uid).string("user", e.user).string("query", e.query);
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
  std::string out;
  append_json(out, event, node);
  return out;
}

void append_json(std::string& out, const Event& event, std::string_view node) {
  JsonLine line(out);
  line.number("seq", event.seq).time("time", event.time).string("node", node);
  line.number("monotonic_ns", event.monotonic_ns);
  line.number("clock_error_us", static_cast<std::uint64_t>(event.clock_error.count()));
  line.string("event", event_name(event.body));
  append_fields(line, event.body);
  line.close();
}

void append_fields(JsonLine& line, const EventBody& body) { std::visit(Fields{line}, body); }

std::string_view event_name(const EventBody& body) { return std::visit(Name{}, body); }

void append_json_string(std::string& out, std::string_view text) {
  if (!std::ranges::all_of(text, is_plain)) {
    out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace apnat
