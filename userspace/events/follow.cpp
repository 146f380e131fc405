// follow.cpp - a line is made once, however many follow.
#include "events/follow.h"

#include <algorithm>

#include "events/json.h"

namespace apnat {

Followers::Id Followers::add(Take take) {
  followers_[next_] = Follower{std::move(take), {}};
  return next_++;
}

void Followers::accept(const Event& event) {
  if (followers_.empty()) return;
  const std::string line = to_json(event, node_);
  for (auto& [id, follower] : followers_) {
    if ((!follower.missing || tell_missing(follower)) && follower.take(line)) continue;
    if (!follower.missing) follower.missing = Missing{event, event.seq};
    follower.missing->last_seq = std::max(follower.missing->last_seq, event.seq);
  }
}

bool Followers::tell_missing(Follower& follower) const {
  Event gap = follower.missing->first;
  gap.body = Gap{gap.seq, follower.missing->last_seq, "this follower reads too slowly; the sinks have them"};
  if (!follower.take(to_json(gap, node_))) return false;
  follower.missing.reset();
  return true;
}

}  // namespace apnat
