// reassembly_model.h - what a reassembler must answer, said in the plainest way: every accepted fragment is kept as it
// came, and each question is answered by going through all of them, byte for byte. Slow, without any limit of memory,
// and written from the requirements alone.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "support/fragments.h"

namespace apnat::test {

class ReassemblyModel {
 public:
  enum class Answer { kHeld, kWhole, kDuplicate, kLost };

  ReassemblyModel(bool first_wins, std::uint64_t timeout_ns) : first_wins_(first_wins), timeout_ns_(timeout_ns) {}

  Answer add(const Piece& piece, std::uint64_t now_ns) {
    const Key key{piece.source, piece.destination, piece.protocol, piece.id};
    bury_old(now_ns);
    if (!is_sane(piece)) return Answer::kLost;
    if (headers_of(piece).size() - 14 - 4 * piece.tags.size() + piece.offset + piece.payload.size() > 65535) {
      return bury(key, now_ns);
    }
    if (graves_.contains(key)) return Answer::kLost;
    auto [entry, is_new] = open_.try_emplace(key);
    if (is_new) entry->second.since_ns = now_ns;
    Pending& pending = entry->second;
    if (has_two_ends(pending, piece)) return bury(key, now_ns);
    const std::vector<bool> have = held_bytes(pending);
    std::uint32_t fresh = 0;
    for (std::uint32_t at = piece.offset; at < end_of(piece); ++at) fresh += at >= have.size() || !have[at];
    const bool overlaps = fresh < piece.payload.size();
    if (is_exact_copy(pending, piece)) return Answer::kDuplicate;
    if (overlaps && !first_wins_) return bury(key, now_ns);
    if (fresh == 0) return Answer::kDuplicate;
    if (pending.accepted.size() == 64) return bury(key, now_ns);
    pending.accepted.push_back(piece);
    if (has_bad_ecn(pending)) return bury(key, now_ns);
    if (!is_complete(pending)) return Answer::kHeld;
    const std::optional<Octets> frame = put_together(pending);
    if (!frame) return bury(key, now_ns);
    frame_ = *frame;
    open_.erase(key);
    return Answer::kWhole;
  }

  const Octets& frame() const { return frame_; }  // after kWhole

 private:
  using Key = std::tuple<std::uint32_t, std::uint32_t, std::uint8_t, std::uint16_t>;
  struct Pending {
    std::uint64_t since_ns = 0;
    std::vector<Piece> accepted;
  };

  static std::uint32_t end_of(const Piece& piece) {
    return piece.offset + static_cast<std::uint32_t>(piece.payload.size());
  }

  static bool is_sane(const Piece& piece) {
    const std::size_t size = piece.payload.size();
    if (size == 0 || (piece.more && size % 8 != 0)) return false;
    if (end_of(piece) + headers_of(piece).size() - 14 - 4 * piece.tags.size() > 65535) return true;  // judged as such
    const std::map<int, std::size_t> least = {{6, 16}, {17, 8}, {1, 8}, {33, 12}, {132, 12}};
    const auto wanted = least.find(piece.protocol);
    if (piece.offset == 0 && wanted != least.end() && size < wanted->second) return false;
    return !(piece.protocol == 6 && piece.offset == 8);
  }

  // Graves are dug for the moment that a datagram's time was over, and kept from when somebody could notice.
  void bury_old(std::uint64_t now_ns) {
    std::erase_if(graves_, [&](const auto& grave) { return now_ns >= grave.second; });
    for (auto entry = open_.begin(); entry != open_.end();) {
      if (now_ns - entry->second.since_ns < timeout_ns_) {
        ++entry;
        continue;
      }
      graves_[entry->first] = now_ns + timeout_ns_;
      entry = open_.erase(entry);
    }
  }

  Answer bury(const Key& key, std::uint64_t now_ns) {
    open_.erase(key);
    graves_[key] = now_ns + timeout_ns_;
    return Answer::kLost;
  }

  static bool has_two_ends(const Pending& pending, const Piece& next) {
    std::vector<Piece> all = pending.accepted;
    all.push_back(next);
    for (const Piece& last : all) {
      if (last.more) continue;
      for (const Piece& other : all) {
        const bool right = other.more ? end_of(other) < end_of(last) : end_of(other) == end_of(last);
        if (!right) return true;
      }
    }
    return false;
  }

  static bool is_exact_copy(const Pending& pending, const Piece& piece) {
    for (const Piece& other : pending.accepted) {
      if (other.offset == piece.offset && other.payload == piece.payload && other.more == piece.more) return true;
    }
    return false;
  }

  static std::vector<bool> held_bytes(const Pending& pending) {
    std::vector<bool> have;
    for (const Piece& piece : pending.accepted) {
      if (have.size() < end_of(piece)) have.resize(end_of(piece));
      for (std::uint32_t at = piece.offset; at < end_of(piece); ++at) have[at] = true;
    }
    return have;
  }

  static bool has_bad_ecn(const Pending& pending) {
    std::set<int> seen;
    for (const Piece& piece : pending.accepted) seen.insert(piece.tos & 3);
    return seen.contains(3) && seen.contains(0);
  }

  static bool is_complete(const Pending& pending) {
    const std::vector<bool> have = held_bytes(pending);
    for (const Piece& piece : pending.accepted) {
      if (!piece.more) return std::ranges::count(have, true) == end_of(piece);
    }
    return false;
  }

  // nullopt: longer than a datagram can be.
  static std::optional<Octets> put_together(const Pending& pending) {
    Piece whole;
    Octets payload(65536);
    std::size_t size = 0;
    std::set<int> ecn;
    bool dont_fragment = false;
    for (auto piece = pending.accepted.rbegin(); piece != pending.accepted.rend(); ++piece) {
      std::copy(piece->payload.begin(), piece->payload.end(), payload.begin() + piece->offset);
      size = std::max<std::size_t>(size, end_of(*piece));
      ecn.insert(piece->tos & 3);
      dont_fragment |= piece->dont_fragment;
      if (piece->offset == 0) whole = *piece;
    }
    payload.resize(size);
    whole.payload = payload;
    whole.more = false;
    whole.dont_fragment = dont_fragment;
    whole.padding = 0;
    if (ecn.contains(3)) whole.tos |= 3;
    if (ecn.contains(0)) whole.tos &= 0xfc;
    if (headers_of(whole).size() - 14 - 4 * whole.tags.size() + size > 65535) return std::nullopt;
    return frame_of(whole);
  }

  bool first_wins_;
  std::uint64_t timeout_ns_;
  std::map<Key, Pending> open_;
  std::map<Key, std::uint64_t> graves_;
  Octets frame_;
};

}  // namespace apnat::test
