// Loads every specialisation that matters and holds it to its budget: how many
// instructions the verifier had to follow. The number grows before a program is
// refused, and says which change made it grow. `tools/budget` rewrites budgets.json.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "apnat/options.h"
#include "nat.skel.h"

namespace {

struct Specialisation {
  const char* name;
  std::function<void(options&)> choose;
};

void everything_on(options& chosen) {
  chosen.psid_layout = chosen.scattered_layout = chosen.hairpinning = chosen.mapping_log = 1;
  chosen.rate_limit = chosen.forwards = chosen.proxy_arp = chosen.vlans = 1;
  chosen.tcp_mss_clamp = 1400;
}

// Chosen, not exhaustive: each feature by itself beside the default, all, none, and the slow path's copy with all.
const Specialisation kSpecialisations[] = {
    {"nothing", [](options&) {}},
    {"default", [](options& chosen) { chosen.hairpinning = chosen.forwards = 1; }},
    {"psid", [](options& chosen) { chosen.psid_layout = chosen.hairpinning = chosen.forwards = 1; }},
    {"scattered", [](options& chosen) { chosen.scattered_layout = chosen.hairpinning = chosen.forwards = 1; }},
    {"mapping_log", [](options& chosen) { chosen.mapping_log = chosen.hairpinning = chosen.forwards = 1; }},
    {"vlans", [](options& chosen) { chosen.vlans = chosen.proxy_arp = chosen.hairpinning = chosen.forwards = 1; }},
    {"mss", [](options& chosen) { chosen.tcp_mss_clamp = 1400; }},
    {"everything", everything_on},
    {"slow_path", [](options& chosen) { everything_on(chosen), chosen.slow_path = 1; }},
};

// The series of the running kernel, "6.1": the verifier differs from one to the next.
std::string kernel_series() {
  utsname name{};
  uname(&name);
  unsigned major = 0, minor = 0;
  std::sscanf(name.release, "%u.%u", &major, &minor);
  return std::to_string(major) + "." + std::to_string(minor);
}

unsigned verified_instructions(const Specialisation& specialisation) {
  nat_bpf* skeleton = nat_bpf::open();
  REQUIRE(skeleton != nullptr);
  options chosen{};
  chosen.udp_ticks = 4471;
  specialisation.choose(chosen);
  std::memcpy(const_cast<options*>(&skeleton->rodata->options), &chosen, sizeof(chosen));
  const bpf_program* translator = chosen.slow_path ? skeleton->progs.apnat_slow_path : skeleton->progs.apnat;
  bpf_program__set_autoload(skeleton->progs.apnat, !chosen.slow_path);
  bpf_program__set_autoload(skeleton->progs.apnat_slow_path, chosen.slow_path);
  const int refused = nat_bpf::load(skeleton);
  INFO("the verifier refused the specialisation '" << specialisation.name << "': " << refused);
  REQUIRE(refused == 0);
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  const int asked = bpf_obj_get_info_by_fd(bpf_program__fd(translator), &info, &size);
  nat_bpf::destroy(skeleton);
  REQUIRE(asked == 0);
  return info.verified_insns;
}

}  // namespace

TEST_CASE("the verifier follows no more instructions than each specialisation's budget", "[budget]") {
  if (geteuid() != 0) {
    WARN("not root: the programs cannot be loaded");
    return;
  }
  const rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &unlimited);
  const char* path = APNAT_SOURCE_DIR "/tests/bpf/budgets.json";
  nlohmann::ordered_json budgets = nlohmann::ordered_json::parse(std::ifstream(path));
  const bool update = std::getenv("APNAT_UPDATE_BUDGETS") != nullptr;
  auto& of_this_kernel = budgets[kernel_series()];
  const bool known = !of_this_kernel.is_null();

  for (const Specialisation& specialisation : kSpecialisations) {
    const unsigned verified = verified_instructions(specialisation);
    std::printf("%-12s %7u verified instructions\n", specialisation.name, verified);
    if (update) {
      of_this_kernel[specialisation.name] = verified;
      continue;
    }
    // A kernel without numbers of its own is held to what every kernel refuses at, with room to grow.
    const unsigned budget = known ? of_this_kernel.at(specialisation.name).get<unsigned>() : 800'000;
    INFO(specialisation.name << ": " << verified << " verified, budget " << budget);
    CHECK(verified <= budget + budget / 20);
  }
  if (update) std::ofstream(path) << budgets.dump(2) << '\n';
}
