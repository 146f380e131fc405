// slow_path_program.cpp - one BPF_PROG_TEST_RUN a datagram.
#include "datapath/slow_path_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <algorithm>
#include <cstring>

namespace apnat {

Result<SlowPathProgram> SlowPathProgram::open(int program_fd, int question_fd, int answer_fd) {
  SlowPathProgram program;
  program.program_ = UniqueFd(::fcntl(program_fd, F_DUPFD_CLOEXEC, 0));
  if (!program.program_) return fail(errno, "keep the slow path's translator open");
  program.question_ = TRY(Table<slow_path_question>::map(question_fd, "slow_path_question", 1));
  program.answer_ = TRY(Table<slow_path_answer>::map(answer_fd, "slow_path_answer", 1));
  return program;
}

Result<SlowPathProgram::Translated> SlowPathProgram::translate(std::span<const std::uint8_t> frame,
                                                               std::uint32_t ingress_ifindex,
                                                               std::span<std::uint8_t> out) const {
  const auto head = frame.first(std::min(frame.size(), kHead));
  const auto rest = frame.subspan(head.size());
  question_.rows().front().ingress_ifindex = ingress_ifindex;
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = head.data(), .data_out = out.data(),
              .data_size_in = static_cast<__u32>(head.size()),
              .data_size_out = static_cast<__u32>(head.size() + kGrowth));
  if (::bpf_prog_test_run_opts(program_.get(), &run) != 0) return fail(errno, "run the translator on a datagram");
  Translated translated;
  std::memcpy(out.data() + run.data_size_out, rest.data(), rest.size());
  translated.frame = std::span<const std::uint8_t>(out).first(run.data_size_out + rest.size());
  // The run is over: nobody writes the row now.
  std::memcpy(&translated.answer, &answer_.rows().front(), sizeof(translated.answer));
  translated.answer.verdict = run.retval;
  return translated;
}

}  // namespace apnat
