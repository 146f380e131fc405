// spool_format.cpp - a batch: magic, body length, records, checksum, body. A record: seq, time, two lengths, key,
// payload.
#include "events/spool_format.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace apnat {
namespace {

constexpr std::uint32_t kMagic = 0x31425041;  // "APB1"

struct Header {
  std::uint32_t magic;
  std::uint32_t body_bytes;
  std::uint32_t records;
  std::uint32_t checksum;  // of the three above and the body
};
static_assert(sizeof(Header) == kBatchHeaderBytes);

struct RecordHead {
  std::uint64_t seq;
  std::int64_t time_ns;
  std::uint32_t key_bytes;
  std::uint32_t payload_bytes;
};
static_assert(sizeof(RecordHead) == 24);

struct MarkSlot {
  std::uint64_t generation;
  std::uint64_t segment;
  std::uint64_t offset;
  std::uint32_t checksum;  // of the three above
  std::uint32_t zero;
};
static_assert(sizeof(MarkSlot) == kMarkBytes);

std::uint32_t checksum(std::uint32_t begun, const void* bytes, std::size_t size) {
  return static_cast<std::uint32_t>(::crc32_z(begun, static_cast<const Bytef*>(bytes), size));
}

std::uint32_t checksum_of(const Header& header, std::string_view body) {
  return checksum(checksum(0, &header, offsetof(Header, checksum)), body.data(), body.size());
}

template <typename T>
T taken(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

}  // namespace

void SpoolBatch::clear() {
  bytes_.assign(kBatchHeaderBytes, '\0');
  records_ = 0;
}

void SpoolBatch::add(const SpoolRecord& record) {
  const RecordHead head{record.seq, record.time_ns, static_cast<std::uint32_t>(record.key.size()),
                        static_cast<std::uint32_t>(record.payload.size())};
  bytes_.append(reinterpret_cast<const char*>(&head), sizeof(head));
  bytes_ += record.key;
  bytes_ += record.payload;
  ++records_;
}

std::string_view SpoolBatch::seal() {
  const std::string_view body = std::string_view(bytes_).substr(kBatchHeaderBytes);
  Header header{kMagic, static_cast<std::uint32_t>(body.size()), records_, 0};
  header.checksum = checksum_of(header, body);
  std::memcpy(bytes_.data(), &header, sizeof(header));
  return bytes_;
}

std::optional<BatchHeader> batch_header(std::string_view bytes) {
  if (bytes.size() < kBatchHeaderBytes) return std::nullopt;
  const auto header = taken<Header>(bytes, 0);
  if (header.magic != kMagic || header.body_bytes > kMostBatchBytes - kBatchHeaderBytes) return std::nullopt;
  return BatchHeader{kBatchHeaderBytes + header.body_bytes, header.records};
}

std::optional<std::vector<SpoolRecord>> batch_records(std::string_view bytes) {
  const auto known = batch_header(bytes);
  if (!known || known->size > bytes.size()) return std::nullopt;
  const auto header = taken<Header>(bytes, 0);
  const std::string_view body = bytes.substr(kBatchHeaderBytes, header.body_bytes);
  if (checksum_of(header, body) != header.checksum) return std::nullopt;
  if (header.records > body.size() / sizeof(RecordHead)) return std::nullopt;

  std::vector<SpoolRecord> records;
  records.reserve(header.records);
  std::size_t at = 0;
  while (records.size() < header.records) {
    if (body.size() - at < sizeof(RecordHead)) return std::nullopt;
    const auto head = taken<RecordHead>(body, at);
    at += sizeof(RecordHead);
    if (head.key_bytes > body.size() - at || head.payload_bytes > body.size() - at - head.key_bytes)
      return std::nullopt;
    records.push_back({head.seq, head.time_ns, body.substr(at, head.key_bytes),
                       body.substr(at + head.key_bytes, head.payload_bytes)});
    at += std::size_t{head.key_bytes} + head.payload_bytes;
  }
  if (at != body.size()) return std::nullopt;
  return records;
}

std::size_t whole_batches(std::string_view bytes) {
  std::size_t at = 0;
  while (batch_records(bytes.substr(at))) at += batch_header(bytes.substr(at))->size;
  return at;
}

std::string mark_bytes(const SpoolMark& mark, std::uint64_t generation) {
  MarkSlot slot{generation, mark.segment, mark.offset, 0, 0};
  slot.checksum = checksum(0, &slot, offsetof(MarkSlot, checksum));
  return {reinterpret_cast<const char*>(&slot), sizeof(slot)};
}

std::optional<StoredMark> stored_mark(std::string_view slots) {
  std::optional<StoredMark> latest;
  for (std::size_t at = 0; at + kMarkBytes <= slots.size() && at < 2 * kMarkBytes; at += kMarkBytes) {
    const auto slot = taken<MarkSlot>(slots, at);
    if (checksum(0, &slot, offsetof(MarkSlot, checksum)) != slot.checksum) continue;
    if (!latest || slot.generation > latest->generation) latest = {{slot.segment, slot.offset}, slot.generation};
  }
  return latest;
}

}  // namespace apnat
