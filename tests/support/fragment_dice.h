// fragment_dice.h - random datagrams in random pieces: shuffled, doubled, some spoilt, some lost. The same seed, the
// same pieces.
#pragma once

#include <random>

#include "support/fragments.h"

namespace apnat::test {

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

 private:
  std::mt19937 random_;
};

inline Octets part_of(const Octets& bytes, std::uint32_t from, std::uint32_t size) {
  Octets part(size);
  for (std::uint32_t i = 0; i < size; ++i) part[i] = from + i < bytes.size() ? bytes[from + i] : 0xaa;
  return part;
}

// One that does not fit: shifted, longer or shorter, with other bytes, or without an end.
inline Piece spoilt(Piece piece, const Octets& bytes, Dice& dice) {
  switch (dice.below(6)) {
    case 0:
      piece.offset += 8 * dice.below(4);
      break;
    case 1:
      piece.payload = part_of(bytes, piece.offset, 8 * (1 + dice.below(40)));
      break;
    case 2:
      piece.payload[dice.below(static_cast<std::uint32_t>(piece.payload.size()))] ^= 0x55;
      break;
    case 3:
      piece.more = !piece.more;
      break;
    case 4:
      piece.tos = static_cast<std::uint8_t>(dice.below(4));
      break;
    case 5:
      piece.offset = 8 * dice.below(static_cast<std::uint32_t>(bytes.size()) / 8 + 2);
      piece.payload = part_of(bytes, piece.offset, 8 * (1 + dice.below(60)));
      break;
  }
  return piece;
}

struct Torn {
  std::vector<Piece> pieces;
  bool intact;  // none missing, none spoilt; some may be double
};

// `whole` as it might arrive.
inline Torn torn(Dice& dice, const Piece& whole) {
  bool intact = true;
  const std::size_t least = whole.payload.size() / 70 / 8 * 8 + 8;  // now and then more than 64
  std::vector<Piece> pieces = cut(whole, std::max(least, std::size_t{8} * (2 + dice.below(190))));
  const std::size_t right = pieces.size();
  for (std::size_t i = 0; i < right; ++i) {
    if (dice.one_in(8)) pieces.push_back(pieces[i]);
    if (!dice.one_in(12)) continue;
    pieces.push_back(spoilt(pieces[i], whole.payload, dice));
    intact = false;
  }
  if (right > 1 && dice.one_in(10)) {
    pieces.erase(pieces.begin() + dice.below(static_cast<std::uint32_t>(right)));
    intact = false;
  }
  switch (dice.below(3)) {
    case 0:
      for (std::size_t i = pieces.size() - 1; i > 0; --i) {
        std::swap(pieces[i], pieces[dice.below(static_cast<std::uint32_t>(i) + 1)]);
      }
      break;
    case 1:
      std::ranges::reverse(pieces);
      break;
  }
  return {std::move(pieces), intact};
}

}  // namespace apnat::test
