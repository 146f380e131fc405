#!/usr/bin/env bash
# fragments_ids_wrap.sh - [FRAG-14] a sender whose IDs come round while its fragments may still wait is told by name, once,
# and natctl status warns of it.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
{
  common_pool
  echo '[fragments]'
  echo 'timeout = 60'   # 1,092 datagrams a second are well
} | write_config
start_agent
flood() { on "$1" python3 "$here/fragments.py" flood "$web_address" 9000 --rate "$2" --seconds "$3" --size 1600 > /dev/null; }

flood s2 300 3
sleep 1.2
assert_equal "seconds with too many, of a slow sender" 0 "$(slow_path reassembly.id_wraps)"
assert_equal "the warning" 0 "$(natctl status | grep -c 'IDs come round')"

launch flood s1 python3 "$here/fragments.py" flood "$web_address" 9000 --rate 2500 --seconds 600 --size 1600
warned() { natctl status | grep -q '^! .*IDs come round within the timeout'; }
wait_until warned
wait_until has_event fragment_ids_wrapped '.source_address == "100.64.1.2" and .protocol == "udp" and .limit == 1092'
assert "datagrams a second" "$(jq 'select(.event == "fragment_ids_wrapped") | .datagrams_per_second' "$events" | head -n 1) > 1092"
several() { test "$(slow_path reassembly.id_wraps)" -ge 3; }
wait_until several
assert_equal "events" 1 "$(event_count fragment_ids_wrapped)"
end flood || true
calm() { ! warned; }
wait_until calm
natctl status | grep -q "IDs came round within the timeout in"
