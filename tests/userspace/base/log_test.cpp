// What a log line looks like.
#include "base/log.h"

#include <catch2/catch.hpp>

using namespace apnat;

TEST_CASE("a line is a level, a sentence and facts") {
  CHECK(log_line(LogLevel::kInfo, "attached", {{"interface", "eth0"}, {"mtu", 1500}, {"up", true}}, false) ==
        "info:   attached interface=eth0 mtu=1500 up=true");
}

TEST_CASE("the journal gets the level as its own prefix") {
  CHECK(log_line(LogLevel::kError, "no", {}, true) == "<3>no");
  CHECK(log_line(LogLevel::kDebug, "no", {}, true) == "<7>no");
}

TEST_CASE("a value cannot forge another field or a second line") {
  CHECK(log_line(LogLevel::kError, "x", {{"path", "a b"}}, true) == "<3>x path=\"a b\"");
  CHECK(log_line(LogLevel::kError, "x", {{"path", "a=\"b\\"}}, true) == "<3>x path=\"a=\\\"b\\\\\"");
  CHECK(log_line(LogLevel::kError, "x\n<0>y", {{"v", "1\n2\x1b"}, {"e", ""}}, true) ==
        "<3>x\\n<0>y v=\"1\\n2\\x1b\" e=\"\"");
}
