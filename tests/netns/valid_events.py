#!/usr/bin/env python3
"""valid_events.py SCHEMA FILE - every line of FILE is an event by SCHEMA, and
`seq` counts without a gap that no `gap` event confesses."""
import json
import sys

import jsonschema


def complaints(schema, lines):
    validator = jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker())
    seen, confessed = [], set()
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except json.JSONDecodeError as error:
            yield f"line {number}: not JSON ({error}): {line!r}"
            continue
        for error in validator.iter_errors(event):
            yield f"line {number}: {error.message}: {line.strip()}"
        seen.append(event.get("seq"))
        if event.get("event") == "gap":
            confessed.update(range(event["first_seq"], event["last_seq"] + 1))
    if not all(isinstance(seq, int) for seq in seen):
        return
    if len(set(seen)) != len(seen):
        yield "a sequence number appears twice"
    missing = set(range(min(seen), max(seen) + 1)) - set(seen) - confessed
    if missing:
        yield f"missing sequence numbers: {sorted(missing)[:10]}"


def main():
    with open(sys.argv[1], encoding="utf-8") as schema, open(sys.argv[2], encoding="utf-8") as events:
        found = list(complaints(json.load(schema), events))
    for complaint in found[:10]:
        print(complaint, file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
