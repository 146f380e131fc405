// ecs.cpp - an event under the names of the Elastic Common Schema; all that ECS has no name for stays, under `apnat`.
#include <fmt/format.h>

#include "events/json.h"
#include "events/json_line.h"
#include "events/sinks/encoder.h"

namespace apnat {
namespace {

constexpr std::string_view kEcsVersion = "8.11.0";

// What `event.type` says of each, among the words that ECS allows for the category `network`.
struct Type {
  std::string_view operator()(const PortBlockAssigned&) const { return R"(["allowed","start"])"; }
  std::string_view operator()(const PortBlockReleased&) const { return R"(["end"])"; }
  std::string_view operator()(const MappingCreated&) const { return R"(["connection","start"])"; }
  std::string_view operator()(const MappingDeleted&) const { return R"(["connection","end"])"; }
  std::string_view operator()(const QuotaExceeded&) const { return R"(["denied"])"; }
  std::string_view operator()(const PoolExhausted&) const { return R"(["denied"])"; }
  std::string_view operator()(const SourceSpoofed&) const { return R"(["denied"])"; }
  template <typename Other>
  std::string_view operator()(const Other&) const {
    return R"(["info"])";
  }
};

// The network's sides: who, behind which address, towards whom.
struct Sides {
  JsonLine& line;

  void block(const Prefix& subscriber, Ip4 external) const {
    line.open("source").address("ip", subscriber.first()).open("nat").address("ip", external).close().close();
  }
  template <typename Mapping>
  void mapping(const Mapping& e) const {
    line.open("source").address("ip", e.internal.address).number("port", e.internal.port);
    line.open("nat").address("ip", e.external.address).number("port", e.external.port).close().close();
    line.open("network").string("transport", protocol_name(e.protocol)).string("type", "ipv4");
    line.string("iana_number", std::to_string(e.protocol)).close();
  }

  void operator()(const PortBlockAssigned& e) const { block(e.subscriber, e.external_address); }
  void operator()(const PortBlockReleased& e) const { block(e.subscriber, e.external_address); }
  void operator()(const MappingCreated& e) const {
    mapping(e);
    if (!e.destination) return;
    line.open("destination").address("ip", e.destination->address).number("port", e.destination->port).close();
  }
  void operator()(const MappingDeleted& e) const { mapping(e); }
  void operator()(const QuotaExceeded& e) const { who(e.subscriber.first()); }
  void operator()(const PoolExhausted& e) const { who(e.subscriber.first()); }
  void operator()(const SourceSpoofed& e) const { who(e.source); }
  void operator()(const Ipv4IdRepeated& e) const {
    line.open("source").open("nat").address("ip", e.external_address).close().close();
  }
  void operator()(const FragmentIdsWrapped& e) const { who(e.source); }
  void operator()(const TraceAsked& e) const {
    line.open("user").string("id", std::to_string(e.uid)).string("name", e.user).close();
  }
  void operator()(const ConfigApplied&) const {}
  void operator()(const AgentStarted&) const {}
  void operator()(const AgentStopped&) const {}
  void operator()(const Gap&) const {}

 private:
  void who(Ip4 source) const { line.open("source").address("ip", source).close(); }
};

// Since when it was so, for what ends.
std::optional<WallTime> start_of(const EventBody& body) {
  if (const auto* block = std::get_if<PortBlockReleased>(&body)) return block->assigned_at;
  if (const auto* mapping = std::get_if<MappingDeleted>(&body)) return mapping->created_at;
  return std::nullopt;
}

void append_ecs(std::string& out, const Event& event, const std::string& node) {
  JsonLine line(out);
  line.time("@timestamp", event.time).open("ecs").string("version", kEcsVersion).close();
  line.open("event").string("kind", "event").json("category", R"(["network"])");
  line.json("type", std::visit(Type{}, event.body)).string("action", event_name(event.body));
  line.string("module", "apnat").string("dataset", "apnat.events").number("sequence", event.seq);
  if (const auto start = start_of(event.body)) {
    line.time("start", *start).time("end", event.time);
    // A clock that was stepped back in between must not make a negative length.
    if (*start <= event.time) line.number("duration", static_cast<std::uint64_t>((event.time - *start).count()));
  }
  line.close();
  line.open("observer").string("name", node).string("type", "nat").string("vendor", "apnat").close();
  std::visit(Sides{line}, event.body);
  line.open("apnat").number("monotonic_ns", event.monotonic_ns);
  line.number("clock_error_us", static_cast<std::uint64_t>(event.clock_error.count()));
  append_fields(line, event.body);
  line.close().close();
}

struct Subject {
  const std::string& node;

  std::string operator()(const PortBlockAssigned& e) const { return e.external_address.text(); }
  std::string operator()(const PortBlockReleased& e) const { return e.external_address.text(); }
  std::string operator()(const MappingCreated& e) const { return e.external.address.text(); }
  std::string operator()(const MappingDeleted& e) const { return e.external.address.text(); }
  std::string operator()(const QuotaExceeded& e) const { return e.subscriber.text(); }
  std::string operator()(const PoolExhausted& e) const { return e.subscriber.text(); }
  std::string operator()(const SourceSpoofed& e) const { return e.source.text(); }
  std::string operator()(const Ipv4IdRepeated& e) const { return e.external_address.text(); }
  std::string operator()(const FragmentIdsWrapped& e) const { return e.source.text(); }
  template <typename OfTheNode>
  std::string operator()(const OfTheNode&) const {
    return node;
  }
};

}  // namespace

std::string subject_of(const EventBody& body, const std::string& node) { return std::visit(Subject{node}, body); }

Encoder keyed(Encoder encoder) {
  return [encoder = std::move(encoder)](const Event& event, const std::string& node, Encoded& out) {
    out.key = subject_of(event.body, node);
    encoder(event, node, out);
  };
}

Encoder json_encoder(JsonFormat format) {
  return [format](const Event& event, const std::string& node, Encoded& out) {
    if (format == JsonFormat::kEcs) {
      append_ecs(out.payload, event, node);
    } else {
      append_json(out.payload, event, node);
    }
  };
}

}  // namespace apnat
