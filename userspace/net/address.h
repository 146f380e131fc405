// address.h - IPv4 addresses, prefixes and endpoints as C++ values: parse,
// format, compare. Host byte order inside; `network()` for the tables.
#pragma once

#include <arpa/inet.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace apnat {

class Ip4 {
 public:
  constexpr Ip4() = default;
  explicit constexpr Ip4(std::uint32_t host_order) : value_(host_order) {}
  static Ip4 from_network(std::uint32_t network_order) { return Ip4(ntohl(network_order)); }
  static std::optional<Ip4> parse(std::string_view text);  // dotted quad only

  constexpr std::uint32_t value() const { return value_; }  // host byte order
  std::uint32_t network() const { return htonl(value_); }
  std::string text() const;

  friend constexpr auto operator<=>(Ip4, Ip4) = default;

 private:
  std::uint32_t value_ = 0;
};

// An address block in CIDR form; host bits are zero.
class Prefix {
 public:
  constexpr Prefix() = default;
  constexpr Prefix(Ip4 first, int length) : first_(first), length_(length) {}
  // "192.0.2.0/24", or an address alone for a /32. Host bits set: an error that names the right prefix.
  static Result<Prefix> parse(std::string_view text);

  constexpr Ip4 first() const { return first_; }
  constexpr Ip4 last() const { return Ip4(first_.value() + static_cast<std::uint32_t>(size() - 1)); }
  constexpr int length() const { return length_; }
  constexpr std::uint64_t size() const { return std::uint64_t{1} << (32 - length_); }
  constexpr bool contains(Ip4 address) const { return address >= first() && address <= last(); }
  constexpr bool overlaps(const Prefix& other) const { return first() <= other.last() && other.first() <= last(); }
  std::string text() const;  // a /32 prints as an address

  friend constexpr auto operator<=>(const Prefix&, const Prefix&) = default;

 private:
  Ip4 first_;
  int length_ = 32;
};

struct Endpoint {
  Ip4 address;
  std::uint16_t port = 0;                                       // host byte order
  static std::optional<Endpoint> parse(std::string_view text);  // "203.0.113.5:8080"
  std::string text() const;
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// IP protocol numbers <-> the names the contract uses: "tcp", "udp", "icmp", else the number.
std::string protocol_name(std::uint8_t protocol);
std::optional<std::uint8_t> parse_protocol(std::string_view text);

}  // namespace apnat
