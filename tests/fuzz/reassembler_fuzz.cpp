// Any sequence of fragments: the answers of a plain model, byte for byte, or nothing; and whatever comes, memory within
// its bound and every fragment accounted for. A second reading of the same bytes takes them for frames, as they are.
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <span>

#include "slowpath/fragmenter.h"
#include "slowpath/icmp_error.h"
#include "slowpath/reassembler.h"
#include "support/reassembly_model.h"

using namespace apnat;
using namespace apnat::test;

namespace {

constexpr std::uint64_t kMemory = std::uint64_t{4} << 20;
constexpr std::uint64_t kStepNs = 700'000'000;  // no sum of them comes near the end of a timeout

void must(bool right, std::source_location where = std::source_location::current()) {
  if (right) return;
  std::fprintf(stderr, "line %u does not hold\n", where.line());
  std::abort();
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_[0];
    rest_ = rest_.subspan(1);
    return value;
  }
  std::uint16_t word() { return static_cast<std::uint16_t>(byte() << 8 | byte()); }
  Bytes some(std::size_t count) {
    const Bytes bytes = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(bytes.size());
    return bytes;
  }

 private:
  Bytes rest_;
};

// Making one costs more than all that an input does with it. So it is made once, and for each input so much time has
// passed that nothing of the one before is left.
struct Lasting {
  explicit Lasting(Overlap overlap, std::uint32_t per_source = 64) : reassembler(config(overlap, per_source), 0x5eed) {}

  static FragmentsConfig config(Overlap overlap, std::uint32_t per_source) {
    FragmentsConfig config;
    config.memory = kMemory;
    config.overlap = overlap;
    config.per_source = per_source;
    return config;
  }
  Lasting& anew() {
    reassembler.expire(now_ns += 3600 * std::uint64_t{1'000'000'000});
    now_ns += 3600 * std::uint64_t{1'000'000'000};  // and its tombstones
    must(reassembler.gauges(REALM_INTERNAL, now_ns).bytes == 0 &&
         reassembler.gauges(REALM_EXTERNAL, now_ns).bytes == 0);
    return *this;
  }

  Reassembler reassembler;
  std::uint64_t now_ns = 0;
  Octets room = Octets(Reassembler::kOutBytes);
};

void check_books(const Lasting& lasting) {
  const auto& [reassembler, now_ns, room] = lasting;
  std::uint64_t held = 0, reserved = 0;
  for (const enum realm realm : {REALM_INTERNAL, REALM_EXTERNAL}) {
    const ReassemblyGauges gauges = reassembler.gauges(realm, now_ns);
    must(gauges.bytes <= gauges.memory);
    held += gauges.fragments;
    reserved += gauges.memory;
  }
  must(reserved <= kMemory);
  const ReassemblyCounters& counters = reassembler.counters();
  must(counters.received == counters.joined + counters.dup + counters.lost + held);
}

// Eight bytes of input are a fragment. Its payload is what a datagram of that key has there, unless spoilt.
Piece read_piece(Input& input) {
  const std::uint8_t which = input.byte();
  const std::uint8_t flags = input.byte();
  Piece piece{.source = kS1 + (which & 1), .id = static_cast<std::uint16_t>(which >> 1 & 3)};
  piece.protocol = which & 8 ? 6 : 17;
  piece.more = flags & 1;
  piece.dont_fragment = flags & 2;
  piece.tos = flags & 4 ? flags >> 6 : 2;
  piece.offset = std::uint32_t{8} * (input.word() & (flags & 8 ? 0x1fff : 0x1f));
  const std::size_t size = input.word() & (flags & 16 ? 0x0fff : 0x00ff);
  static const Octets all = bytes_of(65536 + 4096);
  piece.payload.assign(all.begin() + piece.offset, all.begin() + piece.offset + static_cast<std::ptrdiff_t>(size));
  if (which & 16) piece.options = Octets(4 * (1 + (which >> 5)), 1);
  const std::uint8_t spoil = input.byte();
  if (flags & 32 && size > 0) piece.payload[spoil % size] ^= 0xff;
  return piece;
}

void against_the_model(Input input, Overlap overlap) {
  static Lasting kill(Overlap::kKill), first_wins(Overlap::kFirstWins);
  Lasting& lasting = (overlap == Overlap::kKill ? kill : first_wins).anew();
  auto& [reassembler, now_ns, room] = lasting;
  ReassemblyModel model(overlap == Overlap::kFirstWins, FragmentsConfig{}.timeout * std::uint64_t{1'000'000'000});
  // More than this, and the smallest memory could be full, of which the model knows nothing.
  for (int count = 0; count < 150 && !input.empty(); ++count) {
    const Piece piece = read_piece(input);
    if (const std::uint8_t wait = input.byte(); wait > 0xe0) now_ns += kStepNs * (wait & 7);
    if (piece.offset == 0 && !piece.more) continue;
    const Octets frame = frame_of(piece);
    const auto fragment = parse_fragment(frame, {});
    must(fragment.has_value());
    const Reassembled got = reassembler.add(*fragment, now_ns, room);
    must(static_cast<int>(got.fate) == static_cast<int>(model.add(piece, now_ns)));
    if (got.datagram) must(std::ranges::equal(got.datagram->frame, model.frame()));
    check_books(lasting);
  }
}

// The frame's fragments, put together again, are the frame.
void cut_and_join(Bytes bytes, std::uint16_t mtu) {
  const auto frame = parse_frame(bytes);
  auto fragmenter = Fragmenter::make(bytes, mtu);
  if (!frame || !fragmenter) return;
  static Lasting lasting(Overlap::kKill);
  auto& [reassembler, now_ns, room] = lasting.anew();
  std::size_t payload = 0;
  std::uint64_t joined = 0;
  while (const auto piece = fragmenter->next()) {
    Octets one(piece->headers.begin(), piece->headers.end());
    one.insert(one.end(), piece->payload.begin(), piece->payload.end());
    const auto again = parse_frame(one);
    must(again.has_value() && again->offset() == payload && again->total_length() <= std::max<std::size_t>(mtu, 28));
    payload += again->payload.size();
    const auto fragment = parse_fragment(one, {});
    if (!fragment) continue;
    const Reassembled result = reassembler.add(*fragment, now_ns, room);
    if (!result.datagram) continue;
    ++joined;
    must(std::ranges::equal(result.datagram->frame.subspan(frame->link.size() + frame->header.size()), frame->payload));
  }
  must(payload == frame->payload.size() && joined <= 1);
}

// Bytes as they are, in frames of up to 255; two datagrams a source, so that limits are met too.
void as_frames(Input input) {
  static Lasting lasting(Overlap::kKill, 2);
  auto& [reassembler, now_ns, room] = lasting.anew();
  while (!input.empty()) {
    const std::uint8_t size = input.byte();
    const std::uint16_t mtu = input.word();
    const Bytes bytes = input.some(size);
    now_ns += std::uint64_t{mtu} << 14;
    if (const auto fragment = parse_fragment(bytes, {.realm = mtu & 1 ? REALM_EXTERNAL : REALM_INTERNAL})) {
      reassembler.add(*fragment, now_ns, room);
      check_books(lasting);
    }
    cut_and_join(bytes, mtu);
    if (const auto answer = icmp_error(IcmpError::kTimeExceeded, bytes, Ip4(0xc0000201))) {
      must(parse_frame(answer->bytes()).has_value());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  switch (input.byte() & 3) {
    case 0:
      against_the_model(input, Overlap::kKill);
      break;
    case 1:
      against_the_model(input, Overlap::kFirstWins);
      break;
    default:
      as_frames(input);
  }
  return 0;
}
