// slow_path_program.cpp - one BPF_PROG_TEST_RUN a batch. The program takes the next datagram by calling itself.
#include "datapath/slow_path_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <atomic>

namespace apnat {

Result<SlowPathProgram> SlowPathProgram::open(int program_fd, int again_fd, int batch_fd, int datagrams_fd) {
  SlowPathProgram program;
  program.program_ = UniqueFd(::fcntl(program_fd, F_DUPFD_CLOEXEC, 0));
  program.again_ = UniqueFd(::fcntl(again_fd, F_DUPFD_CLOEXEC, 0));
  if (!program.program_ || !program.again_) return fail(errno, "keep the slow path's translator open");
  program.batch_ = TRY(Table<slow_path_batch>::map(batch_fd, "slow_path_batch", 1));
  program.datagrams_ = TRY(Table<slow_path_datagram>::map(datagrams_fd, "slow_path_datagrams", kMost));
  return program;
}

std::span<std::uint8_t> SlowPathProgram::ask(std::uint32_t number, std::span<const std::uint8_t> frame,
                                             std::uint32_t ingress_ifindex) {
  slow_path_datagram& row = datagrams_.rows()[number];
  const std::span head = std::span(row.head).first<kHead>();
  const auto end = std::ranges::copy(frame.first(std::min(frame.size(), kHead)), head.begin()).out;
  std::fill(end, head.end(), 0);
  row.ingress_ifindex = ingress_ifindex;
  return head;
}

// A chain of calls that breaks (its table was emptied, say) costs a run for each datagram, not the datagram.
std::uint32_t SlowPathProgram::run(std::uint32_t count) {
  static constexpr std::array<std::uint8_t, kHead> kBuffer{};
  slow_path_batch& batch = batch_.rows().front();
  const std::atomic_ref answered(batch.answered);
  batch.asked = count;
  answered = 0;
  for (std::uint32_t before = 0; before < count; before = answered) {
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = kBuffer.data(), .data_size_in = kBuffer.size());
    if (::bpf_prog_test_run_opts(program_.get(), &run) != 0 || answered == before) break;
  }
  return answered;
}

}  // namespace apnat
