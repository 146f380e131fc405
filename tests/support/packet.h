// packet.h - the language tests write packets in: headers joined by `/`, lengths
// and checksums filled in. Documentation addresses only (RFC 5737, RFC 6598).
//
//   Ipv4{.source = "100.64.0.10", .destination = "198.51.100.1"} / Udp{.source = 5000, .destination = 53} /
//   Data("hello")
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace apnat::test {

using Bytes = std::vector<std::uint8_t>;

// An IPv4 datagram, without a link header.
class Packet {
 public:
  Packet() = default;
  explicit Packet(Bytes bytes) : bytes_(std::move(bytes)) {}
  const Bytes& bytes() const { return bytes_; }
  Bytes& bytes() { return bytes_; }

  // Fields, for tests to ask about. Host byte order.
  std::string source() const;
  std::string destination() const;
  std::uint8_t protocol() const;
  std::uint8_t ttl() const;
  std::uint16_t source_port() const;       // ICMP query: the identifier
  std::uint16_t destination_port() const;  // ICMP query: the identifier
  std::string source_endpoint() const;     // "192.0.2.1:40001"
  std::string destination_endpoint() const;
  std::size_t transport_offset() const;
  Packet quoted() const;  // what an ICMP error quotes

  // Both checksums as they must be. A UDP checksum of 0 is right; a quoted packet is not judged.
  bool has_right_checksums() const;
  // Field by field, for failure messages.
  std::string text() const;

  friend bool operator==(const Packet& a, const Packet& b) { return a.bytes_ == b.bytes_; }

 private:
  Bytes bytes_;
};

struct Ipv4 {
  std::string_view source;
  std::string_view destination;
  std::uint8_t ttl = 64;
  bool dont_fragment = true;
  bool more_fragments = false;
  std::uint16_t fragment_offset = 0;  // bytes
  std::uint16_t id = 0x1234;
  std::uint8_t tos = 0;
  Bytes options = {};                         // padded to 4
  std::optional<std::uint8_t> protocol = {};  // else from what follows
};

struct Udp {
  std::uint16_t source = 0;
  std::uint16_t destination = 0;
  bool checksum = true;  // false: sent as 0
};

struct Tcp {
  std::uint16_t source = 0;
  std::uint16_t destination = 0;
  std::string_view flags = "A";  // of S A F R P
  Bytes options = {};            // padded to 4
  std::uint32_t sequence = 1000;
};

struct IcmpQuery {
  std::uint16_t id = 0;
  std::uint8_t type = 8;
  std::uint16_t sequence = 1;
};

// An error; what follows by `/` is quoted whole, or its header and `quoted_bytes` more.
struct IcmpError {
  std::uint8_t type = 3;
  std::uint8_t code = 3;
  std::uint16_t mtu = 0;
  std::optional<std::size_t> quoted_bytes = {};  // of transport
};

struct Data {
  Bytes bytes;
  explicit Data(std::string_view text) : bytes(text.begin(), text.end()) {}
  explicit Data(std::size_t count) : bytes(count, 'x') {}
};

// A datagram in the making: Ipv4 and the transport are kept apart until it is asked for.
struct Draft {
  Ipv4 ip;
  Bytes transport;
  std::uint8_t protocol = 0;
  operator Packet() const;  // NOLINT: the language reads better so
};

Draft operator/(const Ipv4& ip, const Udp& udp);
Draft operator/(const Ipv4& ip, const Tcp& tcp);
Draft operator/(const Ipv4& ip, const IcmpQuery& query);
Draft operator/(const Ipv4& ip, const Data& data);  // .protocol says of what
Draft operator/(const Draft& draft, const Data& data);

struct ErrorDraft {
  Ipv4 ip;
  IcmpError error;
};
ErrorDraft operator/(const Ipv4& ip, const IcmpError& error);
Packet operator/(const ErrorDraft& error, const Packet& quoted);

// One's complement sum of bytes as big-endian words, folded, not inverted.
std::uint16_t sum_of(const Bytes& bytes, std::size_t from, std::size_t to, std::uint32_t start = 0);

// The same packet with its TTL one less, as a router leaves it.
Packet one_hop_on(const Packet& packet);

}  // namespace apnat::test
