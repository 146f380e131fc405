#!/usr/bin/env bash
# records_of_reuse.sh - blocks that go from one subscriber to the next, as soon as they may,
# under the same troubles: each lease of each is in the history, with its begin and its end.
export SOAK_LEASES=20000 SOAK_WINDOW=8000 SOAK_ADDRESSES=8 SOAK_TROUBLE=14 SOAK_SECONDS=80
exec "$(dirname -- "${BASH_SOURCE[0]}")/../../soak/soak.sh"
