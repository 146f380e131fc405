#!/usr/bin/env bash
# endpoint_independent.sh - one internal endpoint is one external endpoint,
# whoever it talks to; and whoever talks to that endpoint reaches it.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
serve_echo web 7000
serve_echo dns 7001

from_web=$(seen_as s1 "$web_address" 7000 --source-port 40000)
from_dns=$(seen_as s1 "$dns_address" 7001 --source-port 40000)
assert_equal "external endpoint" "$from_web" "$from_dns"
in_pool "${from_web% *}"

serve_echo s1 40000
read -r address port <<< "$from_web"
answer=$(seen_as dns "$address" "$port" --source-port 50000)
assert_equal "a stranger's datagram, as s1 sees it" "$dns_address 50000" "$answer"
assert_equal "mappings" 1 "$(natctl mappings --json --protocol udp | jq length)"
