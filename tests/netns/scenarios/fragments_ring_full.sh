#!/usr/bin/env bash
# fragments_ring_full.sh - [FRAG-2] [UDP-26] the agent stands still while fragments flood in: the rings fill up and what finds no
# place is counted; whole packets do not notice, and when the agent goes on, so do fragments, by themselves.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
slow_path() { natctl status --json | jq -e ".slow_path.$1"; }
launch echo web python3 "$here/fragments.py" serve 7000
wait_until listens web udp 7000
exchange() { on "$1" python3 "$here/fragments.py" exchange "$web_address" 7000 --source-port 41000 "${@:2}"; }
assert_equal "before" "5 of 5 echoed" "$(exchange s1 --count 5)"
on s2 ping -q -c 1 -W 3 "$web_address"

# 2,048 places a ring: 3,000 datagrams of three fragments do not find them.
kill -STOP "${process[agent]}"
on s2 python3 "$here/fragments.py" flood "$dns_address" 9000 --count 3000 > /dev/null
on s2 ping -q -c 20 -i 0.02 -W 3 "$web_address" > "$lab/ping"
assert "pings while the agent stands still" "$(grep -c ' 20 received' "$lab/ping") == 1"
kill -CONT "${process[agent]}"

lost() { test "$(slow_path 'socket_losses | .rx_dropped + .rx_ring_full')" -eq $((9000 - 2048)); }
wait_until lost
all_taken() { test "$(slow_path counters.frames)" -ge $((2048 + 30)); }
wait_until all_taken
assert "times that the fill ring was found empty" "$(slow_path socket_losses.fill_ring_empty) > 0"
natctl status | grep -q "AF_XDP sockets, .* 6,952 frames lost"
for who in s2 s1; do assert_equal "of $who, afterwards" "10 of 10 echoed" "$(exchange $who --count 10)"; done
assert_equal "no more are lost" $((9000 - 2048)) "$(slow_path 'socket_losses | .rx_dropped + .rx_ring_full')"
assert_counter SLOW_PATH_AWAY -eq 0
assert_fragments_accounted
