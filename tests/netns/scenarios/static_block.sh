#!/usr/bin/env bash
# static_block.sh - A+P proper: this subscriber has exactly these ports of that
# address, all of them usable, and no more; the block is there without traffic.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
[[pool]]
name = "business"
internal = ["100.64.1.0/24"]
external = ["198.51.100.0/30"]
assignment = "static"

[[static_block]]
pool = "business"
subscriber = "100.64.1.2"
external_address = "198.51.100.2"
ports = "8192-8447"
TOML
start_agent
serve_echo web 7000

seen_as s1 "$web_address" 7000 --count 300 > "$lab/seen"
assert_equal "answers" 256 "$(wc -l < "$lab/seen")"
assert_equal "ports used, from first to last" "8192 8447" \
  "$(cut -d' ' -f2 "$lab/seen" | sort -n | sed -n '1p;$p' | paste -sd ' ')"
assert_equal "address" 198.51.100.2 "$(cut -d' ' -f1 "$lab/seen" | sort -u)"
assert_counter PORT_LIMIT -eq 44
wait_until has_event quota_exceeded '.subscriber == "100.64.1.2"'

# A subscriber of the pool that was given no block has no ports.
ip -n s1 address add 100.64.1.3/24 dev eth0
assert_equal "answers without a block" "" "$(seen_as s1 "$web_address" 7000 --bind 100.64.1.3 --timeout 1)"
