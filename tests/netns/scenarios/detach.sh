#!/usr/bin/env bash
# detach.sh - stopping the agent leaves the gateway translating; `natctl detach`
# leaves nothing: no program on an interface, no pin. An agent that is at work keeps
# its data plane, whatever natctl is told of sockets and files. The next start is
# cold: ports that were in use wait out the hold-down (RFC 6888 REQ-8), and the
# numbers of the events go on where they stopped.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
{
  common_pool
  printf '[timeouts]\nallow_below_rfc = true\nhold_down = 8\n'
} | write_config
start_agent
pins() { find /sys/fs/bpf/apnat /sys/fs/bpf/xdp -type f 2> /dev/null | sort || true; }
attached() { ip -n gw -j link show | jq -r '[.[] | select(.xdp != null) | .ifname] | sort | join(" ")'; }
assert_equal "interfaces with a program" "ext sub1 sub2" "$(attached)"
on s1 ping -q -c 1 -W 3 "$web_address"

pinned=$(pins)
assert_exit 3 natctl --socket "$lab/typo.sock" detach --yes --config "$config"
assert_says "nothing was done"
assert_exit 1 on gw "$bin/apnatd" --detach --config "$config"
assert_says "nothing was done"
assert_equal "interfaces with a program, asked of a wrong socket" "ext sub1 sub2" "$(attached)"
assert_equal "pins, asked of a wrong socket" "$pinned" "$(pins)"
on s1 ping -q -c 3 -i 0.02 -W 3 "$web_address"

end agent
assert_exit 3 natctl status
assert_equal "interfaces with a program, agent stopped" "ext sub1 sub2" "$(attached)"
on s1 ping -q -c 3 -i 0.02 -W 3 "$web_address"
wait_until has_event agent_stopped

start_agent
assert_exit 0 natctl detach --yes
nothing_attached() { [[ -z $(attached) ]]; }
wait_until nothing_attached
assert_equal "pins left" "" "$(pins)"
end agent || true

start_agent
assert_equal "interfaces with a program, cold start" "ext sub1 sub2" "$(attached)"
assert_equal "mappings after a cold start" 0 "$(natctl mappings --json | jq length)"
assert_exit 1 on s1 ping -q -c 1 -W 1 "$web_address"
passes() { on s1 ping -q -c 1 -W 1 "$web_address"; }
wait_until passes

# The same without an agent: what the ring still held is confessed as missing, and no more than that; ports that were
# in use until then wait, however long ago the agent ended.
end agent
next=$(jq -s 'map(.seq) | max + 1' "$events")
sleep 9
on s2 ping -q -c 1 -W 3 "$web_address"
assert_exit 0 on gw "$bin/natctl" detach --yes --config "$config"
assert_equal "pins left, taken off without an agent" "" "$(pins)"
start_agent
missing() { jq -c "select(.event == \"gap\" and .last_seq >= $next) | [.first_seq, .last_seq]" "$events"; }
is_missing() { [[ -n $(missing) ]]; }
wait_until is_missing
assert_equal "what is missing" "[$next,$next]" "$(missing)"
assert "the numbers go on" "$(jq -s 'map(.seq) | max' "$events") < $next + 100"
assert_exit 1 on s1 ping -q -c 1 -W 1 "$web_address"
wait_until passes
