#!/usr/bin/env bash
# jumbo.sh - frames of 9,000 bytes, in several buffers, go through unharmed.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out 9000
common_pool | write_config
start_agent

on s1 ping -q -c 1 -W 3 "$web_address"
on s1 ping -q -c 20 -i 0.02 -W 3 -M "do" -s 8972 "$web_address"
serve_files web "$lab/www"
head -c 20000000 /dev/urandom > "$lab/www/file"
on s1 curl -sS --max-time 30 -o "$lab/got" "http://$web_address/file"
cmp "$lab/www/file" "$lab/got"
packets=$(counter TRANSLATED_INBOUND)
assert "packets for 20 MB in large frames" "$packets < 8000"
assert_fast_path 30 2000
