// attach.cpp - libxdp, and how it is asked.
//
// libxdp loads the program itself, because a dispatcher needs it as a replacement of one of the dispatcher's
// functions: so every interface gets an unloaded object of its own, all with the same table of programs. Where the
// kernel refuses the dispatcher, libxdp attaches the program alone.
//
// Either way the entry program must be of the kind that the table of programs holds, or it does not load: the same
// attach type, and multi-buffer frames or not. A replacement has no attach type, so nothing of ours has one; and libxdp
// loads replacements as if they knew no multi-buffer frames, which a handler of libbpf's sets right.
#include "datapath/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>

#include "datapath/messages.h"
#include "datapath/program.h"
#include "entry.skel.h"
#include "net/interface.h"

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

int keep_frags(bpf_program* program, bpf_prog_load_opts* options, long) {
  const bool is_entry = bpf_program__name(program) == kEntryName;
  if (is_entry || bpf_program__type(program) == BPF_PROG_TYPE_XDP) options->prog_flags |= BPF_F_XDP_HAS_FRAGS;
  return 0;
}

// For programs in section xdp.frags, as libbpf's own handler but for replacements. Once a process: what was opened
// keeps a pointer to it.
Result<void> handle_frags() {
  LIBBPF_OPTS(libbpf_prog_handler_opts, handler, .prog_prepare_load_fn = keep_frags);
  static const int registered = ::libbpf_register_prog_handler("xdp.frags", BPF_PROG_TYPE_XDP, kNoAttachType, &handler);
  if (registered < 0) return fail(-registered, "tell libbpf of multi-buffer frames");
  return {};
}

// The entry program, not loaded yet, bound to the table of programs.
Result<XdpProgram> make_entry(int programs_fd) {
  TRY_VOID(handle_frags());
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
  XdpProgram program(::xdp_program__create(&options));
  if (long error = ::libxdp_get_error(program.get())) {
    (void)program.release();
    return fail(static_cast<int>(-error), "make the entry program");
  }
  if (int error = ::xdp_program__set_xdp_frags_support(program.get(), true)) {
    return fail(-error, "let the entry program have multi-buffer frames");
  }
  return program;
}

// With: behind libxdp's dispatcher, where there is one or the kernel lets libxdp make one. Without: alone.
enum class Dispatcher { kWith, kWithout };

Result<void> attach_by(int programs_fd, std::uint32_t ifindex, XdpMode mode, Dispatcher dispatcher) {
  const Messages said;
  const XdpProgram entry = TRY(make_entry(programs_fd));
  if (dispatcher == Dispatcher::kWithout) ::setenv("LIBXDP_SKIP_DISPATCHER", "1", 1);
  const int error = ::xdp_program__attach(entry.get(), static_cast<int>(ifindex), libxdp_mode(mode), 0);
  ::unsetenv("LIBXDP_SKIP_DISPATCHER");
  if (error == 0) return {};
  const std::string why = said.last(3);
  return fail(-error, fmt::format("{} XDP ({})", mode == XdpMode::kNative ? "native" : "generic",
                                  why.empty() ? "refused" : why));
}

// Behind the dispatcher, so that others may come; where the kernel does not want that, alone. (From 6.12 on a
// replacement may change packets only if what it replaces does, and libxdp's dispatcher does not.)
Result<void> attach_as(int programs_fd, std::uint32_t ifindex, XdpMode mode, bool others_are_there) {
  const auto together = attach_by(programs_fd, ifindex, mode, Dispatcher::kWith);
  if (together || others_are_there) return together;
  return attach_by(programs_fd, ifindex, mode, Dispatcher::kWithout);
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
  const OnInterface there = query(ifindex);
  if (there.program_id != 0) return attach_beside(ifindex, name, there.program_id, there.mode, wanted);
  if (wanted == AttachMode::kGeneric) {
    TRY_VOID(attach_as(programs_fd(), ifindex, XdpMode::kGeneric, false));
    return Attachment{XdpMode::kGeneric, ""};
  }
  const auto native = attach_as(programs_fd(), ifindex, XdpMode::kNative, false);
  if (native) return Attachment{XdpMode::kNative, ""};
  if (wanted == AttachMode::kNative) return within("attach to " + name, native.error());
  if (const auto generic = attach_as(programs_fd(), ifindex, XdpMode::kGeneric, false); !generic) {
    return within("attach to " + name, {generic.error().code, native.error().text + "; " + generic.error().text});
  }
  return Attachment{XdpMode::kGeneric, native.error().text};
}

Result<Attachment> Attacher::attach_beside(std::uint32_t ifindex, const std::string& name, std::uint32_t other,
                                           XdpMode mode, AttachMode wanted) const {
  const auto about = about_program(other);
  if (about && about->name != kDispatcherName) {
    return fail(
        fmt::format("{} has an XDP program of its own, '{}' (id {}), attached without libxdp's dispatcher, "
                    "so no second one fits beside it: load that one through libxdp (xdp-loader), or take it "
                    "off (ip link set dev {} xdp off)",
                    name, about->name, other, name));
  }
  if ((wanted == AttachMode::kNative && mode != XdpMode::kNative) ||
      (wanted == AttachMode::kGeneric && mode != XdpMode::kGeneric)) {
    return fail(fmt::format("{} runs other XDP programs in {} mode, and interfaces.mode asks for another", name,
                            mode == XdpMode::kNative ? "native" : "generic"));
  }
  if (const auto beside = attach_as(programs_fd(), ifindex, mode, true); !beside) {
    return fail(
        fmt::format("{} runs other XDP programs, and this kernel does not let apnat run beside them: take "
                    "them off (xdp-loader unload {} --all). {}",
                    name, name, beside.error().text));
  }
  return Attachment{mode, ""};
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

Result<void> Attacher::detach_everywhere() const {
  for (const NetworkInterface& interface : TRY(network_interfaces())) {
    TRY_VOID(detach(interface.ifindex, interface.name));
  }
  return {};
}

}  // namespace apnat
