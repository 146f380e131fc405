#!/usr/bin/env bash
# history_waits.sh - the disk of the history is full: nothing is written anywhere, natctl status says of the history
# and of each sink how many events wait and since when; once there is room all of it is written.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
[[event_sink]]
type = "stdout"

$(common_pool)
TOML
mkdir -p "$lab/state"
mount -t tmpfs -o size=2m none "$lab/state"
start_agent
history() { natctl status --json | jq -r ".history.$1"; }
sink() { natctl status --json | jq -r ".events.sinks[] | select(.name | startswith(\"$1\")) | .$2"; }
history_is() { test "$(history "$1")" "$2" "$3"; }
sink_is() { test "$(sink "$1" "$2")" "$3" "$4"; }

wait_until has_event agent_started
wait_until sink_is file waiting -eq 0
wait_until history_is waiting -eq 0
for name in file stdout history; do
  assert_equal "the oldest of $name" null "$(sink $name oldest_waiting_seconds)"
done
assert "what the history takes on disk" "$(history bytes) > 0"

dd if=/dev/zero of="$lab/state/ballast" bs=4k 2> /dev/null || true
on s1 ping -q -c 1 -W 3 "$web_address"
wait_until history_is oldest_waiting_seconds -ge 1
wait_until history_is errors -ge 1
assert "events that wait for the history" "$(history waiting) >= 1"
assert "attempts after a failure" "$(history retries) >= 1"
for name in file stdout; do
  assert "events that wait for $name" "$(sink $name waiting) >= 1"
  assert "how long they do, in $name" "$(sink $name oldest_waiting_seconds) >= 1"
done
assert_equal "what was told before it is on record" 0 "$(event_count port_block_assigned)"
behind=$(history covered_until)
natctl status | grep -q "^ *until .* events waiting for up to .*, .* errors$"

rm "$lab/state/ballast"
wait_until history_is waiting -eq 0
wait_until has_event port_block_assigned '.subscriber == "100.64.1.2"'
wait_until sink_is stdout waiting -eq 0
assert_equal "the error, once it is over" null "$(history error)"
[[ $(history covered_until) > $behind ]] || fail "the history covers no more than it did"
natctl status | grep -q "^ *until .*; 0 events waiting$"
