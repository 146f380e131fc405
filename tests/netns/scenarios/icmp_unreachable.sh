#!/usr/bin/env bash
# icmp_unreachable.sh - errors from the internet come back to the subscriber as
# if there were no gateway: port unreachable from a host, host unreachable from
# a router; and a subscriber's own errors go out.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent

assert_equal "answer of a closed port" "error 111" "$(seen_as s1 "$web_address" 9)"
assert_exit 1 on s1 ping -c 1 -W 3 203.0.113.99
ip -n r route add unreachable 203.0.113.128/25
assert_exit 1 on s1 ping -c 1 -W 3 203.0.113.200
assert_says "From $router_address"
assert_says "Destination Host Unreachable"
assert_fast_path 2 2

# Outbound: s1 has no listener behind a mapping it opened; the stranger hears so.
serve_echo web 7000
read -r address port <<< "$(seen_as s1 "$web_address" 7000 --source-port 41000)"
assert_equal "answer of s1's closed port" "error 111" "$(seen_as web "$address" "$port")"
assert_counter ICMP_ERROR_NO_MAPPING -eq 0
