#!/usr/bin/env bash
# instructions.sh KERNEL - measures, in a guest whose clock counts instructions, what
# the loaded translator takes for a packet: one JSON line a figure (instructions.py).
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
tools/vm/run --icount --timeout 300 "$1" -- build/bin/bench_testrun --sizes 1,1024 --rounds 3 --packets 8192 --json
