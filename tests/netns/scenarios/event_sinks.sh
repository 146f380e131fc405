#!/usr/bin/env bash
# event_sinks.sh - a receiver that is away when events happen, and an agent that
# is killed meanwhile: the spool keeps them, natctl status says how many wait and
# since when, and the receiver gets every seq that the file has. natctl events
# --follow goes on over the agent's restart.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
[[event_sink]]
type = "unix"
path = "$lab/siem.sock"
name = "siem"
on_spool_full = "refuse"

$(common_pool)
TOML
start_agent
launch follow gw "$bin/natctl" --json events --follow
sink() { natctl status --json | jq -r ".events.sinks[] | select(.name | startswith(\"unix\")) | .$1"; }
sink_is() { test "$(sink "$1")" "$2" "$3"; }

on s1 ping -q -c 1 -W 3 "$web_address"
wait_until has_event port_block_assigned '.subscriber == "100.64.1.2"'
wait_until sink_is errors -ge 1
assert "events that wait" "$(sink waiting) >= 3"
assert "bytes in the spool" "$(sink spool_bytes) > 0"
wait_until sink_is oldest_waiting_seconds -ge 1
assert_equal "what the spool may be read by" "640" "$(stat -c %a "$lab"/state/spool/siem/*.spool | sort -u)"

end agent KILL || true
start_agent
sleep 1                        # natctl looks for the agent five times a second
on s2 ping -q -c 1 -W 3 "$web_address"
wait_until has_event port_block_assigned '.subscriber == "100.64.2.2"'
followed() { grep -q '"subscriber":"100.64.2.2"' "$lab/follow.log"; }
wait_until followed
assert_equal "the notice of the events in between" 1 \
  "$(grep -c 'natctl: events .* passed meanwhile; the sinks have them' "$lab/follow.log")"

launch collector gw python3 "$here/collector.py" "$lab/siem.sock" "$lab/siem.jsonl"
wait_until sink_is waiting -eq 0
seqs() { jq .seq "$1" | sort -nu; }
assert_equal "what the receiver has" "$(seqs "$events")" "$(seqs "$lab/siem.jsonl")"
assert_equal "the error, once it is over" "null" "$(sink error)"
