#!/usr/bin/env bash
# hairpin.sh - subscribers reach each other by external endpoints, and each
# sees the other's external address, never the internal one.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
{ common_pool; common_forward tcp 198.51.100.5:8080 100.64.1.2:80; } | write_config
start_agent
serve_files s1 "$lab/home"
head -c 3000000 /dev/urandom > "$lab/home/file"

on s2 curl -sS --max-time 20 -o "$lab/got" http://198.51.100.5:8080/file
cmp "$lab/home/file" "$lab/got"
in_pool "$(awk '{ print $1 }' "$lab/nginx-s1/access.log")"

# By a dynamic mapping too, and for a subscriber that calls itself.
serve_echo web 7000
read -r address port <<< "$(seen_as s1 "$web_address" 7000 --source-port 40000)"
serve_echo s1 40000
in_pool "$(seen_as s2 "$address" "$port" | cut -d' ' -f1)"
in_pool "$(seen_as s1 "$address" "$port" | cut -d' ' -f1)"
assert_counter HAIRPINNED -ge 100
