#!/usr/bin/env bash
# agent_killed.sh - kill -9 of the agent under a UDP stream: not one packet is
# lost, and the next agent finds the same mappings.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
serve_iperf web

had=$(datagrams web)
launch stream s1 iperf3 -c "$web_address" --connect-timeout 5000 -u -b 20M -l 1200 -t $((6 * patience)) -J
wait_until counter_is TRANSLATED_OUTBOUND -ge 2000
mappings > "$lab/before"
assert "mappings of the stream" "$(wc -l < "$lab/before") >= 2"

end agent KILL || true
assert_exit 3 natctl status
arrived=$(received web)
more_arrived() { test "$(received web)" -ge $((arrived + 2000)); }
wait_until more_arrived        # with nobody there but the data plane

start_agent
assert_equal "the mappings" "$(< "$lab/before")" "$(mappings)"
wait_until has_event agent_started '.adopted'
wait "${process[stream]}"
sent=$(jq '.end.sum.packets' "$lab/stream.log")
assert "datagrams that arrived, of $sent" "$(datagrams web) - $had >= $sent"
assert_fast_path "$sent" 10
