// program.cpp - loading the translator's skeleton.
#include "datapath/program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "apnat/tables.h"
#include "apnat/verdict.h"
#include "datapath/messages.h"
#include "nat.skel.h"

namespace apnat {
namespace {

struct DestroySkeleton {
  void operator()(nat_bpf* skeleton) const { nat_bpf::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<nat_bpf, DestroySkeleton>;

std::string explain(int error, const Messages& said) {
  if (error == EPERM) return "needs root (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON)";
  return said.last(4);
}

bpf_map_info about_map(int fd) {
  bpf_map_info about{};
  std::uint32_t size = sizeof(about);
  ::bpf_obj_get_info_by_fd(fd, &about, &size);
  return about;
}

std::string another_version(const Pins& pins, std::string_view how) {
  return fmt::format(
      "the data plane under {} was made by another version of apnat ({}); it goes on translating. "
      "`natctl detach` takes it off, and its mappings end",
      pins.root.string(), how);
}

// Tables that are pinned are taken over, the others will be pinned as they are made. Not left to libbpf alone: it
// compares flags as well, and the kernel adds one to a device map that no object file has.
Result<void> take_over_or_pin(bpf_map* map, const Pins& pins) {
  const auto path = pins.map(bpf_map__name(map));
  const UniqueFd fd(::bpf_obj_get(path.c_str()));
  if (!fd) {
    if (errno != ENOENT) return fail(errno, "open " + path.string());
    if (int error = bpf_map__set_pin_path(map, path.c_str())) return fail(-error, "name a place for " + path.string());
    return {};
  }
  const bpf_map_info found = about_map(fd.get());
  if (found.type != bpf_map__type(map) || found.key_size != bpf_map__key_size(map) ||
      found.value_size != bpf_map__value_size(map) || found.max_entries != bpf_map__max_entries(map)) {
    return fail(another_version(pins, fmt::format("table {} has another shape", bpf_map__name(map))));
  }
  if (int error = bpf_map__reuse_fd(map, fd.get())) return fail(-error, "take over " + path.string());
  return {};
}

Result<void> take_over_or_pin_tables(const nat_bpf& skeleton, const Pins& pins) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton.obj) {
    const bool is_shared = !bpf_map__is_internal(map) && map != skeleton.maps.slow_path_again;
    if (is_shared) TRY_VOID(take_over_or_pin(map, pins));
  }
  return {};
}

// A program that names its table of programs is in the kernel before it can be put there.
Result<UniqueFd> send_round(const nat_bpf& skeleton) {
  UniqueFd again(::fcntl(bpf_map__fd(skeleton.maps.slow_path_again), F_DUPFD_CLOEXEC, 0));
  const std::uint32_t first = 0;
  const int program = bpf_program__fd(skeleton.progs.apnat_slow_path);
  if (!again || ::bpf_map_update_elem(again.get(), &first, &program, BPF_ANY) != 0) {
    return fail(errno, "hand the slow path's translator to itself");
  }
  return again;
}

// Another version may count other verdicts: it gets counters of its own, from zero. The program that runs keeps those
// it has; and its tables for the slow path, in which nothing is kept, go with it.
void forget_what_was_anothers(const Pins& pins) {
  for (const char* name : {"verdict_counters", "slow_path_counters"}) {
    const auto path = pins.map(name);
    const UniqueFd fd(::bpf_obj_get(path.c_str()));
    if (fd && about_map(fd.get()).max_entries != VERDICT_COUNT) ::unlink(path.c_str());
  }
  for (const char* name : {"slow_path_question", "slow_path_answer"}) ::unlink(pins.map(name).c_str());
}

}  // namespace

Result<Program> Program::load(const struct options& chosen, const Pins& pins) {
  const Messages said;
  Skeleton skeleton(nat_bpf::open());
  if (!skeleton) return fail(errno, "open the translator's object");
  skeleton->rodata->options = chosen;
  bpf_program* translator = chosen.slow_path ? skeleton->progs.apnat_slow_path : skeleton->progs.apnat;
  bpf_program__set_autoload(skeleton->progs.apnat, !chosen.slow_path);
  bpf_program__set_autoload(skeleton->progs.apnat_slow_path, chosen.slow_path);
  if (int error = bpf_program__set_expected_attach_type(translator, kNoAttachType)) {
    return fail(-error, "set the translator's attach type");
  }
  forget_what_was_anothers(pins);
  TRY_VOID(take_over_or_pin_tables(*skeleton, pins));
  if (int error = nat_bpf::load(skeleton.get())) {
    return fail(-error, fmt::format("the kernel refused the translator ({})", explain(-error, said)));
  }
  Program program;
  program.options_ = chosen;
  program.fd_ = UniqueFd(::fcntl(bpf_program__fd(translator), F_DUPFD_CLOEXEC, 0));
  if (!program.fd_) return fail(errno, "keep the translator open");
  if (chosen.slow_path) program.again_ = TRY(send_round(*skeleton));
  return program;
}

Result<void> Program::make_current(const Pins& pins) const {
  const UniqueFd programs = TRY(open_programs(pins));
  const std::uint32_t first = 0;
  const int fd = fd_.get();
  if (::bpf_map_update_elem(programs.get(), &first, &fd, BPF_ANY) != 0)
    return fail(errno, "make the translator current");
  // The pin is for people and tools; the element above is what runs.
  const std::string next = pins.program().string() + "_next";
  ::unlink(next.c_str());
  if (::bpf_obj_pin(fd, next.c_str()) != 0) return fail(errno, "pin the translator at " + next);
  if (::rename(next.c_str(), pins.program().c_str()) != 0) {
    ::unlink(pins.program().c_str());
    if (::rename(next.c_str(), pins.program().c_str()) != 0) return fail(errno, "pin the translator");
  }
  return {};
}

Result<FoundTables> find_tables(const Pins& pins) {
  const UniqueFd fd(::bpf_obj_get(pins.map("node_state").c_str()));
  if (!fd && errno == ENOENT) return FoundTables::kNone;
  if (!fd) return fail(errno, "open " + pins.map("node_state").string());
  const bpf_map_info about = about_map(fd.get());
  std::vector<std::uint8_t> row(about.value_size);
  const std::uint32_t first = 0;
  if (::bpf_map_lookup_elem(fd.get(), &first, row.data()) != 0) return fail(errno, "read node_state");
  std::uint32_t version = 0;  // the first field of the row, in every version
  if (row.size() >= sizeof(version)) std::memcpy(&version, row.data(), sizeof(version));
  if (version == 0) return FoundTables::kNone;  // an agent died before they were filled
  if (version != APNAT_ABI_VERSION || row.size() != sizeof(node_state)) {
    return fail(another_version(pins, fmt::format("its tables are number {}, ours {}", version, APNAT_ABI_VERSION)));
  }
  return FoundTables::kAdoptable;
}

Result<UniqueFd> open_programs(const Pins& pins) {
  const auto path = pins.map("programs");
  UniqueFd fd(::bpf_obj_get(path.c_str()));
  if (fd) return fd;
  if (errno != ENOENT) return fail(errno, "open " + path.string());
  fd = UniqueFd(
      ::bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "programs", sizeof(std::uint32_t), sizeof(std::uint32_t), 1, nullptr));
  if (!fd) return fail(errno, "make the table of programs");
  if (::bpf_obj_pin(fd.get(), path.c_str()) != 0) return fail(errno, "pin " + path.string());
  return fd;
}

}  // namespace apnat
