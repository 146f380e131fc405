#!/usr/bin/env bash
# fragments_generic_mode.sh - [FRAG-1] [FRAG-19] [UDP-25] where a driver has no native XDP: fragments reach the agent all the
# same, datagrams leave by its sockets, and with nobody there they are counted and dropped.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
mode=generic
common_pool | write_config
start_agent
assert_equal "mode" generic "$(natctl status --json | jq -r '[.interfaces[].mode] | unique | join(" ")')"
assert_equal "sockets" 3 "$(slow_path 'sockets | length')"
on s1 ping -q -c 2 -i 0.05 -W 3 "$web_address"
on s2 ping -q -c 2 -i 0.05 -W 3 "$web_address"

launch echo web python3 "$here/fragments.py" serve 7000 --order reverse
wait_until listens web udp 7000
exchange() { on "$1" python3 "$here/fragments.py" exchange "$web_address" 7000 "${@:2}"; }
for who in s1 s2; do
  on "$who" ping -q -c 10 -i 0.02 -W 3 -s 20000 "$web_address" > "$lab/ping"
  assert "large pings of $who" "$(grep -c ' 10 received' "$lab/ping") == 1"
  assert_equal "exchanges of $who" "20 of 20 echoed" "$(exchange "$who" --count 20 --size 8000 --order shuffled)"
done
assert_fragments_accounted
assert_equal "datagrams by AF_XDP" 120 "$(slow_path counters.forwarded)"
assert_equal "fragments lost" 0 "$(slow_path reassembly.lost)"
assert_counter SLOW_PATH_AWAY -eq 0

# What is larger than the way out, whole and in fragments.
ip -n gw link set ext mtu 1280
ip -n r link set to_gw mtu 1280
assert_equal "datagrams of 1,400 bytes" "20 of 20 echoed" "$(exchange s1 --count 20 --size 1400)"
assert_equal "datagrams of 3,000 bytes" "20 of 20 echoed" "$(exchange s2 --count 20 --size 3000 --mtu 1280)"

end agent KILL || true
assert_equal "without an agent" "0 of 1 echoed" "$(exchange s1 --wait 0.5)"
start_agent
assert_counter SLOW_PATH_AWAY -ge 3
assert_equal "with the next one" "5 of 5 echoed" "$(exchange s1 --count 5)"
