#!/usr/bin/env bash
# http.sh - a file downloaded through the gateway arrives byte for byte, both
# subscribers at once, and the web server never sees an internal address.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent

serve_files web "$lab/www"
head -c 20000000 /dev/urandom > "$lab/www/file"
wanted=$(sha256sum < "$lab/www/file")

launch download2 s2 curl -sS --max-time 60 -o "$lab/got2" "http://$web_address/file"
on s1 curl -sS --max-time 60 -o "$lab/got1" "http://$web_address/file"
wait "${process[download2]}"
assert_equal "what s1 downloaded" "$wanted" "$(sha256sum < "$lab/got1")"
assert_equal "what s2 downloaded" "$wanted" "$(sha256sum < "$lab/got2")"

assert_fast_path 100 20000
assert_equal "clients that are not of the pool" "" \
  "$(awk '{ print $1 }' "$lab/nginx-web/access.log" | grep -v '^198\.51\.100\.[0-7]$' || true)"
