#!/usr/bin/env python3
"""validate_events.py SCHEMA FILE: every line of FILE is an event of SCHEMA, or the first that is not is shown.
Exit: 0 all are, 1 one is not, 77 python3-jsonschema is not installed."""
import json
import sys

try:
    import jsonschema
except ImportError:
    sys.exit(77)

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
by_event = {shape["properties"]["event"]["const"]: shape for shape in schema["oneOf"]}

lines = 0
with open(sys.argv[2], encoding="utf-8") as file:
    for line in file:
        event = json.loads(line)
        shape = by_event.get(event.get("event"))
        if shape is None:
            sys.exit(f"no such event in the schema: {line}")
        # Against its own shape, so that the complaint says which field it is about.
        for error in jsonschema.Draft202012Validator({**shape, "$defs": schema["$defs"]}).iter_errors(event):
            sys.exit(f"{error.message}\nin {line}")
        jsonschema.Draft202012Validator(schema).validate(event)
        lines += 1
print(f"{lines} events are as the schema says")
