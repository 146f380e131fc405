// The Internet checksum's sum, against RFC 1071's own example and a header whose checksum is known.
#include "net/checksum.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace apnat;

using Octets = std::vector<std::uint8_t>;

TEST_CASE("the sum is RFC 1071's", "[rfc1071]") {
  CHECK(internet_sum(Octets{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}) == 0xddf2);  // its section 3
  CHECK(internet_sum({}) == 0);
  CHECK(internet_sum(Octets{0xab}) == 0xab00);
  CHECK(internet_sum(Octets{0x12, 0x34, 0xab}) == 0xbd34);
}

TEST_CASE("with its checksum in place a header sums to 0xffff, and with one bit flipped it does not", "[rfc1071]") {
  Octets header = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                   0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
  CHECK(internet_sum(header) == 0xffff);
  header[3] ^= 1;
  CHECK(internet_sum(header) != 0xffff);
}

TEST_CASE("a sum goes on where another has stopped, however often it carries", "[rfc1071]") {
  const Octets bytes(65535, 0xff);
  CHECK(internet_sum(bytes) == 0xff00);
  const std::span<const std::uint8_t> all(bytes);
  CHECK(internet_sum(all.subspan(1000), internet_sum(all.first(1000))) == internet_sum(all));
  CHECK(internet_sum({}, 0x1'2345'6789) == 0x0001 + 0x2345 + 0x6789);
}
