// Addresses, prefixes and endpoints as text.
#include "net/address.h"

#include <catch2/catch.hpp>

using namespace apnat;

TEST_CASE("an address is a dotted quad and nothing else") {
  CHECK(Ip4::parse("192.0.2.1") == Ip4(0xc0000201));
  CHECK(Ip4::parse("0.0.0.0") == Ip4(0));
  CHECK(Ip4::parse("255.255.255.255") == Ip4(0xffffffff));
  for (const char* wrong :
       {"", "192.0.2", "192.0.2.1.", "192.0.2.1.5", "192.0.2.256", "192.0.2.-1", "192.0.2.+1", "192.0.2.01",
        " 192.0.2.1", "192.0.2.1 ", "0xc0000201", "192..2.1", "a.b.c.d", "192.0.2.4294967297", "2001:db8::1"}) {
    INFO(wrong);
    CHECK_FALSE(Ip4::parse(wrong));
  }
}

TEST_CASE("addresses survive text and network order") {
  for (std::uint32_t value : {0u, 1u, 0x64400001u, 0xc0000201u, 0xffffffffu, 0x0a0b0c0du}) {
    CHECK(Ip4::parse(Ip4(value).text()) == Ip4(value));
    CHECK(Ip4::from_network(Ip4(value).network()) == Ip4(value));
  }
}

TEST_CASE("a prefix knows its ends") {
  const auto prefix = Prefix::parse("203.0.113.64/26");
  REQUIRE(prefix);
  CHECK(prefix->first().text() == "203.0.113.64");
  CHECK(prefix->last().text() == "203.0.113.127");
  CHECK(prefix->size() == 64);
  CHECK(prefix->contains(*Ip4::parse("203.0.113.100")));
  CHECK_FALSE(prefix->contains(*Ip4::parse("203.0.113.128")));
  CHECK(prefix->overlaps(*Prefix::parse("203.0.113.0/24")));
  CHECK_FALSE(prefix->overlaps(*Prefix::parse("203.0.113.0/26")));
  CHECK(prefix->text() == "203.0.113.64/26");
  CHECK(Prefix::parse("192.0.2.7")->text() == "192.0.2.7");
  CHECK(Prefix::parse("192.0.2.7/32")->text() == "192.0.2.7");
  CHECK(Prefix::parse("0.0.0.0/0")->size() == 0x100000000ull);
  CHECK(Prefix::parse("0.0.0.0/0")->last().value() == 0xffffffff);
}

TEST_CASE("a prefix with host bits is refused with the prefix that was meant") {
  const auto wrong = Prefix::parse("203.0.113.70/26");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().text == "203.0.113.70/26 has bits set behind the /26; the prefix is 203.0.113.64/26");
  for (const char* text : {"203.0.113.0/33", "203.0.113.0/", "203.0.113.0/-1", "203.0.113.0/024", "/24", "x"}) {
    INFO(text);
    CHECK_FALSE(Prefix::parse(text));
  }
}

TEST_CASE("endpoints and protocols read as they print") {
  CHECK(Endpoint::parse("203.0.113.5:8080")->text() == "203.0.113.5:8080");
  CHECK(Endpoint::parse("203.0.113.5:65535")->port == 65535);
  for (const char* text : {"203.0.113.5", "203.0.113.5:", "203.0.113.5:65536", "203.0.113.5:080", ":80", "a:80"}) {
    INFO(text);
    CHECK_FALSE(Endpoint::parse(text));
  }
  for (int protocol = 0; protocol < 256; ++protocol) {
    CHECK(parse_protocol(protocol_name(static_cast<std::uint8_t>(protocol))) == protocol);
  }
  CHECK(protocol_name(6) == "tcp");
  CHECK_FALSE(parse_protocol("256"));
  CHECK_FALSE(parse_protocol("TCP"));
}
