#!/usr/bin/env bash
# iperf_udp.sh - a UDP stream in each direction loses nothing.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
serve_iperf web

for way in --version4 --reverse; do
  on s1 iperf3 -c "$web_address" --connect-timeout 5000 -u -b 20M -l 1200 -t 2 -J "$way" > "$lab/udp.json"
  assert "packets sent ($way)" "$(jq '.end.sum.packets' "$lab/udp.json") > 3000"
  assert_equal "packets lost ($way)" 0 "$(jq '.end.sum.lost_packets' "$lab/udp.json")"
done
assert_fast_path 3000 3000
