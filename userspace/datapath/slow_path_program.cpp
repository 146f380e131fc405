// slow_path_program.cpp - one BPF_PROG_TEST_RUN a datagram.
#include "datapath/slow_path_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace apnat {
namespace {

constexpr std::size_t kPage = 4096;

}  // namespace

void SlowPathProgram::Unmap::operator()(slow_path_answer* row) const { ::munmap(row, kPage); }

Result<SlowPathProgram> SlowPathProgram::open(int program_fd, int answer_fd) {
  SlowPathProgram program;
  program.program_ = UniqueFd(::fcntl(program_fd, F_DUPFD_CLOEXEC, 0));
  if (!program.program_) return fail(errno, "keep the slow path's translator open");
  void* row = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, answer_fd, 0);
  if (row == MAP_FAILED) return fail(errno, "map table slow_path_answer into memory");
  program.answer_.reset(static_cast<slow_path_answer*>(row));
  return program;
}

Result<SlowPathProgram::Translated> SlowPathProgram::translate(std::span<const std::uint8_t> frame,
                                                               std::uint32_t ingress_ifindex, std::uint32_t queue,
                                                               std::span<std::uint8_t> out) const {
  const auto head = frame.first(std::min(frame.size(), kHead));
  const auto rest = frame.subspan(head.size());
  xdp_md context{};
  context.data_end = static_cast<__u32>(head.size());
  context.ingress_ifindex = ingress_ifindex;
  context.rx_queue_index = queue;
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = head.data(), .data_out = out.data(),
              .data_size_in = static_cast<__u32>(head.size()),
              .data_size_out = static_cast<__u32>(head.size() + kGrowth), .ctx_in = &context,
              .ctx_size_in = sizeof(context));
  if (::bpf_prog_test_run_opts(program_.get(), &run) != 0) return fail(errno, "run the translator on a datagram");
  Translated translated;
  std::memcpy(out.data() + run.data_size_out, rest.data(), rest.size());
  translated.frame = std::span<const std::uint8_t>(out).first(run.data_size_out + rest.size());
  // The run is over: nobody writes the row now.
  std::memcpy(&translated.answer, answer_.get(), sizeof(translated.answer));
  translated.answer.verdict = run.retval;
  return translated;
}

}  // namespace apnat
