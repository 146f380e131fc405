#!/usr/bin/env bash
# second_agent.sh - an agent that finds another one at work on the same tables
# refuses to start, and the first one goes on.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
on s1 ping -q -c 1 -W 3 "$web_address"

assert_exit 1 on gw timeout 10 "$bin/apnatd" --config "$config"
natctl status > /dev/null
on s1 ping -q -c 3 -i 0.02 -W 3 "$web_address"
