// forms_test.cpp - an event in the forms that receivers want: ECS, syslog, HTTP bodies, IPFIX.
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "events/sinks/encoder.h"
#include "events/sinks/http.h"
#include "events/sinks/ipfix.h"
#include "events/sinks/syslog.h"
#include "samples.h"

using namespace apnat;
using namespace apnat::test;

namespace {

using Json = nlohmann::json;

std::string encoded(const Encoder& encoder, const Event& event) {
  Encoded out;
  encoder(event, "cgn1", out);
  return out.payload;
}

// Every path of an object's leaves: "source.nat.ip".
void leaves(const Json& json, const std::string& prefix, std::set<std::string>& out) {
  if (!json.is_object()) {
    out.insert(prefix);
    return;
  }
  for (const auto& [name, value] : json.items()) leaves(value, prefix.empty() ? name : prefix + "." + name, out);
}

unsigned number(std::string_view bytes, std::size_t at, std::size_t size) {
  unsigned value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// Templates of a message: number -> (element, bytes).
using Shapes = std::map<unsigned, std::vector<std::pair<unsigned, unsigned>>>;
Shapes shapes_of(const std::string& message) {
  Shapes shapes;
  for (std::size_t set = 16; set < message.size(); set += number(message, set + 2, 2)) {
    const bool options = number(message, set, 2) == 3;
    std::size_t at = set + 4;
    while (at < set + number(message, set + 2, 2)) {
      const unsigned id = number(message, at, 2);
      const unsigned fields = number(message, at + 2, 2);
      at += options ? 6 : 4;
      for (unsigned i = 0; i < fields; ++i, at += 4) {
        shapes[id].emplace_back(number(message, at, 2), number(message, at + 2, 2));
      }
    }
  }
  return shapes;
}

// The first record of an event: element -> value of up to four bytes.
std::map<unsigned, unsigned> record_of(const Event& event, unsigned wanted_template) {
  const Shapes shapes = shapes_of(IpfixMessages(7, 1400).templates(0));
  IpfixMessages messages(7, 1400);
  std::vector<std::string> out;
  messages.add(encoded(ipfix_encoder(), event), 0, out);
  messages.finish(out);
  REQUIRE(out.size() == 1);
  std::map<unsigned, unsigned> record;
  for (std::size_t set = 16; set < out[0].size(); set += number(out[0], set + 2, 2)) {
    if (number(out[0], set, 2) != wanted_template || !record.empty()) continue;
    std::size_t at = set + 4;
    for (const auto& [element, bytes] : shapes.at(wanted_template)) {
      record[element] = number(out[0], at + (bytes > 4 ? bytes - 4 : 0), std::min(bytes, 4u));
      at += bytes;
    }
  }
  return record;
}

}  // namespace

TEST_CASE("the ECS form of a mapping has who and behind what under Elastic's names") {
  const Json event = Json::parse(encoded(json_encoder(JsonFormat::kEcs), every_event()[3]));
  CHECK(event["@timestamp"] == "2026-03-01T10:00:00.123456Z");
  CHECK(event["event"]["action"] == "mapping_created");
  CHECK(event["event"]["sequence"] == 43);
  CHECK(event["source"]["ip"] == "100.64.3.7");
  CHECK(event["source"]["port"] == 5000);
  CHECK(event["source"]["nat"]["ip"] == "203.0.113.5");
  CHECK(event["source"]["nat"]["port"] == 40001);
  CHECK(event["network"]["transport"] == "tcp");
  CHECK(event["observer"]["name"] == "cgn1");
  CHECK_FALSE(event.contains("destination"));
  CHECK(Json::parse(encoded(json_encoder(JsonFormat::kEcs), every_event()[4]))["destination"]["ip"] == "198.51.100.53");
}

TEST_CASE("the ECS form of an end has its beginning and its length") {
  const Json event = Json::parse(encoded(json_encoder(JsonFormat::kEcs), every_event()[5]));
  CHECK(event["event"]["start"] == "2026-03-01T09:55:00.123456Z");
  CHECK(event["event"]["end"] == event["@timestamp"]);
  CHECK(event["event"]["duration"] == 300'000'000'000);
}

TEST_CASE("every field of the ECS form has its type in the index template, and nothing of the apnat form is missing") {
  std::ifstream file(std::string(APNAT_SOURCE_DIR) + "/deploy/elastic/index-template.json");
  const Json index = Json::parse(file);
  std::set<std::string> mapped;
  const std::function<void(const Json&, const std::string&)> walk = [&](const Json& properties, const std::string& at) {
    for (const auto& [name, value] : properties.items()) {
      const std::string path = at.empty() ? name : at + "." + name;
      if (value.contains("type")) mapped.insert(path);
      if (value.contains("properties")) walk(value["properties"], path);
    }
  };
  walk(index["template"]["mappings"]["properties"], "");
  for (const Event& event : every_event()) {
    const Json ecs = Json::parse(encoded(json_encoder(JsonFormat::kEcs), event));
    std::set<std::string> fields;
    leaves(ecs, "", fields);
    for (const std::string& field : fields) {
      INFO(field);
      CHECK(mapped.contains(field));
    }
    const Json plain = Json::parse(encoded(json_encoder(JsonFormat::kApnat), event));
    for (const auto& [name, value] : plain.items()) {
      if (name == "seq" || name == "time" || name == "node" || name == "event") continue;
      INFO(name);
      CHECK(ecs["apnat"][name] == value);
    }
  }
}

TEST_CASE("a syslog message is RFC 5424's, its text the event") {
  const std::string message = encoded(syslog_encoder(JsonFormat::kApnat, 16), every_event()[0]);
  CHECK(message.starts_with("<134>1 2026-03-01T10:00:00.123456Z cgn1 apnat - port_block_assigned - {\"seq\":40,"));
  CHECK(Json::parse(message.substr(message.find('{')))["event"] == "port_block_assigned");
  for (const Event& event : every_event()) {
    const std::string each = encoded(syslog_encoder(JsonFormat::kApnat, 20), event);
    CHECK(each.starts_with("<16"));  // local4: 160 to 167
    CHECK(each.find('\n') == std::string::npos);
  }
}

TEST_CASE("records of one external address have one key") {
  Encoded block;
  Encoded created;
  keyed(json_encoder(JsonFormat::kApnat))(every_event()[0], "cgn1", block);
  keyed(json_encoder(JsonFormat::kApnat))(every_event()[3], "cgn1", created);
  CHECK(block.key == "203.0.113.5");
  CHECK(created.key == block.key);
  CHECK(subject_of(AgentStopped{"x"}, "cgn1") == "cgn1");
}

TEST_CASE("an HTTP body is what its receiver wants") {
  const SpoolRecord one{7, 1'700'000'000'123'456'789, "", R"({"seq":7})"};
  const SpoolRecord two{8, 1'700'000'001'000'000'000, "", R"({"seq":8})"};
  const auto body = [&](HttpBody form) {
    HttpBatch batch(form, "cgn1", "nat");
    batch.add(one);
    batch.add(two);
    CHECK(batch.records() == 2);
    const std::string text = batch.take();
    CHECK(batch.records() == 0);
    CHECK(batch.take().empty());
    return text;
  };
  CHECK(body(HttpBody::kNdjson) == "{\"seq\":7}\n{\"seq\":8}\n");
  CHECK(Json::parse(body(HttpBody::kArray)) == Json::parse(R"([{"seq":7},{"seq":8}])"));
  CHECK(
      body(HttpBody::kElasticBulk).starts_with("{\"create\":{\"_index\":\"nat\",\"_id\":\"cgn1-7\"}}\n{\"seq\":7}\n{"));
  CHECK(body(HttpBody::kSplunkHec)
            .starts_with("{\"time\":1700000000.123456,\"host\":\"cgn1\",\"source\":\"apnat\",\"sourcetype\":\"_json\","
                         "\"event\":{\"seq\":7}}\n{"));
  const Json loki = Json::parse(body(HttpBody::kLoki));
  CHECK(loki["streams"][0]["stream"]["node"] == "cgn1");
  CHECK(loki["streams"][0]["values"][0] == Json::parse(R"(["1700000000123456789","{\"seq\":7}"])"));
}

TEST_CASE("an answer that says 200 and means no is understood") {
  CHECK(refusal_in(HttpBody::kElasticBulk, R"({"errors":false,"items":[]})").empty());
  CHECK(refusal_in(HttpBody::kElasticBulk, R"({"errors":true,"items":[{"create":{"status":409}}]})").empty());
  CHECK(refusal_in(HttpBody::kElasticBulk, R"({"errors":true,"items":[{"create":{"status":429}}]})") ==
        "a document was refused with status 429");
  CHECK(refusal_in(HttpBody::kSplunkHec, R"({"text":"Server is busy","code":9})") == "Server is busy");
  // A proxy's own 200: refused or not, but never the end of the agent.
  CHECK(refusal_in(HttpBody::kElasticBulk, R"({"errors":["unauthorized"]})") ==
        R"(refused: {"errors":["unauthorized"]})");
  CHECK_FALSE(refusal_in(HttpBody::kElasticBulk, R"({"errors":true,"items":[{"create":{"status":"no"}}]})").empty());
  CHECK_FALSE(refusal_in(HttpBody::kElasticBulk, R"({"errors":true,"items":"none"})").empty());
  CHECK(refusal_in(HttpBody::kElasticBulk, R"({"errors":null})").empty());
  CHECK(refusal_in(HttpBody::kSplunkHec, R"({"code":"0x9","text":7})") == R"(refused: {"code":"0x9","text":7})");
  CHECK(refusal_in(HttpBody::kSplunkHec, R"([1,2])").empty());
  CHECK(refusal_in(HttpBody::kNdjson, "not json").empty());
}

TEST_CASE("IPFIX templates hold what RFC 8158 makes mandatory", "[IPFIX-4][IPFIX-5][IPFIX-7][IPFIX-9][IPFIX-12]") {
  const std::string message = IpfixMessages(7, 1400).templates(1'700'000'000);
  CHECK(number(message, 0, 2) == 10);
  CHECK(number(message, 2, 2) == message.size());
  CHECK(number(message, 4, 4) == 1'700'000'000);
  CHECK(number(message, 12, 4) == 7);
  const Shapes shapes = shapes_of(message);
  const std::map<unsigned, std::set<unsigned>> mandatory = {
      {256, {323, 230, 8, 225, 4, 7, 227}}, {257, {323, 230, 8, 225, 4, 7, 227, 12, 11}},
      {258, {323, 230, 8, 225, 361, 362}},  {259, {323, 230, 283}},
      {260, {323, 230, 466, 473, 8}},       {263, {323, 230, 466, 475, 8}},
  };
  for (const auto& [id, elements] : mandatory) {
    std::set<unsigned> has;
    for (const auto& [element, bytes] : shapes.at(id)) has.insert(element);
    for (const unsigned element : elements) {
      INFO(id << " " << element);
      CHECK(has.contains(element));
    }
  }
}

TEST_CASE("an IPFIX record says in network order what the event says", "[IPFIX-2][IPFIX-6]") {
  auto block = record_of(every_event()[0], 258);
  CHECK(block[230] == 16);
  CHECK(block[8] == ip("100.64.3.7").value());
  CHECK(block[225] == ip("203.0.113.5").value());
  CHECK(block[361] == 1024);
  CHECK(block[362] == 1535);
  CHECK(block[148] == 40);
  CHECK(block[283] == ipfix_pool_id("residential"));
  CHECK(record_of(every_event()[2], 258)[230] == 17);

  auto created = record_of(every_event()[3], 256);
  CHECK(created[230] == 8);
  CHECK(created[4] == 6);
  CHECK(created[7] == 5000);
  CHECK(created[227] == 40001);
  auto session = record_of(every_event()[4], 257);
  CHECK(session[230] == 4);
  CHECK(session[12] == ip("198.51.100.53").value());
  CHECK(record_of(every_event()[5], 256)[230] == 9);
  Event ended = every_event()[5];
  std::get<MappingDeleted>(ended.body).with_destination = true;  // as its beginning was: a session
  CHECK(record_of(ended, 256)[230] == 5);

  auto quota = record_of(every_event()[6], 260);
  CHECK(quota[230] == 13);
  CHECK(quota[466] == 3);
  CHECK(quota[473] == 4);
  CHECK(record_of(every_event()[7], 259)[230] == 3);
}

TEST_CASE("a limit that fragments met is RFC 8158's fifth quota, with the source that met it", "[FRAG-28]") {
  Event event = every_event()[6];
  event.body = QuotaExceeded{.pool = "",
                             .subscriber = Prefix(ip("203.0.113.9"), 32),
                             .verdict = "FRAGMENTS_MEMORY",
                             .limit = 64,
                             .suppressed = 0};
  auto record = record_of(event, 263);
  CHECK(record[230] == 13);
  CHECK(record[466] == 5);
  CHECK(record[475] == 64);
  CHECK(record[8] == ip("203.0.113.9").value());
}

TEST_CASE("a block of several runs is a record each, and a gap is a total of losses", "[IPFIX-13]") {
  const std::string runs = encoded(ipfix_encoder(), every_event()[1]);
  std::size_t blocks = 0;
  for (std::size_t at = 0; at < runs.size(); at += 4 + number(runs, at + 2, 2)) blocks += number(runs, at, 2) == 258;
  CHECK(blocks == 3);
  const Event gap = every_event().back();
  REQUIRE(std::holds_alternative<Gap>(gap.body));
  auto losses = record_of(gap, 262);
  CHECK(losses[149] == 7);
  CHECK(losses[166] == 3);
}

TEST_CASE("of RFC 8158's events those go out that the gateway has, and no other", "[IPFIX-1][IPFIX-3]") {
  std::set<unsigned> sent;
  for (Event event : every_event()) {
    for (const bool with_destination : {false, true}) {
      if (auto* deleted = std::get_if<MappingDeleted>(&event.body)) deleted->with_destination = with_destination;
      const std::string payload = encoded(ipfix_encoder(), event);
      for (std::size_t at = 0; at < payload.size(); at += 4 + number(payload, at + 2, 2)) {
        const unsigned id = number(payload, at, 2);
        if (id != 261 && id != 262) sent.insert(number(payload, at + 4 + 8, 1));  // behind the time
      }
    }
  }
  CHECK(sent == std::set<unsigned>{3, 4, 5, 8, 9, 13, 16, 17});
}

TEST_CASE("each gateway has an observation domain of its own, in every message", "[IPFIX-14]") {
  CHECK(ipfix_domain_of("cgn1") != ipfix_domain_of("cgn2"));
  CHECK(ipfix_domain_of("cgn1") == ipfix_domain_of("cgn1"));  // over restarts
  CHECK(ipfix_domain_of("") == 1);                            // 0 means the whole of a device
  for (const char* node : {"cgn1", "cgn2"}) {
    IpfixMessages messages(ipfix_domain_of(node), 1400);
    std::vector<std::string> out = {messages.templates(1)};
    messages.add(encoded(ipfix_encoder(), every_event()[0]), 1, out);
    messages.finish(out);
    REQUIRE(out.size() == 2);
    for (const std::string& message : out) CHECK(number(message, 12, 4) == ipfix_domain_of(node));
  }
}

TEST_CASE("IPFIX messages are bounded, and count the records before them", "[IPFIX-2][IPFIX-3]") {
  IpfixMessages messages(7, 1400);
  std::vector<std::string> out;
  const std::string payload = encoded(ipfix_encoder(), every_event()[3]);
  for (int i = 0; i < 1'000; ++i) messages.add(payload, 1, out);
  messages.finish(out);
  REQUIRE(out.size() > 10);
  unsigned expected = 0;
  for (const std::string& message : out) {
    CHECK(message.size() <= 1400);
    CHECK(number(message, 2, 2) == message.size());
    CHECK(number(message, 8, 4) == expected);
    const unsigned record_bytes = number(payload, 2, 2);
    expected += static_cast<unsigned>((message.size() - 20) / record_bytes);
  }
  CHECK(expected == 1'000);
  CHECK(number(messages.templates(1), 8, 4) == 1'000);
}
