#include "support/packet.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <cassert>

#include "net/address.h"

namespace apnat::test {
namespace {

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17;

void put16(Bytes& bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

void put32(Bytes& bytes, std::size_t at, std::uint32_t value) {
  put16(bytes, at, static_cast<std::uint16_t>(value >> 16));
  put16(bytes, at + 2, static_cast<std::uint16_t>(value));
}

std::uint16_t get16(const Bytes& bytes, std::size_t at) {
  return at + 1 < bytes.size() ? static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]) : 0;
}

std::uint32_t get32(const Bytes& bytes, std::size_t at) {
  return static_cast<std::uint32_t>(get16(bytes, at)) << 16 | get16(bytes, at + 2);
}

std::uint32_t address(std::string_view text) {
  const auto parsed = Ip4::parse(text);
  assert(parsed && "an address in a test must be one");
  return parsed->value();
}

void pad_to_words(Bytes& bytes) {
  while (bytes.size() % 4 != 0) bytes.push_back(0);
}

std::uint8_t flag_bits(std::string_view flags) {
  std::uint8_t bits = 0;
  for (const char flag : flags) bits |= flag == 'F' ? 1 : flag == 'S' ? 2 : flag == 'R' ? 4 : flag == 'P' ? 8 : 16;
  return bits;
}

std::size_t check_offset(std::uint8_t protocol) { return protocol == kTcp ? 16 : protocol == kUdp ? 6 : 2; }

std::uint32_t pseudo_sum(std::uint32_t source, std::uint32_t destination, std::uint8_t protocol, std::size_t length) {
  return (source >> 16) + (source & 0xffff) + (destination >> 16) + (destination & 0xffff) + protocol +
         static_cast<std::uint32_t>(length);
}

// Fills in the transport checksum of a draft; 0 stays for UDP drafts that asked for none (length 0 marks them).
void finish_transport(Bytes& transport, const Ipv4& ip, std::uint8_t protocol) {
  if (protocol != kTcp && protocol != kUdp && protocol != kIcmp) return;
  if (ip.fragment_offset != 0) return;
  if (protocol == kUdp) {
    if (transport.size() >= 8) put16(transport, 4, static_cast<std::uint16_t>(transport.size()));
    if (get16(transport, 6) == 0) return;
  }
  const std::size_t at = check_offset(protocol);
  put16(transport, at, 0);
  const std::uint32_t start =
      protocol == kIcmp ? 0 : pseudo_sum(address(ip.source), address(ip.destination), protocol, transport.size());
  std::uint16_t check = static_cast<std::uint16_t>(~sum_of(transport, 0, transport.size(), start));
  if (protocol == kUdp && check == 0) check = 0xffff;
  put16(transport, at, check);
}

Packet assemble(const Ipv4& ip, Bytes transport, std::uint8_t protocol) {
  Bytes options = ip.options;
  pad_to_words(options);
  Bytes bytes(20 + options.size());
  bytes[0] = static_cast<std::uint8_t>(0x40 | bytes.size() / 4);
  bytes[1] = ip.tos;
  put16(bytes, 2, static_cast<std::uint16_t>(bytes.size() + transport.size()));
  put16(bytes, 4, ip.id);
  put16(bytes, 6,
        static_cast<std::uint16_t>((ip.dont_fragment ? 0x4000 : 0) | (ip.more_fragments ? 0x2000 : 0) |
                                   ip.fragment_offset / 8));
  bytes[8] = ip.ttl;
  bytes[9] = ip.protocol.value_or(protocol);
  put32(bytes, 12, address(ip.source));
  put32(bytes, 16, address(ip.destination));
  std::copy(options.begin(), options.end(), bytes.begin() + 20);
  put16(bytes, 10, static_cast<std::uint16_t>(~sum_of(bytes, 0, bytes.size())));
  finish_transport(transport, ip, protocol);
  bytes.insert(bytes.end(), transport.begin(), transport.end());
  return Packet(std::move(bytes));
}

}  // namespace

std::uint16_t sum_of(const Bytes& bytes, std::size_t from, std::size_t to, std::uint32_t start) {
  std::uint64_t sum = start;
  for (std::size_t i = from; i < to; i += 2) sum += bytes[i] << 8 | (i + 1 < to ? bytes[i + 1] : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

Draft::operator Packet() const { return assemble(ip, transport, protocol); }

Draft operator/(const Ipv4& ip, const Udp& udp) {
  Bytes header(8);
  put16(header, 0, udp.source);
  put16(header, 2, udp.destination);
  put16(header, 6, udp.checksum ? 1 : 0);  // 1: to be computed
  return {ip, header, kUdp};
}

Draft operator/(const Ipv4& ip, const Tcp& tcp) {
  Bytes options = tcp.options;
  pad_to_words(options);
  Bytes header(20 + options.size());
  put16(header, 0, tcp.source);
  put16(header, 2, tcp.destination);
  put32(header, 4, tcp.sequence);
  header[12] = static_cast<std::uint8_t>(header.size() / 4 << 4);
  header[13] = flag_bits(tcp.flags);
  put16(header, 14, 0xffff);
  std::copy(options.begin(), options.end(), header.begin() + 20);
  return {ip, header, kTcp};
}

Draft operator/(const Ipv4& ip, const IcmpQuery& query) {
  Bytes header(8);
  header[0] = query.type;
  put16(header, 4, query.id);
  put16(header, 6, query.sequence);
  return {ip, header, kIcmp};
}

Draft operator/(const Ipv4& ip, const Data& data) { return {ip, data.bytes, ip.protocol.value_or(255)}; }

Draft operator/(const Draft& draft, const Data& data) {
  Draft more = draft;
  more.transport.insert(more.transport.end(), data.bytes.begin(), data.bytes.end());
  return more;
}

ErrorDraft operator/(const Ipv4& ip, const IcmpError& error) { return {ip, error}; }

Packet operator/(const ErrorDraft& error, const Packet& quoted) {
  Bytes transport(8);
  transport[0] = error.error.type;
  transport[1] = error.error.code;
  put16(transport, 6, error.error.mtu);
  std::size_t count = quoted.bytes().size();
  if (error.error.quoted_bytes) count = std::min(count, quoted.transport_offset() + *error.error.quoted_bytes);
  transport.insert(transport.end(), quoted.bytes().begin(),
                   quoted.bytes().begin() + static_cast<std::ptrdiff_t>(count));
  return assemble(error.ip, transport, kIcmp);
}

std::string Packet::source() const { return Ip4(get32(bytes_, 12)).text(); }
std::string Packet::destination() const { return Ip4(get32(bytes_, 16)).text(); }
std::uint8_t Packet::protocol() const { return bytes_.size() > 9 ? bytes_[9] : 0; }
std::uint8_t Packet::ttl() const { return bytes_.size() > 8 ? bytes_[8] : 0; }
std::size_t Packet::transport_offset() const { return bytes_.empty() ? 0 : (bytes_[0] & 15u) * 4; }

std::uint16_t Packet::source_port() const { return get16(bytes_, transport_offset() + (protocol() == kIcmp ? 4 : 0)); }

std::uint16_t Packet::destination_port() const {
  return get16(bytes_, transport_offset() + (protocol() == kIcmp ? 4 : 2));
}

std::string Packet::source_endpoint() const { return fmt::format("{}:{}", source(), source_port()); }
std::string Packet::destination_endpoint() const { return fmt::format("{}:{}", destination(), destination_port()); }

Packet Packet::quoted() const {
  return Packet(Bytes(bytes_.begin() + static_cast<std::ptrdiff_t>(transport_offset()) + 8, bytes_.end()));
}

bool Packet::has_right_checksums() const {
  const std::size_t header = transport_offset();
  if (bytes_.size() < header || sum_of(bytes_, 0, header) != 0xffff) return false;
  const std::size_t end = std::min<std::size_t>(get16(bytes_, 2), bytes_.size());
  if (protocol() != kTcp && protocol() != kUdp && protocol() != kIcmp) return true;
  if (protocol() == kUdp && get16(bytes_, header + 6) == 0) return true;
  const std::uint32_t start =
      protocol() == kIcmp ? 0 : pseudo_sum(get32(bytes_, 12), get32(bytes_, 16), protocol(), end - header);
  return sum_of(bytes_, header, end, start) == 0xffff;
}

std::string Packet::text() const {
  std::string text = fmt::format("{} -> {} protocol {} ttl {} id {:#06x} flags+offset {:#06x} length {}", source(),
                                 destination(), protocol(), ttl(), get16(bytes_, 4), get16(bytes_, 6), bytes_.size());
  text += fmt::format("\n  ports {} -> {} transport:", source_port(), destination_port());
  for (std::size_t i = transport_offset(); i < std::min(bytes_.size(), transport_offset() + 64); ++i)
    text += fmt::format(" {:02x}", bytes_[i]);
  return text;
}

Packet one_hop_on(const Packet& packet) {
  Packet next = packet;
  next.bytes()[8] -= 1;
  put16(next.bytes(), 10, 0);
  put16(next.bytes(), 10, static_cast<std::uint16_t>(~sum_of(next.bytes(), 0, next.transport_offset())));
  return next;
}

}  // namespace apnat::test
