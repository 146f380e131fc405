#!/usr/bin/env bash
# records_of_a_burst.sh - 200,000 subscribers at once, while the agent is killed every second,
# the ring and the disk run full, and receivers hang and die: the history and what every
# receiver got are what the packets on the wire say. (tools/soak is the long one.)
export SOAK_LEASES=203000 SOAK_WINDOW=203000 SOAK_ADDRESSES=208 SOAK_TROUBLE=12 SOAK_SECONDS=80 SOAK_OPEN=yes
exec "$(dirname -- "${BASH_SOURCE[0]}")/../../soak/soak.sh"
