// page.cpp - version, checksum, count, then the leases.
#include "history/page.h"

#include <utility>

#include "history/varint.h"

namespace apnat {
namespace {

constexpr char kVersion = 1;

constexpr unsigned kIsClosed = 1;
constexpr unsigned kIsCarried = 2;
constexpr unsigned kEndUnrecorded = 4;
constexpr unsigned kHasInternal = 8;
constexpr unsigned kHasDestination = 16;
constexpr unsigned kHasClockError = 32;

unsigned flags_of(const Lease& lease) {
  return (lease.is_open() ? 0 : kIsClosed) | (lease.carried ? kIsCarried : 0) |
         (lease.end_unrecorded ? kEndUnrecorded : 0) | (lease.internal ? kHasInternal : 0) |
         (lease.destination ? kHasDestination : 0) | (lease.clock_error_us ? kHasClockError : 0);
}

std::int64_t apart(Ip4 one, Ip4 other) { return std::int64_t{one.value()} - other.value(); }
Ip4 moved(Ip4 from, std::int64_t by) { return Ip4(static_cast<std::uint32_t>(from.value() + by)); }

// `before`: the key of the lease before it; `first`: the page's first lease, for what does not go up.
void write_lease(std::string& out, const Lease& lease, LeaseKey before, const Lease& first) {
  VarintWriter to(out);
  to.number(lease.key - before);
  to.number(flags_of(lease));
  to.difference(lease.from - first.from);
  if (!lease.is_open()) to.difference(lease.to - lease.from);
  to.difference(apart(lease.holder, first.holder));
  to.number(lease.pool);
  if (lease.internal) {
    to.difference(apart(lease.internal->address, lease.holder));
    out += static_cast<char>(lease.internal->port >> 8);
    out += static_cast<char>(lease.internal->port);
  }
  if (lease.destination) {
    to.number(lease.destination->address.value());
    to.number(lease.destination->port);
  }
  if (lease.clock_error_us) to.number(lease.clock_error_us);
}

std::uint16_t read_port(VarintReader& from) {
  const std::uint16_t high = from.byte();
  return static_cast<std::uint16_t>(high << 8 | from.byte());
}

Lease read_lease(VarintReader& from, LeaseKey before, const Lease& first) {
  Lease lease;
  lease.key = before + from.number();
  const std::uint64_t flags = from.number();
  lease.from = first.from + from.difference();
  if (flags & kIsClosed) lease.to = lease.from + from.difference();
  lease.carried = flags & kIsCarried;
  lease.end_unrecorded = flags & kEndUnrecorded;
  lease.holder = moved(first.holder, from.difference());
  lease.pool = from.number_as<std::uint16_t>();
  if (flags & kHasInternal) {
    const Ip4 address = moved(lease.holder, from.difference());
    lease.internal = Endpoint{address, read_port(from)};
  }
  if (flags & kHasDestination) {
    const Ip4 address(from.number_as<std::uint32_t>());
    lease.destination = Endpoint{address, from.number_as<std::uint16_t>()};
  }
  if (flags & kHasClockError) lease.clock_error_us = from.number_as<std::uint32_t>();
  return lease;
}

std::string_view four_bytes(const std::uint32_t& value) { return {reinterpret_cast<const char*>(&value), 4}; }

}  // namespace

void PageWriter::add(const Lease& lease) {
  write_lease(body_, lease, last_key_, first_);
  if (is_empty()) first_ = lease;
  last_key_ = lease.key;
  ++count_;
}

PageWriter::Page PageWriter::take() {
  std::string body;
  VarintWriter(body).number(count_);
  body += body_;
  Page page{first_.key, count_, std::string(1, kVersion)};
  page.bytes += four_bytes(checksum(body));
  page.bytes += body;
  *this = PageWriter();
  return page;
}

Result<void> read_page(std::string_view bytes, std::vector<Lease>& leases) {
  constexpr std::size_t kHeader = 5;
  if (bytes.size() < kHeader) return fail("a page of the history is cut off");
  if (bytes.front() != kVersion) return fail("a page of the history is of a version that is not known");
  const std::string_view body = bytes.substr(kHeader);
  if (bytes.substr(1, 4) != four_bytes(checksum(body))) return fail("a page of the history is damaged");
  VarintReader from(body);
  const std::size_t count = from.count();
  leases.reserve(leases.size() + count);
  Lease first;
  LeaseKey before = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Lease lease = read_lease(from, before, first);
    if (i == 0) first = lease;
    before = lease.key;
    leases.push_back(std::move(lease));
  }
  if (from.failed() || !from.is_at_end()) return fail("a page of the history says more than it holds");
  return {};
}

}  // namespace apnat
