#!/usr/bin/env bash
# deploy.sh - every configuration under deploy/ is one that apnatd accepts.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
mapfile -t files < <(find deploy -name '*.toml' | sort)
((${#files[@]} > 0)) || { echo "no configuration under deploy/" >&2; exit 1; }
for file in "${files[@]}"; do
  "${APNAT_BIN:-build/bin}/apnatd" --check --config "$file" || { echo "$file is refused" >&2; exit 1; }
done
python3 -c 'import json, jsonschema; s = json.load(open("deploy/events.schema.json"))
jsonschema.validators.validator_for(s).check_schema(s)'
