#!/usr/bin/env bash
# one_armed.sh - one interface that is internal and external: a router hands
# subscribers' packets to the gateway and takes them back on the same link.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out_one_armed
common_pool | write_config
start_agent

on s1 ping -q -c 1 -W 3 "$web_address"
on s1 ping -q -c 20 -i 0.02 -W 3 "$web_address"
serve_files web "$lab/www"
head -c 3000000 /dev/urandom > "$lab/www/file"
on s1 curl -sS --max-time 20 -o "$lab/got" "http://$web_address/file"
cmp "$lab/www/file" "$lab/got"
in_pool "$(awk '{ print $1 }' "$lab/nginx-web/access.log")"
assert_fast_path 30 1000
