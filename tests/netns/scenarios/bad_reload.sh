#!/usr/bin/env bash
# bad_reload.sh - a configuration with a mistake is refused as a whole, with its
# place, and the running gateway goes on.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
on s1 ping -q -c 1 -W 3 "$web_address"
mappings > "$lab/before"
cp "$config" "$lab/good.toml"

refused_with() {
  assert_exit 1 natctl reload
  assert_says apnatd.toml:
  assert_says "$1"
  assert_equal "the mappings" "$(< "$lab/before")" "$(mappings)"
  on s1 ping -q -c 1 -W 3 "$web_address"
  mappings > "$lab/before"
}

{ cat "$lab/good.toml"; echo '[[pool]]'; echo 'name = "other"'; echo 'internal = ["100.64.1.0/24"]'; echo 'external = ["198.51.100.64/30"]'; } > "$config"
refused_with residential
sed 's/^external = .*198.*/&\nblock_size = 500/' "$lab/good.toml" > "$config"
refused_with "power of two"
sed 's/^external = .*198.*/&\nblok_size = 512/' "$lab/good.toml" > "$config"
refused_with blok_size
sed 's/"sub2"/"no_such0"/' "$lab/good.toml" > "$config"
assert_exit 1 natctl reload
assert_says no_such0
echo 'pool = [' > "$config"
assert_exit 1 natctl reload
on s1 ping -q -c 1 -W 3 "$web_address"

assert_exit 1 on gw "$bin/apnatd" --check --config "$config"
assert_exit 0 on gw "$bin/apnatd" --check --config "$lab/good.toml"
