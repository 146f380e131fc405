#!/usr/bin/env bash
# forward_runtime.sh - `natctl forward` makes a port forward that outlives the
# agent, lists it, and takes it away again.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
serve_files s2 "$lab/home"
echo "second subscriber" > "$lab/home/page"
fetch() { on web curl -sS --max-time "${1:-10}" http://198.51.100.6:8081/page; }
words=(--pool residential --protocol tcp --external 198.51.100.6:8081 --internal 100.64.2.2:80)

! fetch 1 || fail "reached before there was a forward"
assert_counter NO_MAPPING -ge 1

natctl forward add "${words[@]}"
assert_equal "the page" "second subscriber" "$(fetch)"
assert_equal "forwards listed" 1 "$(natctl forward list --json | jq length)"
assert_exit 1 natctl forward add --pool residential --protocol tcp --external 198.51.100.6:8081 --internal 100.64.1.2:80

end agent KILL || true
start_agent
assert_equal "the page after a restart" "second subscriber" "$(fetch)"
assert_equal "forwards listed after a restart" 1 "$(natctl forward list --json | jq length)"

natctl forward remove "${words[@]}"
! fetch 1 || fail "reached after the forward was removed"
assert_equal "forwards left" 0 "$(natctl forward list --json | jq length)"
assert_exit 1 natctl forward remove "${words[@]}"
