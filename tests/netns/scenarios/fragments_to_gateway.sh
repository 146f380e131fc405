#!/usr/bin/env bash
# fragments_to_gateway.sh - [FRAG-1] the gateway's own address is the pool: whose a datagram in fragments is,
# shows when it is whole. What no mapping claims is the gateway's own: large pings, UDP in reverse order.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
own_address_pool | write_config
# As many distributions have it.
on gw sysctl -qw net.ipv4.conf.all.rp_filter=2
start_agent

on r ping -q -c 5 -i 0.02 -W 3 -s 20000 "$gateway_address"
launch echo gw python3 "$here/fragments.py" serve 7000 --order reverse
wait_until listens gw udp 7000
assert_equal "UDP to the gateway" "20 of 20 echoed" \
  "$(on web python3 "$here/fragments.py" exchange "$gateway_address" 7000 --size 8000 --order reverse --count 20)"
# A subscriber's stay a subscriber's.
on s1 ping -q -c 5 -i 0.02 -W 3 -s 20000 "$web_address"
# To the gateway's internal address they do not come to us at all.
on s1 ping -q -c 5 -i 0.02 -W 3 -s 20000 100.64.1.1

assert_fragments_accounted
assert_equal "datagrams for the gateway" 25 "$(slow_path counters.to_gateway)"
assert_equal "datagrams by AF_XDP" 10 "$(slow_path counters.forwarded)"
