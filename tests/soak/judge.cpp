// judge.cpp - soak_judge: is the history the truth? Reads the day files themselves, every
// lease of them, and what the witness on the wire wrote down. Says what is missing, what
// was invented and what contradicts itself; exit 1 if anything does.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <set>

#include "events/time_text.h"
#include "history/day_reader.h"
#include "stream.h"
#include "truth.h"

namespace {

using namespace apnat;
using namespace apnat::soak;

struct Wish {
  std::string history, truth;
  std::vector<std::string> streams;
  std::int64_t tolerance_us = 100;
  std::int64_t hold_down_us = 0;
  bool may_be_open = false;
  unsigned samples = 0;
  unsigned kills = 0;
};

struct Verdict {
  std::uint64_t missing = 0;
  std::uint64_t invented = 0;
  std::uint64_t overlaps = 0;
  std::uint64_t too_soon = 0;
  std::uint64_t open = 0;
  std::uint64_t end_unrecorded = 0;
  std::int64_t longest_delay_ns = 0;
  std::size_t most_of_one_block = 0;
  bool is_sound(const Wish& wish) const {
    return missing + invented + overlaps + too_soon + end_unrecorded + (wish.may_be_open ? 0 : open) == 0;
  }
};

// Every lease of every day, in the order of the files' keys. An end that one file does not know another may.
Result<std::vector<Known>> read_history(const std::string& folder) {
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".sqlite") files.insert(entry.path());
  if (files.empty()) return fail("no day file in " + folder);
  std::vector<Known> known;
  std::vector<Lease> all;
  for (const auto& file : files) {
    const auto reader = TRY(DayReader::open(file));
    auto leases = TRY(reader->scan([](const Lease&) { return true; }, [] { return true; }));
    all.insert(all.end(), leases.begin(), leases.end());
    if (file != *files.rbegin()) continue;
    fuse(all);
    for (const Lease& lease : all) {
      const Shape* shape = reader->names().shape(space_of(lease.key));
      if (!shape) return fail("a lease of no block: mappings are not what this judges");
      known.push_back({lease, shape->ports_of(number_of(lease.key)).front().first});
    }
  }
  return known;
}

Result<std::vector<Sighting>> read_truth(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return fail(errno, path);
  std::vector<Sighting> sightings(static_cast<std::size_t>(in.tellg()) / sizeof(Sighting));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(sightings.data()), static_cast<std::streamsize>(sightings.size() * sizeof(Sighting)));
  if (!in) return fail(EIO, path);
  return sightings;
}

std::string text_of(const Lease& lease) {
  return fmt::format("{} has block {} of {} from {} to {}{}", lease.holder.text(), number_of(lease.key),
                     address_of(lease.key).text(), lease.from, lease.is_open() ? 0 : lease.to,
                     lease.end_unrecorded ? " (end not recorded)" : "");
}

// A few of each kind of complaint are shown.
class Complaints {
 public:
  void say(std::uint64_t& count, const std::string& what) {
    if (++count <= kShown) fmt::print("  {}\n", what);
  }

 private:
  static constexpr std::uint64_t kShown = 5;
};

void check_wire(std::vector<Known>& leases, const std::vector<Sighting>& sightings, const Wish& wish,
                Verdict& verdict) {
  Complaints complaints;
  std::unordered_multimap<std::uint64_t, Known*> by_place;
  const auto place = [](std::uint32_t address, std::uint32_t port) { return std::uint64_t{address} << 16 | port; };
  for (Known& known : leases) by_place.emplace(place(address_of(known.lease.key).value(), known.first_port), &known);
  for (const Sighting& seen : sightings) {
    const auto [first, end] = by_place.equal_range(place(seen.address, seen.first_port));
    bool is_known = false;
    for (auto at = first; at != end; ++at) {
      Known& known = *at->second;
      const Lease& lease = known.lease;
      if (lease.holder.value() != seen.subscriber) continue;
      if (lease.from - wish.tolerance_us > seen.first_ns / 1'000) continue;
      if (!lease.is_open() && lease.to + wish.tolerance_us < seen.last_ns / 1'000) continue;
      is_known = true;
      if (!known.witnessed)
        verdict.longest_delay_ns = std::max(verdict.longest_delay_ns, seen.first_ns - lease.from * 1'000);
      known.witnessed = true;
    }
    if (is_known) continue;
    complaints.say(verdict.missing, fmt::format("missing: {} was behind {}:{} from {} to {} us, lease {}",
                                                Ip4(seen.subscriber).text(), Ip4(seen.address).text(), seen.first_port,
                                                seen.first_ns / 1'000, seen.last_ns / 1'000, seen.lease));
  }
  for (const Known& known : leases)
    if (!known.witnessed) complaints.say(verdict.invented, "invented: " + text_of(known.lease));
}

// Leases of one block, one after the other.
void check_order(const std::vector<Known>& leases, const Wish& wish, Verdict& verdict) {
  Complaints complaints;
  std::size_t of_this = 0;
  for (std::size_t i = 0; i < leases.size(); ++i) {
    const Lease& lease = leases[i].lease;
    of_this = i > 0 && leases[i - 1].lease.key == lease.key ? of_this + 1 : 1;
    verdict.most_of_one_block = std::max(verdict.most_of_one_block, of_this);
    if (lease.is_open() && wish.may_be_open) ++verdict.open;
    if (lease.is_open() && !wish.may_be_open) complaints.say(verdict.open, "not ended: " + text_of(lease));
    if (lease.end_unrecorded) complaints.say(verdict.end_unrecorded, "end not recorded: " + text_of(lease));
    if (of_this < 2) continue;
    const Lease& before = leases[i - 1].lease;
    if (before.is_open() || before.to > lease.from) {
      complaints.say(verdict.overlaps, "overlap: " + text_of(before) + ", and " + text_of(lease));
    } else if (lease.from - before.to < wish.hold_down_us) {
      complaints.say(verdict.too_soon, "within the hold-down: " + text_of(before) + ", and " + text_of(lease));
    }
  }
}

// Questions that a person could ask natctl, with the right answer: address port time subscriber.
void print_samples(const std::vector<Sighting>& sightings, unsigned wanted) {
  const std::size_t step = std::max<std::size_t>(sightings.size() / std::max(wanted, 1u), 1);
  for (std::size_t i = 0; i < sightings.size() && wanted > 0; i += step, --wanted) {
    const Sighting& seen = sightings[i];
    fmt::print("sample {} {} {} {}\n", Ip4(seen.address).text(), seen.first_port,
               rfc3339(to_wall(seen.first_ns / 1'000)), Ip4(seen.subscriber).text());
  }
}

bool judge_streams(const std::vector<Known>& leases, const Wish& wish) {
  bool all_sound = true;
  for (const std::string& file : wish.streams) {
    const auto figures = judge_stream(file, leases);
    if (!figures) {
      fmt::print("stream {}: {}\n", file, figures.error().text);
      all_sound = false;
      continue;
    }
    const StreamFigures& f = *figures;
    fmt::print(
        "stream {}: {} lines, {} repeated, {} in gaps, {} late; missing {}, out of order {}, half lines {}, "
        "not of the history {}, leases without their begin {}, without their end {}\n",
        std::filesystem::path(file).filename().string(), f.lines, f.repeats, f.in_gaps, f.late, f.missing, f.disordered,
        f.half_lines, f.unknown, f.not_begun, f.not_ended);
    all_sound &= f.is_sound(wish.kills);
  }
  return all_sound;
}

Result<bool> judge(const Wish& wish) {
  std::vector<Known> leases = TRY(read_history(wish.history));
  const std::vector<Sighting> sightings = TRY(read_truth(wish.truth));
  Verdict verdict;
  check_wire(leases, sightings, wish, verdict);
  check_order(leases, wish, verdict);
  fmt::print("history: {} leases, up to {} of one block; wire: {} sightings\n", leases.size(),
             verdict.most_of_one_block, sightings.size());
  fmt::print("missing {}, invented {}, overlapping {}, within the hold-down {}, not ended {}, end not recorded {}\n",
             verdict.missing, verdict.invented, verdict.overlaps, verdict.too_soon, verdict.open,
             verdict.end_unrecorded);
  fmt::print("first packet on the wire after the recorded begin: {:.3f} ms at most\n",
             static_cast<double>(verdict.longest_delay_ns) / 1e6);
  print_samples(sightings, wish.samples);
  const bool streams_sound = judge_streams(leases, wish);
  return verdict.is_sound(wish) && streams_sound;
}

}  // namespace

int main(int argc, char** argv) {
  Wish wish;
  CLI::App app{"Compares a history with what was seen on the wire, lease by lease."};
  app.add_option("--history", wish.history, "folder of day files")->required();
  app.add_option("--truth", wish.truth, "what soak_wire wrote")->required();
  app.add_option("--stream", wish.streams, "events as a sink's receiver got them, a line each");
  app.add_option("--tolerance-us", wish.tolerance_us, "between the clocks of the two");
  app.add_option("--hold-down-us", wish.hold_down_us, "between two leases of one block, at least");
  app.add_flag("--open", wish.may_be_open, "leases may not have ended yet");
  app.add_option("--kills", wish.kills, "of the agent: each may have left half a line in a file");
  app.add_option("--samples", wish.samples, "questions to print for natctl trace");
  CLI11_PARSE(app, argc, argv);
  const auto sound = judge(wish);
  if (!sound) fmt::print(stderr, "soak_judge: {}\n", sound.error().text);
  return sound && *sound ? 0 : 1;
}
