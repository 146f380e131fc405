#!/usr/bin/env bash
# virtio_nics.sh - native XDP from one driver's ring to another's: pings, a
# download, a port forward, and the agent killed in the middle.
. "$(dirname -- "${BASH_SOURCE[0]}")/nics.sh"

lay_out_nics
common_pool | write_config
start_agent
assert_equal "mode" native "$(natctl status --json | jq -r '[.interfaces[].mode] | unique | join(" ")')"

on s1 ping -q -c 1 -W 5 "$web_address"
on s1 ping -q -c 20 -i 0.05 -W 5 "$web_address"
download 3000000
assert_fast_path 30 1000

serve_files s1 "$lab/home"
echo "behind virtio" > "$lab/home/page"
natctl forward add --pool residential --protocol tcp --external 198.51.100.5:8080 --internal 100.64.1.2:80
assert_equal "the page" "behind virtio" "$(on web curl -sS --max-time 20 http://198.51.100.5:8080/page)"

mappings > "$lab/before"
end agent KILL || true
on s1 ping -q -c 5 -i 0.05 -W 5 "$web_address"
start_agent
assert "mappings kept" "$(mappings | grep -cFf "$lab/before") == $(wc -l < "$lab/before")"
