#!/usr/bin/env bash
# events.sh - the life of a port block, told in the file sink: assigned with the
# first packet, released when idle, and not given to another while held down.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
[timeouts]
allow_below_rfc = true
icmp = 1
udp = 1
block_idle = 1
hold_down = 3600

$(common_pool)
TOML
start_agent
wait_until has_event agent_started
wait_until has_event config_applied

blocks_told() { jq -r 'select(.event == "port_block_assigned") | "\(.external_address) \(.port_start)"' "$events"; }
told() { test "$(blocks_told | wc -l)" -ge "$1"; }

on s1 ping -q -c 1 -W 3 "$web_address"
wait_until has_event port_block_assigned '.subscriber == "100.64.1.2"'
assert_equal "the block natctl shows" "$(blocks_told)" \
  "$(natctl blocks --json | jq -r '.[] | "\(.external_address) \(.port_start)"')"

wait_until has_event port_block_released '.subscriber == "100.64.1.2" and .mappings_created == 1'
assert_equal "blocks after the release" 0 "$(natctl blocks --json | jq length)"

on s2 ping -q -c 1 -W 3 "$web_address"
on s1 ping -q -c 1 -W 3 "$web_address"
wait_until told 3
assert_equal "blocks given twice within the hold-down" "" "$(blocks_told | sort | uniq -d)"
