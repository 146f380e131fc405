#!/usr/bin/env bash
# fragments_share.sh - [SEC-19] [FRAG-2] one subscriber floods with fragments while the agent stands still, then while it
# works by fits and starts: the ring fills, and the flood is what it has no place for. The datagrams of another subscriber
# on the same interface get through.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
on s2 ip addr add 100.64.2.3/32 dev eth0
on s2 ip route add "$web_address" via 100.64.2.1 src 100.64.2.3
lost() { slow_path 'socket_losses | .rx_dropped + .rx_ring_full'; }
launch echo web python3 "$here/fragments.py" serve 7000
wait_until listens web udp 7000
exchange() { on s2 python3 "$here/fragments.py" exchange "$web_address" 7000 --source-port 41000 "$@"; }
assert_equal "before" "5 of 5 echoed" "$(exchange --count 5)"

# 9,000 fragments for 2,048 places; the other's come last.
kill -STOP "${process[agent]}"
on s2 python3 "$here/fragments.py" flood "$dns_address" 9000 --count 3000 > /dev/null
launch late s2 python3 "$here/fragments.py" exchange "$web_address" 7000 --source-port 41000 --count 1 --wait 10
sleep 0.5
kill -CONT "${process[agent]}"
wait "${process[late]}"
assert_equal "who came last to a ring that one had filled" "1 of 1 echoed" "$(cat "$lab/late.log")"
assert_counter SLOW_PATH_BUSY -ge $((9000 - 2048))
assert_equal "lost in the ring" 0 "$(lost)"

# For every second of work the agent sleeps two; the flood would fill its ring in a hundredth of that.
fits_and_starts() {
  local n
  for ((n = 0; n < 200; n++)); do
    kill -STOP "${process[agent]}"
    sleep 0.2
    kill -CONT "${process[agent]}"
    sleep 0.1
  done
}
launch flood s2 python3 "$here/fragments.py" flood "$dns_address" 9000 --seconds 600 --id 1
fits_and_starts & fits=$!
exchange --count 20 --wait 5 > "$lab/beside"
kill "$fits"
kill -CONT "${process[agent]}"
end flood || true
# A flood may fill the link's own queue too.
assert "beside the flood: $(cat "$lab/beside")" "$(cut -d' ' -f1 "$lab/beside") >= 18"
assert_equal "lost in the ring" 0 "$(lost)"
