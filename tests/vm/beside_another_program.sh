#!/usr/bin/env bash
# beside_another_program.sh - another XDP program is on the interface already: it
# goes on seeing every packet, apnat translates behind it, and leaves it in place.
. "$(dirname -- "${BASH_SOURCE[0]}")/nics.sh"

other=$root/build/vm/count.bpf.o
programs() { on gw xdp-loader status "$1"; }
counted() { on gw bpftool -j map dump pinned /sys/fs/bpf/other/packets | jq '.[0].formatted.value'; }

lay_out_nics
on gw xdp-loader load -m native -p /sys/fs/bpf/other sub1 "$other"
common_pool | write_config
start_agent
programs sub1 >&2
programs sub1 | grep -q count_packets

on s1 ping -q -c 10 -i 0.05 -W 5 "$web_address"
assert "packets the other program counted" "$(counted) >= 10"
download 1000000
assert_fast_path 20 300

assert_exit 0 natctl detach --yes
end agent || true
programs sub1 | grep -q count_packets || fail "the other program is gone"
before=$(counted)
on s1 ping -q -c 3 -i 0.05 -W 5 100.64.1.1
assert "packets counted after detach" "$(counted) >= $before + 3"
