#!/usr/bin/env bash
# psid.sh - a psid port layout: a block's ports are not one run, and the
# list natctl shows is where the mappings are.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
[[pool]]
name = "psid"
internal = ["100.64.0.0/16"]
external = ["198.51.100.0/29"]
port_layout = "psid"
block_size = 256
max_blocks = 1
TOML
start_agent
serve_echo web 7000

seen_as s1 "$web_address" 7000 --count 200 > "$lab/seen"
assert_equal "answers" 200 "$(wc -l < "$lab/seen")"
natctl blocks --json > "$lab/blocks"
assert_equal "blocks" 1 "$(jq length "$lab/blocks")"
assert "ranges of the block" "$(jq '.[0].ports | length' "$lab/blocks") > 1"
outside=$(jq -rR --slurpfile blocks "$lab/blocks" '
  split(" ")[1] | tonumber as $port
  | select(any($blocks[0][0].ports[];
      if type == "array" then .[0] <= $port and $port <= .[1]
      elif type == "object" then (.port_start // .first) <= $port and $port <= (.port_end // .last)
      else (tostring | split("-") | map(tonumber)) as $r | $r[0] <= $port and $port <= $r[-1] end) | not)
  | $port' "$lab/seen")
assert_equal "ports outside the block" "" "$outside"
assert_fast_path 190 190
