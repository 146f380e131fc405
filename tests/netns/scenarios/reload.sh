#!/usr/bin/env bash
# reload.sh - a new pool and a new forward arrive by reload while a stream runs:
# nothing is lost, and no mapping of the old pool is touched.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
[[pool]]
name = "first"
internal = ["100.64.1.0/24"]
external = ["198.51.100.0/30"]
TOML
start_agent
serve_iperf web
! on s2 ping -q -c 1 -W 1 "$web_address" || fail "s2 is in no pool yet"

had=$(datagrams web)
launch stream s1 iperf3 -c "$web_address" --connect-timeout 5000 -u -b 20M -l 1200 -t $((4 * patience)) -J
wait_until counter_is TRANSLATED_OUTBOUND -ge 1000
mappings > "$lab/before"

write_config << TOML
[[pool]]
name = "first"
internal = ["100.64.1.0/24"]
external = ["198.51.100.0/30"]

[[pool]]
name = "second"
internal = ["100.64.2.0/24"]
external = ["198.51.100.4/30"]

[[forward]]
pool = "first"
protocol = "tcp"
external = "198.51.100.1:8080"
internal = "100.64.1.2:80"
TOML
assert_exit 0 natctl reload --dry-run
assert_says second
assert_equal "pools after a dry run" first "$(natctl pools --json | jq -r 'map(.name // .pool) | join(" ")')"
assert_exit 0 natctl reload
assert_equal "the mappings" "$(< "$lab/before")" "$(mappings | grep -v '"external_port":8080' || true)"

on s2 ping -q -c 3 -i 0.02 -W 3 "$web_address"
serve_files s1 "$lab/home"
echo page > "$lab/home/page"
assert_equal "the page by the new forward" page "$(on web curl -sS --max-time 10 http://198.51.100.1:8080/page)"
wait "${process[stream]}"
sent=$(jq '.end.sum.packets' "$lab/stream.log")
assert "datagrams that arrived, of $sent" "$(datagrams web) - $had >= $sent"

# SIGHUP does the same: away with the forward.
write_config << TOML
[[pool]]
name = "first"
internal = ["100.64.1.0/24"]
external = ["198.51.100.0/30"]

[[pool]]
name = "second"
internal = ["100.64.2.0/24"]
external = ["198.51.100.4/30"]
TOML
kill -HUP "${process[agent]}"
no_forwards() { test "$(natctl forward list --json | jq length)" -eq 0; }
wait_until no_forwards
