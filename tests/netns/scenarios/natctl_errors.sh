#!/usr/bin/env bash
# natctl_errors.sh - natctl says clearly what is wrong, and its exit status says
# which kind: 1 refused, 2 usage, 3 nobody there.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config

assert_exit 3 natctl status
assert_says /run/apnat/apnatd.sock
start_agent
assert_exit 3 natctl --socket "$lab/nowhere.sock" status
assert_says nowhere.sock
assert_exit 2 natctl
assert_exit 2 natctl no_such_command
assert_exit 2 natctl mappings --no-such-option
assert_exit 1 natctl forward add --pool nobody --protocol tcp --external 198.51.100.5:80 --internal 100.64.1.2:80
assert_says nobody
assert_exit 1 natctl forward add --pool residential --protocol tcp --external 203.0.113.9:80 --internal 100.64.1.2:80
assert_exit 0 natctl version
for command in status pools subscribers blocks mappings counters events explain forward reload plan detach version; do
  assert_exit 0 natctl "$command" --help
  assert_says natctl
done
for command in status pools subscribers blocks mappings counters version; do
  assert_exit 0 natctl --json "$command"
  jq -e . <<< "$said" > /dev/null || fail "natctl --json $command is not JSON"
done

# An unprivileged user is turned away, not left guessing.
cp "$bin/natctl" "$lab/natctl"
chmod 755 "$lab" "$lab/natctl"
assert_exit 1 on gw setpriv --reuid=65534 --regid=65534 --clear-groups "$lab/natctl" status
assert_says ermission

end agent KILL || true
assert_exit 3 natctl mappings
