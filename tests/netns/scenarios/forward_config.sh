#!/usr/bin/env bash
# forward_config.sh - a port forward of the configuration: the internet reaches
# a subscriber's server, which sees the real client.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
{ common_pool; common_forward tcp 198.51.100.5:8080 100.64.1.2:80; } | write_config
start_agent
serve_files s1 "$lab/home"
echo "hello from a subscriber" > "$lab/home/page"

assert_equal "the page" "hello from a subscriber" "$(on web curl -sS --max-time 10 http://198.51.100.5:8080/page)"
assert_equal "the client s1 saw" "$web_address" "$(awk '{ print $1 }' "$lab/nginx-s1/access.log")"
assert_fast_path 2 2

# The server's own connections do not leave by the forward's port.
serve_echo web 7000
read -r _ port <<< "$(seen_as s1 "$web_address" 7000 --source-port 80)"
[[ $port != 8080 ]] || fail "UDP from port 80 left by a TCP forward"
