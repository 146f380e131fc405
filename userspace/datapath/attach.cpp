// attach.cpp - libxdp, and how it is asked.
//
// libxdp loads the program itself, because a dispatcher needs it as a replacement of one of the dispatcher's
// functions: so every interface gets an unloaded object of its own, all with the same table of programs. Where the
// kernel refuses the dispatcher, libxdp attaches the program alone.
#include "datapath/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "datapath/messages.h"
#include "datapath/program.h"
#include "entry.skel.h"

namespace apnat {
namespace {

constexpr std::string_view kEntryName = "apnat_entry";
constexpr std::string_view kDispatcherName = "xdp_dispatcher";

struct CloseProgram {
  void operator()(xdp_program* program) const { ::xdp_program__close(program); }
};
struct CloseMultiprog {
  void operator()(xdp_multiprog* programs) const { ::xdp_multiprog__close(programs); }
};
using XdpProgram = std::unique_ptr<xdp_program, CloseProgram>;
using Multiprog = std::unique_ptr<xdp_multiprog, CloseMultiprog>;

struct ProgramAbout {
  std::string name;
  std::vector<std::uint32_t> maps;
};

std::optional<ProgramAbout> about_program(std::uint32_t id) {
  const UniqueFd fd(::bpf_prog_get_fd_by_id(id));
  if (!fd) return std::nullopt;
  ProgramAbout found;
  found.maps.resize(64);
  bpf_prog_info about{};
  about.nr_map_ids = static_cast<std::uint32_t>(found.maps.size());
  about.map_ids = reinterpret_cast<std::uint64_t>(found.maps.data());
  std::uint32_t size = sizeof(about);
  if (::bpf_obj_get_info_by_fd(fd.get(), &about, &size) != 0) return std::nullopt;
  found.maps.resize(std::min<std::size_t>(about.nr_map_ids, found.maps.size()));
  found.name = about.name;
  return found;
}

struct OnInterface {
  std::uint32_t program_id = 0;  // 0: none
  XdpMode mode = XdpMode::kNative;
};

OnInterface query(std::uint32_t ifindex) {
  LIBBPF_OPTS(bpf_xdp_query_opts, answer);
  if (::bpf_xdp_query(static_cast<int>(ifindex), 0, &answer) != 0) return {};
  if (answer.drv_prog_id) return {answer.drv_prog_id, XdpMode::kNative};
  if (answer.skb_prog_id) return {answer.skb_prog_id, XdpMode::kGeneric};
  return {};
}

// Calls each(program) for the programs behind a dispatcher.
void for_each_behind_dispatcher(std::uint32_t ifindex, const std::function<void(xdp_program*)>& each) {
  xdp_multiprog* found = ::xdp_multiprog__get_from_ifindex(static_cast<int>(ifindex));
  if (::libxdp_get_error(found) != 0) return;
  const Multiprog programs(found);
  if (::xdp_multiprog__is_legacy(programs.get())) return;
  std::vector<xdp_program*> all;
  for (auto* p = ::xdp_multiprog__next_prog(nullptr, programs.get()); p;
       p = ::xdp_multiprog__next_prog(p, programs.get())) {
    all.push_back(p);
  }
  for (xdp_program* program : all) each(program);
}

xdp_attach_mode libxdp_mode(XdpMode mode) { return mode == XdpMode::kNative ? XDP_MODE_NATIVE : XDP_MODE_SKB; }

// The entry program, not loaded yet, bound to the table of programs.
Result<XdpProgram> make_entry(int programs_fd) {
  std::size_t size = 0;
  const void* bytes = entry_bpf::elf_bytes(&size);
  LIBBPF_OPTS(bpf_object_open_opts, naming, .object_name = "entry_bpf");
  bpf_object* object = ::bpf_object__open_mem(bytes, size, &naming);
  if (!object) return fail(errno, "open the entry program's object");
  bpf_map* programs = ::bpf_object__find_map_by_name(object, "programs");
  if (int error = ::bpf_map__reuse_fd(programs, programs_fd)) {
    ::bpf_object__close(object);
    return fail(-error, "bind the entry program to its table");
  }
  // From here on the object is libxdp's: it closes it with the program.
  DECLARE_LIBXDP_OPTS(xdp_program_opts, options, .obj = object, .prog_name = kEntryName.data());
  xdp_program* program = ::xdp_program__create(&options);
  if (long error = ::libxdp_get_error(program)) return fail(static_cast<int>(-error), "make the entry program");
  return XdpProgram(program);
}

Result<void> attach_as(int programs_fd, std::uint32_t ifindex, XdpMode mode) {
  const Messages said;
  const XdpProgram entry = TRY(make_entry(programs_fd));
  const int error = ::xdp_program__attach(entry.get(), static_cast<int>(ifindex), libxdp_mode(mode), 0);
  if (error == 0) return {};
  const std::string why = said.last(2);
  return fail(-error, mode == XdpMode::kNative ? fmt::format("native XDP ({})", why.empty() ? "refused" : why)
                                               : fmt::format("generic XDP ({})", why.empty() ? "refused" : why));
}

}  // namespace

Result<Attacher> Attacher::open(const Pins& pins) {
  Attacher attacher;
  attacher.programs_ = TRY(open_programs(pins));
  bpf_map_info about{};
  std::uint32_t size = sizeof(about);
  if (::bpf_obj_get_info_by_fd(attacher.programs_fd(), &about, &size) != 0) {
    return fail(errno, "ask about the table of programs");
  }
  attacher.programs_id_ = about.id;
  return attacher;
}

bool Attacher::is_ours(std::uint32_t program_id) const {
  const auto about = about_program(program_id);
  return about && about->name == kEntryName &&
         (programs_id_ == 0 || std::ranges::count(about->maps, programs_id_) != 0);
}

std::optional<XdpMode> Attacher::find(std::uint32_t ifindex) const {
  const OnInterface there = query(ifindex);
  if (there.program_id == 0) return std::nullopt;
  if (is_ours(there.program_id)) return there.mode;
  bool found = false;
  const Messages quiet;
  for_each_behind_dispatcher(ifindex, [&](xdp_program* p) { found = found || is_ours(::xdp_program__id(p)); });
  return found ? std::optional(there.mode) : std::nullopt;
}

Result<Attachment> Attacher::attach(std::uint32_t ifindex, const std::string& name, AttachMode wanted) const {
  if (const auto mode = find(ifindex)) return Attachment{*mode, ""};
  if (const OnInterface there = query(ifindex); there.program_id != 0) {
    const auto about = about_program(there.program_id);
    if (about && about->name != kDispatcherName) {
      return fail(
          fmt::format("{} has an XDP program of its own, '{}' (id {}), attached without libxdp's dispatcher, "
                      "so no second one fits beside it: load that one through libxdp (xdp-loader), or take it "
                      "off (ip link set dev {} xdp off)",
                      name, about->name, there.program_id, name));
    }
  }
  if (wanted == AttachMode::kGeneric) {
    TRY_VOID(attach_as(programs_fd(), ifindex, XdpMode::kGeneric));
    return Attachment{XdpMode::kGeneric, ""};
  }
  const auto native = attach_as(programs_fd(), ifindex, XdpMode::kNative);
  if (native) return Attachment{XdpMode::kNative, ""};
  if (wanted == AttachMode::kNative) return within("attach to " + name, native.error());
  if (const auto generic = attach_as(programs_fd(), ifindex, XdpMode::kGeneric); !generic) {
    return within("attach to " + name, {generic.error().code, native.error().text + "; " + generic.error().text});
  }
  return Attachment{XdpMode::kGeneric, native.error().text};
}

Result<void> Attacher::detach(std::uint32_t ifindex, const std::string& name) const {
  const auto mode = find(ifindex);
  if (!mode) return {};
  const Messages said;
  int error = 0;
  const OnInterface there = query(ifindex);
  if (is_ours(there.program_id)) {
    XdpProgram alone(::xdp_program__from_id(there.program_id));
    if (long failed = ::libxdp_get_error(alone.get())) {
      (void)alone.release();
      return fail(static_cast<int>(-failed), "open the program on " + name);
    }
    error = ::xdp_program__detach(alone.get(), static_cast<int>(ifindex), libxdp_mode(*mode), 0);
  } else {
    for_each_behind_dispatcher(ifindex, [&](xdp_program* program) {
      if (error != 0 || !is_ours(::xdp_program__id(program))) return;
      error = ::xdp_program__detach(program, static_cast<int>(ifindex), libxdp_mode(*mode), 0);
    });
  }
  if (error == 0) return {};
  return fail(-error, fmt::format("take the program off {} ({})", name, said.last(2)));
}

}  // namespace apnat
