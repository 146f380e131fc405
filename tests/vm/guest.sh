#!/usr/bin/env bash
# guest.sh [all] - what tools/vm/test runs inside the guest. Prints `ok NAME` or
# `FAILED NAME` for each, as tests/netns/run.sh does. `all`: more of its scenarios,
# which this machine's own kernel can run as well.
#
# Two lanes side by side, one for each of the guest's processors: emulated, the
# verifier alone takes minutes.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
export APNAT_PATIENCE=6

# Results of one lane are not to be mixed with the other's.
print_whole() { flock /tmp/guest.lock cat "$1"; }

# try NAME COMMAND...
try() {
  local start=$SECONDS log said
  log=$(mktemp) said=$(mktemp)
  if timeout --kill-after=10 900 "${@:2}" > "$log" 2>&1; then
    echo "ok $1 ($((SECONDS - start)) s)" > "$said"
  else
    echo "FAILED $1 ($((SECONDS - start)) s)" > "$said"
    tail -n 60 "$log" | sed 's/^/    /' >> "$said"
  fi
  print_whole "$said"
}

# scenarios NAME... - of tests/netns. None may be skipped: what this machine's own
# kernel lacks is tested here.
scenarios() {
  local name said
  for name in "$@"; do
    said=$(mktemp)
    tests/netns/run.sh "$name" | sed '/^scenarios:/d; s/^skipped/FAILED/' > "$said" || true
    print_whole "$said"
  done
}

programs_and_nics() {
  try "programs load within the verifier's budget" build/bin/test_bpf
  try "native XDP between virtio NICs" tests/vm/virtio_nics.sh
  try "beside another XDP program" tests/vm/beside_another_program.sh
  try "fragments between virtio NICs" tests/vm/fragments.sh
}

stories_and_scenarios() {
  try "stories" build/bin/test_stories
  scenarios vlan jumbo
}

programs_and_nics & lanes=($!)
stories_and_scenarios & lanes+=($!)
wait "${lanes[@]}"
[[ ${1:-} != all ]] || scenarios ping http hairpin agent_killed
