#!/usr/bin/env bash
# iperf_udp.sh - a UDP stream in each direction loses nothing.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
serve_iperf web

for way in --version4 --reverse; do
  receiver=web
  [[ $way != --reverse ]] || receiver=s1
  had=$(datagrams $receiver)
  on s1 iperf3 -c "$web_address" --connect-timeout 5000 -u -b 20M -l 1200 -t 2 -J "$way" > "$lab/udp.json"
  sent=$(jq '.end.sum.packets' "$lab/udp.json")
  assert "datagrams sent ($way)" "$sent > 3000"
  assert "datagrams that arrived ($way), of $sent" "$(datagrams $receiver) - $had >= $sent"
done
assert_fast_path 3000 3000
