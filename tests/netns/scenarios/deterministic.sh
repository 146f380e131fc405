#!/usr/bin/env bash
# deterministic.sh - ports are a function of the subscriber: what natctl shows
# as its block is where its mappings are, with no event per block.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
[[pool]]
name = "computed"
internal = ["100.64.0.0/22"]
external = ["198.51.100.0/29"]
assignment = "deterministic"
TOML
start_agent
serve_echo web 7000

for subscriber in 1 2; do
  read -r start end address < <(natctl blocks --json --subscriber "100.64.$subscriber.2" |
    jq -r '.[0] | "\(.port_start) \(.port_end) \(.external_address)"')
  assert "ports in the block of s$subscriber" "$end - $start + 1 >= 400"
  seen_as "s$subscriber" "$web_address" 7000 --count 300 > "$lab/seen"
  assert_equal "answers" 300 "$(wc -l < "$lab/seen")"
  assert_equal "addresses" "$address" "$(cut -d' ' -f1 "$lab/seen" | sort -u)"
  assert_equal "ports outside the block" "" "$(awk -v from="$start" -v to="$end" '$2 < from || $2 > to' "$lab/seen")"
  assert_equal "ports given twice" "" "$(sort "$lab/seen" | uniq -d)"
done
wait_until has_event config_applied '.parameters != null or .pools != null'
assert_equal "events about blocks" 0 "$(event_count port_block_assigned)"
assert_fast_path 590 590
