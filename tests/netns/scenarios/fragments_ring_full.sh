#!/usr/bin/env bash
# fragments_ring_full.sh - [FRAG-2] [UDP-26] the agent stands still while fragments flood in: the rings fill up and
# what finds no place is counted; whole packets do not notice, and when the agent goes on, so do fragments, by themselves.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
launch echo web python3 "$here/fragments.py" serve 7000
wait_until listens web udp 7000
exchange() { on "$1" python3 "$here/fragments.py" exchange "$web_address" 7000 --source-port 41000 "${@:2}"; }
assert_equal "before" "5 of 5 echoed" "$(exchange s1 --count 5)"
on s2 ping -q -c 1 -W 3 "$web_address"

# 2,048 places a ring: 3,000 datagrams of three fragments do not find them. Each is of another subscriber, so that none has
# more than its share.
ip -n gw route add 100.64.16.0/20 dev sub2
kill -STOP "${process[agent]}"
on s2 python3 "$here/fragments.py" flood "$dns_address" 9000 --count 3000 --sources-from 100.64.16.0 > /dev/null
on s2 ping -q -c 20 -i 0.02 -W 3 "$web_address" > "$lab/ping"
assert "pings while the agent stands still" "$(grep -c ' 20 received' "$lab/ping") == 1"
kill -CONT "${process[agent]}"

lost_in_sockets() { slow_path 'socket_losses | .rx_dropped + .rx_ring_full'; }
# accounted_for - every one of the 9,000, and 30 of the exchange before, was taken, lost and counted, or dropped by name.
accounted_for() {
  local dropped
  dropped=$(natctl counters --json | jq 'with_entries(select(.key | test("^SLOW_PATH_"))) | add')
  test $(($(slow_path counters.frames) + $(lost_in_sockets) + dropped)) -eq $((9000 + 30))
}
wait_until accounted_for
kept=$(($(slow_path counters.frames) - 30))
assert "fragments that found a place" "$kept > 1500 && $kept <= 2048"
assert "times that the fill ring was found empty" "$(slow_path socket_losses.fill_ring_empty) > 0"
lost=$(lost_in_sockets)
natctl status | tr -d , | grep -q "AF_XDP sockets .* $lost frames lost"
for who in s2 s1; do assert_equal "of $who, afterwards" "10 of 10 echoed" "$(exchange $who --count 10)"; done
assert_equal "no more are lost" "$lost" "$(lost_in_sockets)"
assert_counter SLOW_PATH_AWAY -eq 0
assert_fragments_accounted
