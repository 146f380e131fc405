// story.h - the people of the stories and the packets they send.
#pragma once

#include "support/translator.h"

namespace apnat::test {

constexpr std::string_view kS1 = "100.64.0.10", kS2 = "100.64.0.20", kR1 = "198.51.100.1", kR2 = "198.51.100.2",
                           kX = "192.0.2.1";
constexpr std::uint32_t kS1Reference = 10, kS2Reference = 20;  // in a world whose first pool is the usual one

inline Packet udp(std::string_view source, int from, std::string_view destination, int to) {
  return Ipv4{.source = source, .destination = destination} /
         Udp{.source = static_cast<std::uint16_t>(from), .destination = static_cast<std::uint16_t>(to)} / Data("hello");
}

inline Packet tcp(std::string_view source, int from, std::string_view destination, int to, std::string_view flags) {
  return Ipv4{.source = source, .destination = destination} /
         Tcp{.source = static_cast<std::uint16_t>(from), .destination = static_cast<std::uint16_t>(to), .flags = flags};
}

inline Packet ping(std::string_view source, int id, std::string_view destination) {
  return Ipv4{.source = source, .destination = destination} / IcmpQuery{.id = static_cast<std::uint16_t>(id)} / Data(8);
}

}  // namespace apnat::test
