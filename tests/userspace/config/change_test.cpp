// What a reload would do, in words.
#include "config/change.h"

#include <functional>

#include "config_text.h"

using namespace apnat;

namespace {

const std::string kRunning =
    "[[pool]]\nname = \"a\"\ninternal = [\"100.64.0.0/24\"]\nexternal = [\"203.0.113.0/28\"]\n"
    "[[pool]]\nname = \"fixed\"\ninternal = [\"100.65.0.0/24\"]\nexternal = [\"198.51.100.0/28\"]\n"
    "assignment = \"deterministic\"\n"
    "[[pool]]\nname = \"own\"\ninternal = [\"100.66.0.0/24\"]\nexternal = [\"192.0.2.0/28\"]\n"
    "assignment = \"static\"\n"
    "[[static_block]]\npool = \"own\"\nsubscriber = \"100.66.0.1\"\nexternal_address = \"192.0.2.1\"\n"
    "ports = \"2000-2999\"\n"
    "[[forward]]\npool = \"a\"\nprotocol = \"tcp\"\nexternal = \"203.0.113.5:80\"\ninternal = \"100.64.0.7:8080\"\n";

Change between(const std::string& before, const std::string& after) {
  auto made = change(plan(checked(kInterfaces + before)), plan(checked(kInterfaces + after)));
  REQUIRE(made);
  return *made;
}

// The running configuration with one text replaced by another.
Change after_replacing(const std::string& old_text, const std::string& new_text) {
  std::string wanted = kRunning;
  const auto at = wanted.find(old_text);
  REQUIRE(at != std::string::npos);
  wanted.replace(at, old_text.size(), new_text);
  return between(kRunning, wanted);
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("the same file changes nothing") {
  const Change none = between(kRunning, kRunning);
  CHECK(none.empty());
  CHECK(none.ended_pools.empty());
  CHECK_FALSE(none.options_changed);
  CHECK_FALSE(none.interfaces_changed);
}

TEST_CASE("quotas and switches change without ending a mapping") {
  const Change made = after_replacing("203.0.113.0/28\"]\n",
                                      "203.0.113.0/28\"]\nmax_blocks = 8\nhairpinning = false\nlog = \"mappings\"\n"
                                      "first_block_reserve = 2\non_log_failure = \"continue\"\n");
  CHECK(made.lines == Lines{"pool a: max_blocks 4 -> 8", "pool a: first_block_reserve 0 -> 2",
                            "pool a: hairpinning true -> false", "pool a: log blocks -> mappings",
                            "pool a: on_log_failure refuse -> continue"});
  CHECK(made.ended_pools.empty());
  CHECK(made.options_changed);  // mapping_log
}

TEST_CASE("another shape ends the pool's mappings, and says so") {
  CHECK(after_replacing("203.0.113.0/28\"]\n", "203.0.113.0/28\"]\nblock_size = 1024\n").lines ==
        Lines{"pool a: block_size 512 -> 1024", "pool a: its ports are given out anew; its mappings end"});
  CHECK(after_replacing("203.0.113.0/28\"]\n", "203.0.113.0/28\"]\nport_layout = \"scattered\"\n").ended_pools ==
        Lines{"a"});
  CHECK(after_replacing("203.0.113.0/28\"]\n", "203.0.113.0/28\"]\nsubscriber_prefix_length = 30\n").ended_pools ==
        Lines{"a"});
  CHECK(after_replacing("203.0.113.0/28\"]\n", "203.0.113.0/28\"]\nports = \"2048-65535\"\n").ended_pools.empty());
}

TEST_CASE("addresses come and go without ending the pool") {
  CHECK(
      after_replacing("203.0.113.0/28", "203.0.113.0/29").lines ==
      Lines{"pool a: external 203.0.113.8, 203.0.113.9, 203.0.113.10, 203.0.113.11 and 4 more removed; mappings there "
            "end"});
  const Change more = after_replacing("[\"100.64.0.0/24\"]", "[\"100.64.0.0/24\", \"100.64.1.0/24\"]");
  CHECK(more.lines == Lines{"pool a: internal 100.64.1.0/24 added"});
  CHECK(more.ended_pools.empty());
}

TEST_CASE("a deterministic pool survives only a change that moves nobody") {
  // 16 addresses for 256: ratio 16. 16 subscribers and an address more, behind the others: nobody moves.
  const Change appended = after_replacing("[\"100.65.0.0/24\"]\nexternal = [\"198.51.100.0/28\"]",
                                          "[\"100.65.0.0/24\", \"100.65.1.0/28\"]\nexternal = [\"198.51.100.0/28\", "
                                          "\"198.51.100.16\"]");
  CHECK(appended.ended_pools.empty());
  CHECK(appended.lines ==
        Lines{"pool fixed: internal 100.65.1.0/28 added", "pool fixed: external 198.51.100.16 added"});

  CHECK(after_replacing("[\"100.65.0.0/24\"]", "[\"100.64.9.0/28\", \"100.65.0.0/24\"]").ended_pools == Lines{"fixed"});
  CHECK(after_replacing("198.51.100.0/28", "198.51.100.0/29").ended_pools == Lines{"fixed"});
  CHECK(after_replacing("\"deterministic\"\n", "\"deterministic\"\nports = \"2048-65535\"\n").ended_pools ==
        Lines{"fixed"});
}

TEST_CASE("pools, static blocks and forwards appear and disappear") {
  const Change gone =
      between(kRunning, kRunning.substr(kRunning.find("[[pool]]\nname = \"fixed\""),
                                        kRunning.find("[[forward]]") - kRunning.find("[[pool]]\nname = \"fixed\"")));
  CHECK(gone.lines == Lines{"pool a: removed; its mappings end",
                            "forward tcp 203.0.113.5:80 -> 100.64.0.7:8080 (pool a) removed; its mapping ends"});
  CHECK(gone.ended_pools == Lines{"a"});
  CHECK(
      between("[[pool]]\nname = \"z\"\ninternal = [\"100.70.0.0/24\"]\nexternal = [\"203.0.113.200/30\"]\n",
              kRunning + "[[pool]]\nname = \"z\"\ninternal = [\"100.70.0.0/24\"]\nexternal = [\"203.0.113.200/30\"]\n")
          .lines.front() == "pool a: added, 16 external addresses for 256 subscribers");
  CHECK(after_replacing("2000-2999", "2000-2998").lines ==
        Lines{"pool own: static_block 100.66.0.1 192.0.2.1 2000-2998 added",
              "pool own: static_block 100.66.0.1 192.0.2.1 2000-2999 removed; its mappings end"});
  CHECK(after_replacing("100.64.0.7:8080", "100.64.0.8:8080").lines ==
        Lines{"forward tcp 203.0.113.5:80 -> 100.64.0.8:8080 (pool a) added",
              "forward tcp 203.0.113.5:80 -> 100.64.0.7:8080 (pool a) removed; its mapping ends"});
}

TEST_CASE("interfaces, times, the node and its sinks") {
  const Plan before = plan(checked(kInterfaces + kRunning));
  const Plan after =
      plan(checked("[interfaces]\ninternal = [\"eth0\", \"eth2\"]\nexternal = [\"eth0\"]\n"
                   "mode = \"native\"\n" +
                   kRunning +
                   "[node]\nname = \"cgn2\"\n[timeouts]\nudp = 400\nhold_down = 121\nblock_idle = 5\n"
                   "[mtu]\ntcp_mss_clamp = 1360\n[[event_sink]]\ntype = \"stdout\"\n"
                   "[ipv4_id]\natomic = \"zero\"\non_repeat = \"drop\"\nuniqueness_seconds = 60\n"
                   "[fragments]\ntimeout = 6\nmemory = \"1GiB\"\nper_source = 8\noverlap = \"first_wins\"\n"));
  const auto made = change(before, after);
  REQUIRE(made);
  CHECK(made->lines ==
        Lines{"node.name  -> cgn2", "interface eth0: internal -> internal+external", "interface eth1: let go",
              "interface eth2: taken, internal", "interfaces.mode auto -> native", "timeouts.udp 300 -> 400",
              "timeouts.block_idle 600 -> 5", "timeouts.hold_down 120 -> 121", "ipv4_id.atomic keep -> zero",
              "ipv4_id.on_repeat count -> drop", "ipv4_id.uniqueness_seconds 120 -> 60", "fragments.timeout 5 -> 6",
              "fragments.memory 64MiB -> 1GiB", "fragments.per_source 64 -> 8", "fragments.overlap kill -> first_wins",
              "mtu.tcp_mss_clamp 0 -> 1360", "event_sink stdout added"});
  CHECK(made->interfaces_changed);
  CHECK(made->options_changed);
  CHECK(made->ended_pools.empty());
}

TEST_CASE("paths cannot move under a running agent") {
  const Plan before = plan(checked(kInterfaces + kRunning));
  const Plan after = plan(checked(kInterfaces + kRunning + "[paths]\nstate = \"/srv/apnat\"\n"));
  const auto refused = change(before, after);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text == "paths.state /var/lib/apnat -> /srv/apnat: a running agent does not move; restart it");
}
