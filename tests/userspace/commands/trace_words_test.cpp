// trace_words_test.cpp - what may be asked, what a wrong question is told, and the answer's members.
#include "commands/trace_words.h"

#include <catch2/catch.hpp>

using namespace apnat;

namespace {

std::string asked(const Json& words) {
  const auto query = parse_trace(Arguments(words));
  return query ? query_text(*query) : query.error().text;
}

constexpr const char* kAt = "2026-03-01T10:00:00Z";

}  // namespace

TEST_CASE("an address, with or without port and protocol, and a time are a question", "[SHARE-43]") {
  CHECK(asked({{"endpoint", "203.0.113.5:40001/tcp"}, {"at", kAt}, {"skew", "1.5"}}) ==
        "203.0.113.5:40001/tcp at 2026-03-01T10:00:00.000000Z, skew 1.5 s");
  CHECK(asked({{"endpoint", "203.0.113.5:40001"}, {"at", kAt}}) ==
        "203.0.113.5:40001 at 2026-03-01T10:00:00.000000Z, skew 0 s");
  CHECK(asked({{"endpoint", "203.0.113.5"}, {"at", "2026-03-01T11:00:00.25+01:00"}}) ==
        "203.0.113.5 at 2026-03-01T10:00:00.250000Z, skew 0 s");
  CHECK(asked({{"subscriber", "100.64.3.7"}, {"from", kAt}, {"to", "2026-03-02T00:00:00Z"}}) ==
        "subscriber 100.64.3.7 from 2026-03-01T10:00:00.000000Z to 2026-03-02T00:00:00.000000Z");
}

TEST_CASE("a question that is wrong is told what would be right") {
  struct Wrong {
    Json words;
    const char* said;
  };
  for (const Wrong& wrong : std::vector<Wrong>{
           {Json::object(), "trace what? Give ADDRESS[:PORT[/PROTOCOL]] --at TIME, or --subscriber S --from T --to T"},
           {{{"endpoint", "203.0.113.5"}}, "--at is missing: which time?"},
           {{{"endpoint", "203.0.113.999"}, {"at", kAt}},
            "\"203.0.113.999\" is not ADDRESS[:PORT[/PROTOCOL]]; write 203.0.113.5:40001/tcp"},
           {{{"endpoint", "203.0.113.5:1/tpc"}, {"at", kAt}},
            "\"tpc\" is not a protocol; write tcp, udp, icmp or a number"},
           {{{"endpoint", "203.0.113.5"}, {"at", kAt}, {"skew", "-1"}},
            "--skew: \"-1\" is not a number of seconds from 0 to 604800"},
           {{{"endpoint", "203.0.113.5"}, {"at", kAt}, {"from", kAt}}, "--from goes with --subscriber"},
           {{{"subscriber", "100.64.3.7"}, {"at", kAt}}, "--at does not go with --subscriber: give --from and --to"},
           {{{"subscriber", "100.64.3.7"}, {"from", kAt}}, "--to is missing: which time?"},
           {{{"subscriber", "100.64.3.7"}, {"from", kAt}, {"to", "2026-02-01T00:00:00Z"}}, "--to is before --from"}}) {
    CHECK(asked(wrong.words) == wrong.said);
  }
}

TEST_CASE("the answer has the members scripts rely on", "[SHARE-24][LOG-4]") {
  Findings findings;
  findings.verdict = HistoryVerdict::kUnique;
  Candidate candidate;
  candidate.pool = "residential";
  candidate.subscriber = Prefix::parse("100.64.3.7").value();
  candidate.ports = {{1024, 1535}};
  candidate.from = 1'772'355'600'000'000;
  findings.candidates = {candidate};
  const WhoHad query{*Ip4::parse("203.0.113.5"), 1100, 6, 1'772'359'200'000'000, 0};
  const Json json = shape(query, findings);
  CHECK(json["external_address"] == "203.0.113.5");
  CHECK(json["external_port"] == 1100);
  CHECK(json["protocol"] == "tcp");
  CHECK(json["at"] == "2026-03-01T10:00:00.000000Z");
  CHECK(json["skew_seconds"] == 0);
  CHECK(json["verdict"] == "unique");
  CHECK(json["candidates"][0]["subscriber"] == "100.64.3.7");
  CHECK(json["candidates"][0]["pool"] == "residential");
  CHECK(json["candidates"][0]["port_start"] == 1024);
  CHECK(json["candidates"][0]["port_end"] == 1535);
  CHECK(json["candidates"][0]["from"] == "2026-03-01T09:00:00.000000Z");
  CHECK(json["candidates"][0]["to"].is_null());
  CHECK(json["coverage"]["complete"] == false);
  CHECK(json["clock_error_seconds"].is_null());
}

TEST_CASE("a list that no answer could hold is cut, and says how long it was") {
  Findings findings;
  findings.candidates.resize(40'000);
  const Json json = shape(WhoHad{}, findings);
  CHECK(json["candidates_found"] == 40'000);
  CHECK(json["candidates"].size() < 40'000);
  CHECK(compact(json).size() < kMostReplyBytes);
}
