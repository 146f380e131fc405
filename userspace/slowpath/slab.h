// slab.h - a fixed number of equal things, taken and given back in constant time, named by index; and chains through
// them. Memory is asked for once and touched only when first used; nothing here ever grows.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>

namespace apnat {

inline constexpr std::uint32_t kNone = ~std::uint32_t{0};

// T is plain data with a member `std::uint32_t link`, the slab's while the thing is free.
template <typename T>
class Slab {
 public:
  explicit Slab(std::uint32_t capacity) : items_(new T[capacity]), capacity_(capacity) {
    static_assert(std::is_trivially_default_constructible_v<T>, "or making the slab would touch all of it");
  }

  // What is in it is whatever was there before; kNone: there is no more.
  std::uint32_t take() {
    std::uint32_t index = free_;
    if (index != kNone) {
      free_ = items_[index].link;
    } else if (fresh_ < capacity_) {
      index = fresh_++;
    } else {
      return kNone;
    }
    ++used_;
    return index;
  }
  void give(std::uint32_t index) {
    items_[index].link = free_;
    free_ = index;
    --used_;
  }
  // The chain first..last, `count` of them, linked already.
  void give_chain(std::uint32_t first, std::uint32_t last, std::uint32_t count) {
    items_[last].link = free_;
    free_ = first;
    used_ -= count;
  }

  T& operator[](std::uint32_t index) { return items_[index]; }
  const T& operator[](std::uint32_t index) const { return items_[index]; }
  std::uint32_t used() const { return used_; }
  std::uint32_t left() const { return capacity_ - used_; }
  std::uint64_t bytes() const { return std::uint64_t{capacity_} * sizeof(T); }

 private:
  std::unique_ptr<T[]> items_;
  std::uint32_t capacity_;
  std::uint32_t free_ = kNone;
  std::uint32_t fresh_ = 0;  // the first that nobody ever took
  std::uint32_t used_ = 0;
};

struct Links {
  std::uint32_t previous;
  std::uint32_t next;
};

// Things of one slab in the order they were appended. Plain data, so that things can hold chains.
template <typename T, Links T::* kLinks>
struct Chain {
  std::uint32_t first;
  std::uint32_t last;

  void clear() { first = last = kNone; }
  bool empty() const { return first == kNone; }
  void append(Slab<T>& slab, std::uint32_t index) {
    slab[index].*kLinks = {last, kNone};
    (last == kNone ? first : (slab[last].*kLinks).next) = index;
    last = index;
  }
  void remove(Slab<T>& slab, std::uint32_t index) {
    const Links links = slab[index].*kLinks;
    (links.previous == kNone ? first : (slab[links.previous].*kLinks).next) = links.next;
    (links.next == kNone ? last : (slab[links.next].*kLinks).previous) = links.previous;
  }
};

}  // namespace apnat
