#!/usr/bin/env bash
# generic_mode.sh - the same gateway where a driver has no native XDP.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
mode=generic
common_pool | write_config
start_agent
assert_equal "mode" generic "$(natctl status --json | jq -r '[.interfaces[].mode] | unique | join(" ")')"

on s1 ping -q -c 20 -i 0.02 -W 3 "$web_address"
serve_files web "$lab/www"
head -c 3000000 /dev/urandom > "$lab/www/file"
on s1 curl -sS --max-time 20 -o "$lab/got" "http://$web_address/file"
cmp "$lab/www/file" "$lab/got"
assert_fast_path 30 1000
