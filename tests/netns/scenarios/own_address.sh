#!/usr/bin/env bash
# own_address.sh - the pool is the gateway's one address, as on a small site: subscribers and the gateway itself reach
# the internet, also when nobody has asked for the router's hardware address yet; `natctl status` says what the kernel
# needs for that.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
own_address_pool | write_config
start_agent

said=$(natctl status)
assert_says "sysctl -w net.ipv4.conf.sub1.accept_local=1"
on gw sysctl -qw net.ipv4.conf.sub1.accept_local=1 net.ipv4.conf.sub2.accept_local=1
said=$(natctl status)
[[ $said != *accept_local* ]] || fail "a warning that no longer holds: $said"

ip -n gw neigh flush dev ext
on s1 ping -q -c 1 -W 3 "$web_address"
assert_counter NEIGHBOUR_PENDING -ge 1
on s2 ping -q -c 5 -i 0.02 -W 3 "$web_address"
on gw ping -q -c 3 -i 0.02 -W 3 "$web_address"
serve_files web "$lab/www"
echo hello > "$lab/www/file"
assert_equal "what s1 gets" hello "$(on s1 curl -sS --max-time 10 "http://$web_address/file")"
assert_equal "what the gateway gets" hello "$(on gw curl -sS --max-time 10 "http://$web_address/file")"
