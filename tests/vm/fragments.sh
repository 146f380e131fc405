#!/usr/bin/env bash
# fragments.sh - [FRAG-1] [FRAG-19] fragments between virtio NICs: they come in by one, in any order and by any of its
# queues, the datagram leaves by the other, translated, and the answers come back the same way.
. "$(dirname -- "${BASH_SOURCE[0]}")/nics.sh"

lay_out_nics
# One queue, and with XDP on it one more for each processor: those only receive, for all that AF_XDP may send by.
for nic in sub1 ext; do on gw ethtool -L "$nic" combined 1; done
common_pool | write_config
start_agent
assert_equal "mode" native "$(natctl status --json | jq -r '[.interfaces[].mode] | unique | join(" ")')"
# The mounted /sys is of another namespace.
queues() { on gw unshare --mount sh -c "mount -t sysfs sysfs /sys && ls -d /sys/class/net/$1/queues/rx-*" | wc -l; }
assert "queues of sub1, XDP's own among them" "$(queues sub1) > 1"
assert_equal "sockets: one for each queue" $(($(queues sub1) + $(queues ext))) "$(slow_path 'sockets | length')"

on s1 ping -q -c 1 -W 5 "$web_address"
on s1 ping -q -c 5 -i 0.1 -W 5 -s 8000 "$web_address" > "$lab/ping"
assert "large pings" "$(grep -c ' 5 received' "$lab/ping") == 1"

launch echo web python3 "$here/fragments.py" serve 7000 --order reverse
wait_until listens web udp 7000
exchange() { on s1 python3 "$here/fragments.py" exchange "$web_address" 7000 --wait 5 "$@"; }
assert_equal "in order" "10 of 10 echoed" "$(exchange --size 3000 --count 10)"
assert_equal "in reverse order" "10 of 10 echoed" "$(exchange --size 8000 --order reverse --count 10)"
assert_equal "in no order" "10 of 10 echoed" "$(exchange --size 8000 --order shuffled --count 10)"

sleep 0.3
assert_equal "fragments lost" 0 "$(slow_path reassembly.lost)"
assert_equal "datagrams lost on the way out" 0 "$(slow_path counters.send_failed)"
assert_counter SLOW_PATH_AWAY -eq 0
# Both ways, by AF_XDP and not by the kernel.
assert_equal "datagrams by AF_XDP" 70 "$(slow_path counters.forwarded)"
assert_counter FRAGMENT -eq 360
