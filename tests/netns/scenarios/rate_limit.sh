#!/usr/bin/env bash
# rate_limit.sh - a subscriber opens new mappings no faster than its pool allows;
# another subscriber is not held up by it.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
$(common_pool)
max_new_mappings_per_second = 50
TOML
start_agent
serve_echo web 7000

seen_as s1 "$web_address" 7000 --count 400 --timeout 1 > "$lab/seen"
answers=$(wc -l < "$lab/seen")
assert "answers within two seconds" "$answers >= 50 && $answers <= 150"
assert_counter RATE_LIMIT -ge 250
assert_equal "answers for s2" 20 "$(seen_as s2 "$web_address" 7000 --count 20 | wc -l)"
