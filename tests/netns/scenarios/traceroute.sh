#!/usr/bin/env bash
# traceroute.sh - [ICMP-24] every hop answers: the gateway itself (time to live ends
# there), the router (its error comes back through the gateway), the host.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent

for way in --udp --icmp --tcp; do
  hops=$(on s1 traceroute -n -q 1 -w 3 -m 5 "$way" "$web_address" | awk 'NR > 1 { print $2 }' | paste -sd ' ')
  assert_equal "hops ($way)" "100.64.1.1 $router_address $web_address" "$hops"
done
assert_counter TTL_EXPIRED -ge 3
assert_fast_path 6 6
