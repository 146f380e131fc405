#!/usr/bin/env bash
# one_armed.sh - one interface that is internal and external: a router hands
# subscribers' packets to the gateway and takes them back on the same link.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

namespaces s1 gw r web dns
forwarding gw
forwarding r
connect gw arm r to_gw
ip -n gw address add "$gateway_address/24" dev arm
ip -n r address add "$router_address/24" dev to_gw
ip -n gw route add default via "$router_address"
lay_internet
connect r to_s1 s1 eth0
ip -n r address add 100.64.1.1/24 dev to_s1
host s1 eth0 100.64.1.2/24 100.64.1.1
ip -n r route add 198.51.100.0/24 via "$gateway_address"
ip -n r route add default via "$gateway_address" table 100
ip -n r rule add iif to_s1 lookup 100

internal='["arm"]' external='["arm"]'
common_pool | write_config
start_agent

on s1 ping -q -c 1 -W 3 "$web_address"
on s1 ping -q -c 20 -i 0.02 -W 3 "$web_address"
serve_files web "$lab/www"
head -c 3000000 /dev/urandom > "$lab/www/file"
on s1 curl -sS --max-time 20 -o "$lab/got" "http://$web_address/file"
cmp "$lab/www/file" "$lab/got"
in_pool "$(awk '{ print $1 }' "$lab/nginx-web/access.log")"
assert_fast_path 30 1000
