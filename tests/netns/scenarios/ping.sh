#!/usr/bin/env bash
# ping.sh - echo requests go out under a query identifier of the subscriber's
# block, and not even the first one is lost while neighbours are still unknown.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent

on s1 ping -q -c 1 -W 3 "$web_address"
on s1 ping -q -c 20 -i 0.02 -W 3 "$web_address"
on s2 ping -q -c 20 -i 0.02 -W 3 -s 1400 "$web_address"
assert_fast_path 38 38
assert_counter NO_MAPPING -eq 0
assert_equal "protocols in use" icmp "$(natctl mappings --json | jq -r 'map(.protocol) | unique | join(",")')"
