// packet_words_test.cpp - a packet in words is the packet an operator means.
#include "commands/packet_words.h"

#include <catch2/catch.hpp>
#include <random>
#include <sstream>

using namespace apnat;

namespace {

Result<std::vector<std::uint8_t>> packet(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return packet_from_words(words);
}

std::uint16_t u16(const std::vector<std::uint8_t>& frame, std::size_t at) {
  return static_cast<std::uint16_t>(frame[at] << 8 | frame[at + 1]);
}

// RFC 1071 over big-endian words: 0 if the checksum within is right.
std::uint16_t folded(const std::vector<std::uint8_t>& frame, std::size_t from, std::size_t end, std::uint64_t sum = 0) {
  for (std::size_t i = from; i < end; i += 2) sum += frame[i] << 8 | (i + 1 < end ? frame[i + 1] : 0);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::uint64_t pseudo(const std::vector<std::uint8_t>& f) {
  return std::uint64_t{u16(f, 26)} + u16(f, 28) + u16(f, 30) + u16(f, 32) + f[23] + (f.size() - 34);
}

}  // namespace

TEST_CASE("a TCP packet in words has right headers and checksums") {
  const auto built = packet("tcp 100.64.3.7:5000 198.51.100.80:443 ttl 7 df id 77 syn ack");
  REQUIRE(built);
  const auto& f = *built;
  REQUIRE(f.size() == 14 + 20 + 20);
  CHECK(u16(f, 12) == 0x0800);
  CHECK(f[14] == 0x45);
  CHECK(u16(f, 16) == 40);
  CHECK(u16(f, 18) == 77);
  CHECK(u16(f, 20) == 0x4000);
  CHECK(f[22] == 7);
  CHECK(f[23] == 6);
  CHECK(std::vector<std::uint8_t>(f.begin() + 26, f.begin() + 34) ==
        std::vector<std::uint8_t>{100, 64, 3, 7, 198, 51, 100, 80});
  CHECK(u16(f, 34) == 5000);
  CHECK(u16(f, 36) == 443);
  CHECK(f[46] == 0x50);
  CHECK(f[47] == 0x12);
  CHECK(folded(f, 14, 34) == 0);
  CHECK(folded(f, 34, f.size(), pseudo(f)) == 0);
}

TEST_CASE("UDP and ICMP packets have right lengths and checksums, odd sizes too") {
  for (int length : {28, 29, 100, 1501}) {
    const auto udp = packet("udp 100.64.3.7:5000 198.51.100.53:53 length " + std::to_string(length));
    REQUIRE(udp);
    CHECK(udp->size() == static_cast<std::size_t>(14 + length));
    CHECK(u16(*udp, 16) == length);
    CHECK(u16(*udp, 38) == length - 20);
    CHECK(folded(*udp, 34, udp->size(), pseudo(*udp)) == 0);
  }
  const auto echo = packet("icmp 100.64.3.7 198.51.100.1 id 4711");
  REQUIRE(echo);
  CHECK(u16(*echo, 34) == 0x0800);
  CHECK(u16(*echo, 38) == 4711);
  CHECK(folded(*echo, 34, echo->size()) == 0);
  const auto reply = packet("icmp 198.51.100.1 203.0.113.5 reply id 4711");
  REQUIRE(reply);
  CHECK(u16(*reply, 34) == 0);
  CHECK(folded(*reply, 34, reply->size()) == 0);
}

TEST_CASE("a TCP packet without flags opens a connection; ports may be left out") {
  const auto built = packet("tcp 100.64.3.7 198.51.100.80");
  REQUIRE(built);
  CHECK((*built)[47] == 0x02);
  CHECK(u16(*built, 34) != 0);
  CHECK(u16(*built, 36) != 0);
}

TEST_CASE("hex is a frame as it is") {
  CHECK(*packet("hex 00:11:22 33ff") == std::vector<std::uint8_t>{0, 0x11, 0x22, 0x33, 0xff});
  CHECK(packet("hex 001").error().text == "packet: hex needs whole bytes");
  CHECK(packet("hex zz").error().text == "packet: 'z' is no hexadecimal digit");
  CHECK_FALSE(packet("hex"));
  CHECK_FALSE(packet("hex " + std::string(20'000, '0')));
}

TEST_CASE("words that are no packet are refused with what would be right") {
  for (const char* words : {"", "tcp", "tcp 100.64.3.7:1", "sctp 1.2.3.4 5.6.7.8", "tcp nobody 198.51.100.1",
                            "tcp 100.64.3.7:99999 198.51.100.1", "tcp 100.64.3.7:1 198.51.100.1:2 ttl",
                            "tcp 100.64.3.7:1 198.51.100.1:2 ttl 256", "tcp 100.64.3.7:1 198.51.100.1:2 length 39",
                            "udp 100.64.3.7:1 198.51.100.1:2 syn", "udp 100.64.3.7:1 198.51.100.1:2 length 999999",
                            "icmp 100.64.3.7:1 198.51.100.1", "tcp 100.64.3.7:1 198.51.100.1:2 reply",
                            "tcp 100.64.3.7:1 198.51.100.1:2 ttl -1"}) {
    INFO(words);
    const auto built = packet(words);
    REQUIRE_FALSE(built);
    CHECK(built.error().text.starts_with("packet: "));
  }
}

TEST_CASE("no words can do more than be refused") {
  std::mt19937 random(5);
  const std::vector<std::string> vocabulary = {"tcp", "udp",   "icmp",   "hex", "100.64.0.1:1", "198.51.100.1",
                                               "ttl", "id",    "length", "df",  "syn",          "reply",
                                               "0",   "65535", "99999",  "",    "ff",           "a:b"};
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::string> words(random() % 9);
    for (std::string& word : words) word = vocabulary[random() % vocabulary.size()];
    (void)packet_from_words(words);
  }
}
