// follow.h - those who watch the stream live (`natctl events --follow`). Each
// has its own bounded queue, which is its connection's; who reads too slowly
// finds a gap line where it fell behind, and nobody else notices.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "events/event.h"

namespace apnat {

class Followers {
 public:
  using Id = std::uint64_t;
  // Takes a JSON line; false: no room for it now.
  using Take = std::function<bool(std::string_view line)>;

  explicit Followers(std::string node) : node_(std::move(node)) {}

  Id add(Take take);
  void remove(Id follower) { followers_.erase(follower); }
  void accept(const Event& event);
  std::size_t count() const { return followers_.size(); }
  void rename(std::string node) { node_ = std::move(node); }

 private:
  struct Missing {
    Event first;
    std::uint64_t last_seq;
  };
  struct Follower {
    Take take;
    std::optional<Missing> missing;
  };
  bool tell_missing(Follower& follower) const;

  std::string node_;
  std::map<Id, Follower> followers_;
  Id next_ = 1;
};

}  // namespace apnat
