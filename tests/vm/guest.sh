#!/usr/bin/env bash
# guest.sh [all] - what tools/vm/test runs inside the guest. Prints `ok NAME` or
# `FAILED NAME` for each, as tests/netns/run.sh does. Real traffic (`all`) takes long
# in an emulator: asked for, not part of every run.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
export APNAT_PATIENCE=6

log=/tmp/guest.log
# try NAME COMMAND...
try() {
  local start=$SECONDS
  if timeout --kill-after=10 900 "${@:2}" > "$log" 2>&1; then
    echo "ok $1 ($((SECONDS - start)) s)"
  else
    echo "FAILED $1 ($((SECONDS - start)) s)"
    tail -n 60 "$log" | sed 's/^/    /'
  fi
}

try "programs load within the verifier's budget" build/bin/test_bpf
try "stories" build/bin/test_stories
[[ ${1:-} == all ]] || exit 0
try "virtio_nics" tests/vm/virtio_nics.sh
try "beside_another_program" tests/vm/beside_another_program.sh
# Here nothing may be skipped: what this machine's own kernel lacks is tested here.
tests/netns/run.sh ping http hairpin vlan jumbo agent_killed | sed '/^scenarios:/d; s/^skipped/FAILED/' || true
