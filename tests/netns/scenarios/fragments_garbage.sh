#!/usr/bin/env bash
# fragments_garbage.sh - [FRAG-2] [FRAG-28] [FRAG-29] [UDP-26] [SEC-9] one subscriber's fragments that never become
# whole cost its neighbour nothing: its own limit is met, counted, and told by name.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
on s2 ping -q -c 1 -W 3 -s 20000 "$web_address"
launch garbage s1 python3 "$here/fragments.py" garbage "$web_address" 9000 --rate 5000 --seconds 600
wait_until counter_is FRAGMENT -ge 2000
on s2 ping -q -c 50 -i 0.02 -W 3 -s 20000 "$web_address" > "$lab/ping"
assert "large pings of the neighbour" "$(grep -c ' 50 received' "$lab/ping") == 1"
wait_until has_event quota_exceeded '.verdict == "FRAGMENTS_PER_SOURCE" and .subscriber == "100.64.1.2"'
assert_equal "its pool, its limit" "residential 64" \
  "$(jq -r 'select(.event == "quota_exceeded") | "\(.pool) \(.limit)"' "$events" | head -n 1)"
end garbage || true
sleep 0.3
assert "garbage that was given up" "$(natctl status --json | jq .slow_path.reassembly.limit_source) > 1000"
assert_equal "datagrams being put together" 64 "$(natctl status --json | jq .slow_path.pending.internal.datagrams)"

# As fast as it can send them, and 10,000 whole packets a second of the neighbour's.
serve_iperf web
launch faster s1 python3 "$here/fragments.py" garbage "$dns_address" 9000 --seconds 600
had=$(datagrams web)
on s2 iperf3 -c "$web_address" --connect-timeout 5000 -u -b 48M -l 600 -t 2 -J > "$lab/stream.json"
end faster || true
sent=$(jq '.end.sum.packets' "$lab/stream.json")
assert "packets of the neighbour's stream" "$sent > 1000"
assert "of them lost, in a thousand" "1000 * ($sent - ($(datagrams web) - $had)) / $sent < 1"
assert "packets from the other" "$(received gw sub1) > 20000"

# Whole, but for nobody: silence, each datagram counted once, nothing of it is kept.
on web python3 "$here/fragments.py" flood 198.51.100.7 30000 --size 4000 --count 10 > /dev/null
for_nobody() { test "$(natctl status --json | jq '.slow_path.verdicts.NO_MAPPING // 0')" -eq 10; }
wait_until for_nobody
assert_equal "pieces of them that are kept" 0 "$(natctl status --json | jq .slow_path.pending.external.fragments)"
assert_equal "errors sent" 0 "$(natctl status --json | jq '.slow_path.counters | .icmp_sent + .icmp_suppressed')"

# What becomes of a fragment can be asked beforehand; and of the datagrams there is a table.
natctl explain --in sub2 udp 100.64.2.2:4000 "$web_address:53" mf > "$lab/explained"
grep -q "puts the datagram together" "$lab/explained"
grep -q "the datagram's own end: TRANSLATED_OUTBOUND" "$lab/explained"
natctl explain --in sub2 udp 100.64.2.2:4000 "$web_address:53" offset 1480 > "$lab/explained"
grep -q "ports are in its first fragment" "$lab/explained"
natctl counters > "$lab/counters"
test "$(grep -c "^TRANSLATED_OUTBOUND" "$lab/counters")" -eq 2
assert_fragments_accounted
