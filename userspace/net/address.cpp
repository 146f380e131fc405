// address.cpp - text to value and back.
#include "net/address.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <charconv>

namespace apnat {
namespace {

// A decimal number without sign or leading zeros ("010" is eight to some and ten to others), at most `limit`.
std::optional<std::uint32_t> parse_number(std::string_view text, std::uint32_t limit) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > limit) return std::nullopt;
  return value;
}

constexpr std::uint32_t mask_of(int length) { return length == 0 ? 0 : ~std::uint32_t{0} << (32 - length); }

}  // namespace

std::optional<Ip4> Ip4::parse(std::string_view text) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const std::size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    const auto octet = parse_number(text.substr(0, dot), 255);
    if (!octet) return std::nullopt;
    value = value << 8 | *octet;
    text.remove_prefix(i < 3 ? dot + 1 : dot);
  }
  return Ip4(value);
}

std::string Ip4::text() const {
  return fmt::format("{}.{}.{}.{}", value_ >> 24, value_ >> 16 & 255, value_ >> 8 & 255, value_ & 255);
}

Result<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = Ip4::parse(text.substr(0, slash));
  const auto length = slash == std::string_view::npos ? 32u : parse_number(text.substr(slash + 1), 32);
  if (!address || !length) {
    return fail(fmt::format("\"{}\" is not an IPv4 prefix; write \"192.0.2.0/24\", or an address alone", text));
  }
  const Prefix prefix(Ip4(address->value() & mask_of(static_cast<int>(*length))), static_cast<int>(*length));
  if (prefix.first() != *address) {
    return fail(fmt::format("{} has bits set behind the /{}; the prefix is {}", text, *length, prefix.text()));
  }
  return prefix;
}

std::string Prefix::text() const {
  return length_ == 32 ? first_.text() : fmt::format("{}/{}", first_.text(), length_);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto address = Ip4::parse(text.substr(0, colon));
  const auto port = parse_number(text.substr(colon + 1), 65535);
  if (!address || !port) return std::nullopt;
  return Endpoint{*address, static_cast<std::uint16_t>(*port)};
}

std::string Endpoint::text() const { return fmt::format("{}:{}", address.text(), port); }

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_ICMP:
      return "icmp";
    default:
      return std::to_string(protocol);
  }
}

std::optional<std::uint8_t> parse_protocol(std::string_view text) {
  if (text == "tcp") return IPPROTO_TCP;
  if (text == "udp") return IPPROTO_UDP;
  if (text == "icmp") return IPPROTO_ICMP;
  if (const auto number = parse_number(text, 255)) return static_cast<std::uint8_t>(*number);
  return std::nullopt;
}

}  // namespace apnat
