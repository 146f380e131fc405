#!/usr/bin/env bash
# own_traffic.sh - what is not for the translator is left to the kernel: the
# gateway's own connections on both sides, ARP, IPv6.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent

on s1 ping -q -c 3 -i 0.02 -W 3 100.64.1.1
on r ping -q -c 3 -i 0.02 -W 3 "$gateway_address"
on gw ping -q -c 3 -i 0.02 -W 3 "$web_address"
assert_counter TO_GATEWAY -ge 9
assert_counter NOT_IPV4 -ge 1

for side in gw/ext r/to_gw; do
  on "${side%/*}" sysctl -qw "net.ipv6.conf.${side#*/}.disable_ipv6=0"
done
ip -n gw address add 2001:db8::2/64 dev ext nodad
ip -n r address add 2001:db8::1/64 dev to_gw nodad
on r ping -q -c 3 -i 0.02 -W 3 2001:db8::2
