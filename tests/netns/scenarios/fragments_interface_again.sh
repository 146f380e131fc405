#!/usr/bin/env bash
# fragments_interface_again.sh - an interface goes down and up, and is taken away and made anew: fragments come through
# again by themselves.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
large_ping() { on s1 ping -q -c 1 -W 1 -s 5000 "$web_address"; }
large_ping
forwarded() { sleep 0.3; natctl status --json | jq .slow_path.counters.forwarded; }
# by_af_xdp - large pings, and all of them both ways by AF_XDP: by the kernel they would arrive too.
by_af_xdp() {
  local had
  had=$(forwarded)
  on s1 ping -q -c 20 -i 0.02 -W 3 -s 5000 "$web_address"
  assert "datagrams by AF_XDP" "$(forwarded) - $had == 40"
}

# Down while datagrams are on their way.
launch flood s1 python3 "$here/fragments.py" flood "$web_address" 9000 --rate 500 --seconds 600
wait_until counter_is FRAGMENT -ge 100
ip -n gw link set sub1 down
ip -n gw link set ext down
sleep 0.2
end flood || true
ip -n gw link set sub1 up
ip -n gw link set ext up
ip -n gw route replace default via "$router_address"
wait_until large_ping
by_af_xdp

# The way out down while datagrams come in: each has its verdict, and its sender hears of it.
ip -n gw link set ext down
had=$(slow_path 'verdicts.NO_ROUTE // 0')
on s1 python3 "$here/fragments.py" flood "$web_address" 9000 --count 20 > /dev/null
refused() { test "$(slow_path 'verdicts.NO_ROUTE // 0')" -eq $((had + 20)); }
wait_until refused
told() { test "$(slow_path counters.icmp_sent)" -ge 5; }
wait_until told
ip -n gw link set ext up
ip -n gw route replace default via "$router_address"
wait_until large_ping
by_af_xdp

ip -n gw link delete sub1
lay_subscriber s1 sub1 100.64.1
wait_until large_ping
ip -n gw link delete ext
connect gw ext r to_gw
ip -n gw address add "$gateway_address/24" dev ext
ip -n gw route add default via "$router_address"
ip -n r address add "$router_address/24" dev to_gw
ip -n r route add 198.51.100.0/24 via "$gateway_address"
wait_until large_ping
by_af_xdp
assert_equal "sockets" 3 "$(natctl status --json | jq '.slow_path.sockets | length')"
assert_fragments_accounted
