// port_range.cpp - port arithmetic. The layouts are those of bpf/core/port_layout.h.
#include "net/port_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>

namespace apnat {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// ---- RFC 7597 section 5.1: | A (a bits) | PSID (k bits) | j (m bits) |; a block of slots is one PSID's port set

struct PsidBits {
  explicit PsidBits(const struct pool& pool)
      : a(pool.psid_offset), k(pool.psid_length), m(16u - pool.psid_offset - pool.psid_length) {}
  unsigned a, k, m;
};

std::uint32_t low_bits(std::uint32_t value, unsigned count) { return value & ((1u << count) - 1); }

std::uint16_t psid_port(PsidBits bits, std::uint16_t slot) {
  const std::uint32_t psid = static_cast<std::uint32_t>(slot) >> (16 - bits.k);
  const std::uint32_t a = low_bits(slot >> bits.m, bits.a);
  return static_cast<std::uint16_t>(a << (16 - bits.a) | psid << bits.m | low_bits(slot, bits.m));
}

std::uint16_t psid_slot(PsidBits bits, std::uint16_t port) {
  const std::uint32_t a = static_cast<std::uint32_t>(port) >> (16 - bits.a);
  const std::uint32_t psid = low_bits(port >> bits.m, bits.k);
  return static_cast<std::uint16_t>(psid << (16 - bits.k) | a << bits.m | low_bits(port, bits.m));
}

// ---- scattered: four rounds of a balanced Feistel network over the two bytes of a port

constexpr int kRounds = 4;

std::uint32_t round_value(std::uint32_t half, std::uint32_t key) {
  std::uint32_t f = (half + 1) * key;
  f ^= f >> 15;
  f *= 0x85ebca6bu;
  f ^= f >> 13;
  return f & 0xff;
}

std::uint16_t scattered_port(const struct pool& pool, std::uint16_t slot) {
  std::uint32_t left = slot >> 8;
  std::uint32_t right = slot & 0xff;
  for (int i = 0; i < kRounds; ++i) {
    const std::uint32_t mixed = left ^ round_value(right, pool.layout_key[i]);
    left = right;
    right = mixed;
  }
  return static_cast<std::uint16_t>(left << 8 | right);
}

std::uint16_t scattered_slot(const struct pool& pool, std::uint16_t port) {
  std::uint32_t left = port >> 8;
  std::uint32_t right = port & 0xff;
  for (int i = kRounds - 1; i >= 0; --i) {
    const std::uint32_t unmixed = right ^ round_value(left, pool.layout_key[i]);
    right = left;
    left = unmixed;
  }
  return static_cast<std::uint16_t>(left << 8 | right);
}

std::vector<PortRange> maximal_runs(std::vector<std::uint16_t> ports) {
  std::ranges::sort(ports);
  std::vector<PortRange> runs;
  for (std::uint16_t port : ports) {
    if (!runs.empty() && runs.back().last + 1 == port) {
      runs.back().last = port;
    } else {
      runs.push_back({port, port});
    }
  }
  return runs;
}

}  // namespace

bool is_usable(const struct pool& pool, std::uint16_t port) {
  if (port < pool.first_port_host || port > pool.last_port_host) return false;
  return pool.port_layout != LAYOUT_PSID || pool.psid_offset == 0 || port >> (16 - pool.psid_offset) != 0;
}

Result<PortRange> PortRange::parse(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_port(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
  if (!first || !last) return fail(fmt::format("\"{}\" is not a range of ports; write \"1024-65535\"", text));
  if (*first > *last) {
    return fail(fmt::format("\"{}\" ends before it begins; write \"{}-{}\"", text, *last, *first));
  }
  return PortRange{*first, *last};
}

std::string PortRange::text() const {
  return first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
}

std::uint16_t slot_of_port(const struct pool& pool, std::uint16_t port) {
  switch (pool.port_layout) {
    case LAYOUT_PSID:
      return psid_slot(PsidBits(pool), port);
    case LAYOUT_SCATTERED:
      return scattered_slot(pool, port);
    default:
      return port;
  }
}

std::uint16_t port_of_slot(const struct pool& pool, std::uint16_t slot) {
  switch (pool.port_layout) {
    case LAYOUT_PSID:
      return psid_port(PsidBits(pool), slot);
    case LAYOUT_SCATTERED:
      return scattered_port(pool, slot);
    default:
      return slot;
  }
}

std::vector<PortRange> ports_of_slots(const struct pool& pool, struct slot_range slots) {
  if (slots.last == 0) return {};
  if (pool.port_layout == LAYOUT_CONTIGUOUS) {
    const PortRange range{std::max(slots.first, static_cast<std::uint16_t>(pool.first_port_host)),
                          std::min(slots.last, static_cast<std::uint16_t>(pool.last_port_host))};
    return range.first > range.last ? std::vector<PortRange>{} : std::vector<PortRange>{range};
  }
  std::vector<std::uint16_t> ports;
  for (std::uint32_t slot = slots.first; slot <= slots.last; ++slot) {
    const std::uint16_t port = port_of_slot(pool, static_cast<std::uint16_t>(slot));
    if (is_usable(pool, port)) ports.push_back(port);
  }
  return maximal_runs(std::move(ports));
}

std::uint32_t deterministic_ports_each(PortRange usable, std::uint32_t ratio) {
  assert(ratio > 0);
  return usable.count() / ratio;
}

PortRange deterministic_range(PortRange usable, std::uint32_t ratio, std::uint32_t n) {
  const std::uint32_t each = deterministic_ports_each(usable, ratio);
  assert(each > 0 && n < ratio);
  const std::uint32_t first = usable.first + n * each;
  return {static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(first + each - 1)};
}

std::optional<std::uint32_t> deterministic_owner(PortRange usable, std::uint32_t ratio, std::uint16_t port) {
  if (!usable.contains(port)) return std::nullopt;
  const std::uint32_t n = (port - usable.first) / deterministic_ports_each(usable, ratio);
  return n < ratio ? std::optional(n) : std::nullopt;
}

}  // namespace apnat
