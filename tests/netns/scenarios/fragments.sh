#!/usr/bin/env bash
# fragments.sh - datagrams in fragments, whole ones in and whole ones out, from two subscribers.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
natctl status
on s1 ping -q -c 5 -i 0.05 -W 3 -s 20000 "$web_address"
natctl counters --json | jq -c 'with_entries(select(.value > 0))'
