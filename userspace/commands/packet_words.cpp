// packet_words.cpp - words to fields, fields to bytes, checksums last.
#include "commands/packet_words.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "net/address.h"
#include "net/checksum.h"

namespace apnat {
namespace {

constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kIpv4Bytes = 20;
constexpr std::size_t kMostFrameBytes = 9216;

enum TcpFlag : std::uint8_t { kFin = 1, kSyn = 2, kRst = 4, kAck = 16 };

struct PacketFields {
  std::uint8_t protocol = 0;
  Endpoint source;
  Endpoint destination;
  std::uint8_t ttl = 64;
  std::size_t length = 0;  // 0: no longer than its headers
  bool dont_fragment = false;
  bool more_fragments = false;
  std::uint16_t offset = 0;  // of a later fragment, in units of 8 bytes
  std::uint16_t ipv4_id = 1;
  std::uint16_t query_id = 1;
  std::uint8_t tcp_flags = 0;
  bool reply = false;
};

Result<std::uint32_t> number(std::string_view what, const std::string& text, std::uint32_t least, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return fail(fmt::format("packet: {} \"{}\" is not a number from {} to {}", what, text, least, most));
  }
  return value;
}

Result<Endpoint> endpoint(std::string_view what, const std::string& text, std::uint16_t usual_port) {
  if (const auto address = Ip4::parse(text)) return Endpoint{*address, usual_port};
  if (const auto both = Endpoint::parse(text)) return *both;
  return fail(fmt::format("packet: {} \"{}\" is neither ADDRESS nor ADDRESS:PORT", what, text));
}

std::uint8_t tcp_flag(std::string_view word) {
  if (word == "syn") return kSyn;
  if (word == "ack") return kAck;
  if (word == "fin") return kFin;
  return word == "rst" ? kRst : 0;
}

// One of the words behind the endpoints; `at` is left at the last word that belongs to it.
Result<void> read_option(std::span<const std::string> words, std::size_t& at, PacketFields& fields) {
  const std::string& word = words[at];
  if (word == "df") {
    fields.dont_fragment = true;
  } else if (word == "mf") {
    fields.more_fragments = true;
  } else if (fields.protocol == IPPROTO_TCP && tcp_flag(word)) {
    fields.tcp_flags |= tcp_flag(word);
  } else if (fields.protocol == IPPROTO_ICMP && word == "reply") {
    fields.reply = true;
  } else if (word == "ttl" || word == "length" || word == "id" || word == "offset") {
    if (++at == words.size()) return fail(fmt::format("packet: {} needs a number", word));
    const std::uint32_t most = word == "ttl"                      ? 255
                               : word == "id" || word == "offset" ? 65535
                                                                  : kMostFrameBytes - kEthernetBytes;
    const std::uint32_t value = TRY(number(word, words[at], 0, most));
    if (word == "ttl") fields.ttl = static_cast<std::uint8_t>(value);
    if (word == "length") fields.length = value;
    if (word == "offset" && value % 8 != 0) return fail("packet: an offset is a multiple of 8");
    if (word == "offset") fields.offset = static_cast<std::uint16_t>(value / 8);
    if (word == "id")
      (fields.protocol == IPPROTO_ICMP ? fields.query_id : fields.ipv4_id) = static_cast<std::uint16_t>(value);
  } else {
    return fail(fmt::format("packet: \"{}\" is not ttl, length, id, df, mf, offset{}", word,
                            fields.protocol == IPPROTO_TCP    ? ", syn, ack, fin or rst"
                            : fields.protocol == IPPROTO_ICMP ? " or reply"
                                                              : ""));
  }
  return {};
}

Result<PacketFields> read_fields(std::span<const std::string> words) {
  PacketFields fields;
  const auto protocol = parse_protocol(words[0]);
  if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_ICMP) {
    return fail(fmt::format("packet: \"{}\" is not tcp, udp, icmp or hex", words[0]));
  }
  if (words.size() < 3)
    return fail("packet: a source and a destination are needed: tcp SOURCE[:PORT] DESTINATION[:PORT]");
  fields.protocol = *protocol;
  fields.source = TRY(endpoint("source", words[1], 40000));
  fields.destination = TRY(endpoint("destination", words[2], 443));
  if (fields.protocol == IPPROTO_ICMP && (words[1] + words[2]).find(':') != std::string::npos) {
    return fail("packet: icmp has no ports; say the query identifier with id N");
  }
  for (std::size_t at = 3; at < words.size(); ++at) TRY_VOID(read_option(words, at, fields));
  if (fields.protocol == IPPROTO_TCP && !fields.tcp_flags) fields.tcp_flags = kSyn;
  return fields;
}

class Bytes {
 public:
  void u8(std::uint8_t value) { bytes_.push_back(value); }
  void u16(std::uint16_t value) {
    u8(static_cast<std::uint8_t>(value >> 8));
    u8(static_cast<std::uint8_t>(value));
  }
  void u32(std::uint32_t value) {
    u16(static_cast<std::uint16_t>(value >> 16));
    u16(static_cast<std::uint16_t>(value));
  }
  void set16(std::size_t at, std::uint16_t value) {
    bytes_[at] = static_cast<std::uint8_t>(value >> 8);
    bytes_[at + 1] = static_cast<std::uint8_t>(value);
  }
  void pad_to(std::size_t size) { bytes_.resize(std::max(size, bytes_.size())); }
  std::size_t size() const { return bytes_.size(); }
  // Over bytes from..end, `sum` first.
  std::uint16_t checksum(std::size_t from, std::size_t end, std::uint64_t sum = 0) const {
    return static_cast<std::uint16_t>(~internet_sum(std::span(bytes_).subspan(from, end - from), sum));
  }
  std::vector<std::uint8_t> take() && { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

void put_ethernet(Bytes& frame) {
  for (std::uint16_t word : {0x0200, 0x0000, 0x0001, 0x0200, 0x0000, 0x0002}) frame.u16(word);  // locally administered
  frame.u16(0x0800);
}

void put_ipv4(Bytes& frame, const PacketFields& fields) {
  frame.u16(0x4500);
  frame.u16(0);  // length: when it is known
  frame.u16(fields.ipv4_id);
  frame.u16(static_cast<std::uint16_t>((fields.dont_fragment ? 0x4000 : 0) | (fields.more_fragments ? 0x2000 : 0) |
                                       fields.offset));
  frame.u8(fields.ttl);
  frame.u8(fields.protocol);
  frame.u16(0);
  frame.u32(fields.source.address.value());
  frame.u32(fields.destination.address.value());
}

// Answers where the checksum stands.
std::size_t put_transport(Bytes& frame, const PacketFields& fields) {
  const std::size_t start = frame.size();
  if (fields.protocol == IPPROTO_ICMP) {
    frame.u16(fields.reply ? 0x0000 : 0x0800);
    frame.u16(0);
    frame.u16(fields.query_id);
    frame.u16(1);
    return start + 2;
  }
  frame.u16(fields.source.port);
  frame.u16(fields.destination.port);
  if (fields.protocol == IPPROTO_UDP) {
    frame.u16(0);  // length: when it is known
    frame.u16(0);
    return start + 6;
  }
  frame.u32(1);                                // sequence
  frame.u32(fields.tcp_flags & kAck ? 1 : 0);  // acknowledgement
  frame.u16(static_cast<std::uint16_t>(0x5000 | fields.tcp_flags));
  frame.u16(65535);  // window
  frame.u32(0);      // checksum, urgent pointer
  return start + 16;
}

Result<std::vector<std::uint8_t>> build(const PacketFields& fields) {
  Bytes frame;
  put_ethernet(frame);
  put_ipv4(frame, fields);
  const std::size_t transport = frame.size();
  const std::size_t checksum_at = put_transport(frame, fields);
  if (fields.length && fields.length < frame.size() - kEthernetBytes) {
    return fail(
        fmt::format("packet: length {} is less than its headers, {}", fields.length, frame.size() - kEthernetBytes));
  }
  frame.pad_to(kEthernetBytes + fields.length);

  const std::size_t end = frame.size();
  frame.set16(kEthernetBytes + 2, static_cast<std::uint16_t>(end - kEthernetBytes));
  if (fields.protocol == IPPROTO_UDP) frame.set16(transport + 4, static_cast<std::uint16_t>(end - transport));
  frame.set16(kEthernetBytes + 10, frame.checksum(kEthernetBytes, kEthernetBytes + kIpv4Bytes));

  const std::uint64_t source = fields.source.address.value();
  const std::uint64_t destination = fields.destination.address.value();
  const std::uint64_t pseudo_header = (source >> 16) + (source & 0xffff) + (destination >> 16) +
                                      (destination & 0xffff) + fields.protocol + (end - transport);
  std::uint16_t sum = frame.checksum(transport, end, fields.protocol == IPPROTO_ICMP ? 0 : pseudo_header);
  if (fields.protocol == IPPROTO_UDP && sum == 0) sum = 0xffff;  // 0 would say there is none
  frame.set16(checksum_at, sum);
  return std::move(frame).take();
}

Result<std::vector<std::uint8_t>> from_hex(std::span<const std::string> words) {
  std::string digits;
  for (const std::string& word : words) {
    for (char c : word) {
      if (c == ':' || c == ' ') continue;
      if (!std::isxdigit(static_cast<unsigned char>(c)))
        return fail(fmt::format("packet: '{}' is no hexadecimal digit", c));
      digits += c;
    }
  }
  if (digits.empty() || digits.size() % 2) return fail("packet: hex needs whole bytes");
  if (digits.size() / 2 > kMostFrameBytes) return fail(fmt::format("packet: longer than {} bytes", kMostFrameBytes));
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    std::uint8_t byte = 0;
    std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
    bytes.push_back(byte);
  }
  return bytes;
}

}  // namespace

Result<std::vector<std::uint8_t>> packet_from_words(std::span<const std::string> words) {
  if (words.empty()) return fail("packet: say it in words, tcp SOURCE[:PORT] DESTINATION[:PORT], or hex BYTES");
  if (words[0] == "hex") return from_hex(words.subspan(1));
  const PacketFields fields = TRY(read_fields(words));
  return build(fields);
}

}  // namespace apnat
