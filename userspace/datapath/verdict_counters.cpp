// verdict_counters.cpp - one look-up a verdict; each answers with a number a processor.
#include "datapath/verdict_counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <numeric>

#include "apnat/verdict.h"

namespace apnat {

std::vector<std::uint64_t> read_verdict_counters(int map_fd) {
  std::vector<std::uint64_t> sums(VERDICT_COUNT);
  const int processors = ::libbpf_num_possible_cpus();
  if (processors <= 0) return sums;
  std::vector<std::uint64_t> each(static_cast<std::size_t>(processors));
  for (std::uint32_t verdict = 0; verdict < VERDICT_COUNT; ++verdict) {
    if (::bpf_map_lookup_elem(map_fd, &verdict, each.data()) != 0) continue;
    sums[verdict] = std::accumulate(each.begin(), each.end(), std::uint64_t{0});
  }
  return sums;
}

}  // namespace apnat
