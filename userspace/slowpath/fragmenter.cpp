// fragmenter.cpp - RFC 791 section 3.2, the fragmentation procedure.
#include "slowpath/fragmenter.h"

#include <algorithm>

namespace apnat {
namespace {

constexpr std::uint8_t kOptionEnd = 0;
constexpr std::uint8_t kOptionNop = 1;
constexpr std::uint8_t kOptionCopied = 0x80;

// Calls `each` with every option but fillers. False: they do not add up.
template <typename Each>
bool for_each_option(Bytes options, Each each) {
  while (!options.empty() && options[0] != kOptionEnd) {
    if (options[0] == kOptionNop) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return false;
    each(options.first(options[1]));
    options = options.subspan(options[1]);
  }
  return true;
}

}  // namespace

std::expected<Fragmenter, FragmenterFault> Fragmenter::make(Bytes bytes, std::uint32_t mtu,
                                                            std::uint16_t largest_fragment) {
  const auto frame = parse_frame(bytes);
  if (!frame) return std::unexpected(FragmenterFault::kMalformed);
  if (frame->is_fragment()) return std::unexpected(FragmenterFault::kNotWhole);
  if (!for_each_option(frame->header.subspan(kLeastIpv4Header), [](Bytes) {})) {
    return std::unexpected(FragmenterFault::kMalformed);
  }
  std::size_t limit = mtu;
  if (frame->dont_fragment()) {
    const std::size_t sent = largest_fragment ? largest_fragment : frame->total_length();
    if (sent > mtu) return std::unexpected(FragmenterFault::kTooBig);
    limit = sent;
  }
  if (limit < frame->total_length() && limit < frame->header.size() + 8) {
    return std::unexpected(FragmenterFault::kNarrow);
  }
  Fragmenter fragmenter(*frame, limit);
  fragmenter.begin();
  return fragmenter;
}

void Fragmenter::begin() {
  std::memcpy(headers_.data(), frame_.link.data(), frame_.link.size());
  std::memcpy(headers_.data() + frame_.link.size(), frame_.header.data(), frame_.header.size());
  header_bytes_ = frame_.header.size();
}

// After the first: only options that say so are copied.
void Fragmenter::go_on() {
  std::uint8_t* header = headers_.data() + frame_.link.size();
  std::size_t length = kLeastIpv4Header;
  for_each_option(frame_.header.subspan(kLeastIpv4Header), [&](Bytes option) {
    if (!(option[0] & kOptionCopied)) return;
    std::memcpy(header + length, option.data(), option.size());
    length += option.size();
  });
  while (length % 4 != 0) header[length++] = kOptionEnd;
  header[0] = static_cast<std::uint8_t>(0x40 | length / 4);
  header_bytes_ = length;
}

std::optional<Fragmenter::Piece> Fragmenter::next() {
  if (finished_) return std::nullopt;
  // Only now: the piece before may have been looked at until this call.
  if (done_ > 0) go_on();
  const std::size_t left = frame_.payload.size() - done_;
  const std::size_t link = frame_.link.size();
  const MutableBytes header(headers_.data() + link, header_bytes_);
  const bool last = header_bytes_ + left <= limit_;
  const std::size_t length = last ? left : (limit_ - header_bytes_) / 8 * 8;
  if (!is_whole()) {
    const std::size_t field =
        done_ / 8 | (last ? 0 : ipv4::kMoreFragments) | (frame_.dont_fragment() ? ipv4::kDontFragment : 0);
    store16(header.data() + ipv4::kTotalLength, static_cast<std::uint16_t>(header_bytes_ + length));
    store16(header.data() + ipv4::kFragmentField, static_cast<std::uint16_t>(field));
    set_header_checksum(header);
  }
  const Piece piece{Bytes(headers_.data(), link + header_bytes_), frame_.payload.subspan(done_, length)};
  done_ += length;
  finished_ = last;
  return piece;
}

}  // namespace apnat
