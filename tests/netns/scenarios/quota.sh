#!/usr/bin/env bash
# quota.sh - a subscriber that has used its ports is refused new ones; its old
# mappings and its neighbour notice nothing. A pool without a free block refuses
# the newcomer only.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
[[pool]]
name = "small"
internal = ["100.64.0.0/16"]
external = ["198.51.100.1/32"]
ports = "1024-1279"
block_size = 64
max_blocks = 2
TOML
start_agent
serve_echo web 7000
on s2 ping -q -c 1 -W 3 "$web_address"

seen_as s1 "$web_address" 7000 --source-port 20000 --count 200 --timeout 2 > "$lab/seen"
assert_equal "answers" 128 "$(wc -l < "$lab/seen")"
assert_equal "ports given twice" "" "$(sort "$lab/seen" | uniq -d)"
assert_counter PORT_LIMIT -eq 72
wait_until has_event quota_exceeded '.subscriber == "100.64.1.2"'
assert_equal "its first mapping" "$(head -n 1 "$lab/seen")" "$(seen_as s1 "$web_address" 7000 --source-port 20000)"
on s2 ping -q -c 3 -i 0.02 -W 3 "$web_address"

ip -n s2 address add 100.64.2.3/24 dev eth0
ip -n s2 address add 100.64.2.4/24 dev eth0
assert "answers for the last block's subscriber" "$(seen_as s2 "$web_address" 7000 --bind 100.64.2.3 | wc -l) == 1"
assert_equal "answers for one too many" "" "$(seen_as s2 "$web_address" 7000 --bind 100.64.2.4 --timeout 1)"
assert_counter ADDRESS_EXHAUSTED -ge 1
wait_until has_event pool_exhausted '.pool == "small"'
on s2 ping -q -c 3 -i 0.02 -W 3 "$web_address"
assert_equal "blocks" 4 "$(natctl blocks --json | jq length)"
