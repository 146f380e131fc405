#!/usr/bin/env bash
# fragments_agent_killed.sh - [FRAG-2] [UDP-26] kill -9 of the agent in the middle of a flood of fragments: whole packets do not notice,
# fragments are counted as lost, and the next agent takes them again by itself.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
serve_iperf web
launch echo web python3 "$here/fragments.py" serve 7000
wait_until listens web udp 7000
exchange() { on "$1" python3 "$here/fragments.py" exchange "$web_address" 7000 --source-port 41000 "${@:2}"; }
assert_equal "before" "5 of 5 echoed" "$(exchange s1 --count 5)"

had=$(datagrams web)
sends=$((12000 * patience))   # for about as long as the stream
launch flood s2 python3 "$here/fragments.py" flood "$dns_address" 9000 --rate 2000 --count "$sends" --seconds 600
launch stream s1 iperf3 -c "$web_address" --connect-timeout 5000 -u -b 20M -l 1200 -t $((5 * patience)) -J
wait_until counter_is TRANSLATED_OUTBOUND -ge 1000
wait_until counter_is FRAGMENT -ge 1000
end agent KILL || true
assert_equal "without an agent" "0 of 1 echoed" "$(exchange s1 --wait 1)"

start_agent
assert_counter SLOW_PATH_AWAY -ge 1000
assert_equal "with the next agent" "5 of 5 echoed" "$(exchange s1 --count 5)"
wait "${process[stream]}"
wait "${process[flood]}"
assert_equal "datagrams of the flood" "$sends" "$(< "$lab/flood.log")"
# Each fragment was either handed to an agent or dropped by name: three a datagram, two datagrams an exchange.
assert_equal "fragments" $((3 * (sends + 2 * 5 + 1 + 2 * 5))) \
  "$(natctl counters --json | jq 'with_entries(select(.key | test("^FRAGMENT$|^SLOW_PATH_"))) | add')"
sent=$(jq '.end.sum.packets' "$lab/stream.log")
assert "datagrams of the stream that arrived, of $sent" "$(datagrams web) - $had >= $sent"
assert_fast_path "$sent" 2
