// protocol_test.cpp - one JSON object a line, whatever arrives.
#include "control/protocol.h"

#include <catch2/catch.hpp>
#include <random>

using namespace apnat;

TEST_CASE("a request survives its journey") {
  const Request sent{"mappings",
                     Arguments(Json{{"pool", "residential"}, {"limit", 5}, {"count", true}, {"words", {"a", "b"}}})};
  std::string line = request_line(sent);
  REQUIRE(line.back() == '\n');
  line.pop_back();
  const auto got = parse_request(line);
  REQUIRE(got);
  CHECK(got->command == "mappings");
  CHECK(*got->arguments.text("pool") == "residential");
  CHECK(*got->arguments.number("limit") == 5);
  CHECK(*got->arguments.flag("count"));
  CHECK(*got->arguments.list("words") == std::vector<std::string>{"a", "b"});
  CHECK_FALSE(*got->arguments.text("subscriber"));
  CHECK_FALSE(*got->arguments.flag("other"));
}

TEST_CASE("an argument of the wrong kind is named") {
  const Arguments arguments(Json{{"pool", 5}, {"limit", -1}, {"count", "yes"}, {"words", {1}}});
  CHECK(arguments.text("pool").error().text == "pool must be a string");
  CHECK(arguments.number("limit").error().text == "limit must be a number, 0 or more");
  CHECK(arguments.flag("count").error().text == "count must be true or false");
  CHECK(arguments.list("words").error().text == "words must be a list of strings");
}

TEST_CASE("replies are rows, then an end or a refusal") {
  CHECK(std::get<Row>(*parse_reply(R"({"row":{"a":1}})")).value["a"] == 1);
  CHECK(std::get<Done>(*parse_reply(R"({"done":true,"result":7})")).result == 7);
  const auto refusal = std::get<Refusal>(*parse_reply(R"({"error":"no","code":2})"));
  CHECK(refusal.code == ExitCode::kUsage);
  CHECK(refusal.text == "no");
  CHECK(std::get<Refusal>(*parse_reply(R"({"error":"no","code":"x"})")).code == ExitCode::kRefused);
  CHECK_FALSE(parse_reply("{}"));
  CHECK_FALSE(parse_reply("HTTP/1.1 400 Bad Request"));
}

TEST_CASE("what is not a request is refused with the reason") {
  for (const char* text : {"", "x", "[]", "7", "null", "{}", R"({"command":5})", R"({"command":"a","arguments":[]})",
                           R"({"command":"a")", "{\"command\":\"\xff\xfe\"}"}) {
    const auto got = parse_request(text);
    INFO(text);
    CHECK_FALSE(got);
  }
  CHECK_FALSE(parse_request(std::string(60'000, '[')));
  std::string deep = R"({"command":"a","arguments":{"x":)" + std::string(20'000, '[') + std::string(20'000, ']') + "}}";
  CHECK(parse_request(deep).error().text == "request: JSON nested too deep");
}

TEST_CASE("random bytes never do more than be refused") {
  std::mt19937 random(3);
  const std::string seed = R"({"command":"mappings","arguments":{"pool":"a","limit":3}})";
  for (int i = 0; i < 50'000; ++i) {
    std::string text = seed;
    for (int edits = 1 + static_cast<int>(random() % 6); edits > 0; --edits) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    if (const auto request = parse_request(text)) {
      (void)request->arguments.text("pool");
      (void)request->arguments.number("limit");
      REQUIRE(request_line(*request).find('\n') == request_line(*request).size() - 1);
    }
    (void)parse_reply(text);
  }
}

TEST_CASE("text that is not UTF-8 still makes a line of JSON") {
  const std::string line = row_line(Json{{"name", "a\xff\nb"}});
  CHECK(line.find('\n') == line.size() - 1);
  CHECK(parse_reply(std::string_view(line).substr(0, line.size() - 1)));
}

TEST_CASE("lines are cut wherever the bytes were") {
  LineSplitter lines(10);
  for (char c : std::string("one\ntwo\nth")) lines.add(std::string_view(&c, 1));
  CHECK(lines.next() == "one");
  CHECK(lines.next() == "two");
  CHECK_FALSE(lines.next());
  lines.add("ree\n");
  CHECK(lines.next() == "three");
  lines.add(std::string(11, 'x'));
  CHECK_FALSE(lines.next());
  CHECK(lines.is_too_long());
  lines.add("\n");
  CHECK_FALSE(lines.next());
}
