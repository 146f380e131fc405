// stream.cpp - one pass over the lines; what it must remember is a bit a number and two a lease.
#include "stream.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "events/time_text.h"

namespace apnat::soak {
namespace {

using nlohmann::json;

std::optional<Micros> micros_of(const std::string& text) {
  const auto time = parse_rfc3339(text);
  if (!time) return std::nullopt;
  return to_micros(*time);
}

class Reader {
 public:
  explicit Reader(const std::vector<Known>& leases) : leases_(leases), begun_(leases.size()), ended_(leases.size()) {
    for (std::size_t i = 0; i < leases.size(); ++i) {
      by_place_.emplace(place(address_of(leases[i].lease.key).value(), leases[i].first_port), i);
    }
  }

  void take(const std::string& line) {
    ++figures_.lines;
    const json event = json::parse(line, nullptr, false);
    if (!event.is_object() || !event.contains("seq")) {
      ++figures_.half_lines;
      return;
    }
    const auto seq = event["seq"].get<std::uint64_t>();
    if (first_ == 0 && here_.empty()) first_ = seq;
    const std::string what = event.value("event", "");
    if (what == "gap") {
      const auto last = event["last_seq"].get<std::uint64_t>();
      for (std::uint64_t missing = seq; missing <= last; ++missing) note(missing, State::kGap);
    } else {
      note(seq, State::kHere);
    }
    if (what == "port_block_assigned") look_up(event, "time", begun_);
    if (what == "port_block_released") look_up(event, "assigned_at", ended_);
  }

  StreamFigures end() {
    for (State state : here_) {
      figures_.missing += state == State::kNothing;
      figures_.in_gaps += state == State::kGap;
    }
    figures_.not_begun = static_cast<std::uint64_t>(std::ranges::count(begun_, false));
    for (std::size_t i = 0; i < ended_.size(); ++i) figures_.not_ended += !ended_[i] && !leases_[i].lease.is_open();
    return figures_;
  }

 private:
  enum class State : std::uint8_t { kNothing, kHere, kGap };
  static std::uint64_t place(std::uint32_t address, std::uint32_t port) { return std::uint64_t{address} << 16 | port; }

  void note(std::uint64_t seq, State state) {
    if (seq < first_) {
      ++figures_.disordered;
      return;
    }
    const std::uint64_t at = seq - first_;
    if (at >= here_.size()) {
      here_.resize(at + 1, State::kNothing);
      here_[at] = state;
      return;
    }
    State& there = here_[at];
    if (there == State::kNothing) ++figures_.disordered;
    if (there == State::kGap && state == State::kHere) ++figures_.late;
    if (there == State::kHere && state == State::kHere) ++figures_.repeats;
    if (there != State::kHere) there = state;
  }

  void look_up(const json& event, const char* when, std::vector<bool>& found) {
    const auto address = Ip4::parse(event.value("external_address", ""));
    const auto subscriber = Ip4::parse(event.value("subscriber", ""));
    const auto from = micros_of(event.value(when, ""));
    bool is_known = false;
    if (address && subscriber && from) {
      const auto [first, end] = by_place_.equal_range(place(address->value(), event.value("port_start", 0u)));
      for (auto at = first; at != end; ++at) {
        const Lease& lease = leases_[at->second].lease;
        if (lease.from != *from || lease.holder != *subscriber) continue;
        found[at->second] = is_known = true;
      }
    }
    if (!is_known) ++figures_.unknown;
  }

  const std::vector<Known>& leases_;
  std::unordered_multimap<std::uint64_t, std::size_t> by_place_;
  std::vector<bool> begun_, ended_;
  std::vector<State> here_;
  std::uint64_t first_ = 0;
  StreamFigures figures_;
};

}  // namespace

Result<StreamFigures> judge_stream(const std::filesystem::path& file, const std::vector<Known>& leases) {
  std::ifstream in(file);
  if (!in) return fail(errno, file.string());
  Reader reader(leases);
  for (std::string line; std::getline(in, line);) reader.take(line);
  return reader.end();
}

}  // namespace apnat::soak
