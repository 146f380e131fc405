#!/usr/bin/env bash
# fragments_one_armed.sh - [FRAG-1] [UDP-25] one interface that is internal and external: fragments of both realms come in
# by one socket, and the datagram leaves by the link it came from, to the internet and to another subscriber.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out_one_armed
{ common_pool; common_forward udp 198.51.100.5:7000 100.64.2.2:7000; } | write_config
start_agent
on s1 ping -q -c 2 -i 0.05 -W 3 "$web_address"
on s2 ping -q -c 2 -i 0.05 -W 3 "$web_address"

on s1 ping -q -c 10 -i 0.02 -W 3 -s 20000 "$web_address" > "$lab/ping"
assert "large pings" "$(grep -c ' 10 received' "$lab/ping") == 1"

for server in web s2; do
  launch "echo-$server" "$server" python3 "$here/fragments.py" serve 7000 --order reverse
  wait_until listens "$server" udp 7000
done
exchange() { on s1 python3 "$here/fragments.py" exchange "$@"; }
assert_equal "to the internet" "20 of 20 echoed" "$(exchange "$web_address" 7000 --count 20 --size 8000 --order shuffled)"
assert_equal "from the internet to a forward" "10 of 10 echoed" \
  "$(on web python3 "$here/fragments.py" exchange 198.51.100.5 7000 --count 10 --size 3000 --order reverse)"
assert_equal "to the other subscriber" "20 of 20 echoed" "$(exchange 198.51.100.5 7000 --count 20 --size 8000 --order shuffled)"

assert_fragments_accounted
assert_equal "out by AF_XDP" $((2 * (10 + 20 + 10 + 20))) "$(slow_path counters.forwarded)"
assert_equal "turned round among them" 40 "$(slow_path verdicts.HAIRPINNED)"
assert_equal "fragments lost" 0 "$(slow_path reassembly.lost)"
assert_equal "sockets" '["arm"]' "$(slow_path 'sockets | map(.device) | unique' | jq -c .)"
assert_counter SLOW_PATH_AWAY -eq 0
