#!/usr/bin/env bash
# scripts.sh - shellcheck has nothing to say about any shell script of the tree.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
mapfile -t scripts < <(git grep -lE '^#!.*\b(ba)?sh$' -- ':!*.md'; git ls-files '*.sh')
mapfile -t scripts < <(printf '%s\n' "${scripts[@]}" | sort -u)
shellcheck -x "${scripts[@]}"
