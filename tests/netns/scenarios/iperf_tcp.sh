#!/usr/bin/env bash
# iperf_tcp.sh - a TCP stream in both directions at once, on the fast path.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
serve_iperf web

on s1 iperf3 -c "$web_address" --connect-timeout 5000 -t 2 -J > "$lab/up.json"
on s2 iperf3 -c "$web_address" --connect-timeout 5000 -t 2 -R -J > "$lab/down.json"
assert "megabytes sent" "$(jq '.end.sum_received.bytes / 1e6 | floor' "$lab/up.json") >= 5"
assert "megabytes fetched" "$(jq '.end.sum_received.bytes / 1e6 | floor' "$lab/down.json") >= 5"
assert_fast_path 1000 1000
assert_counter NOT_SYN -eq 0
