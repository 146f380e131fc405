#!/usr/bin/env bash
# dns.sh - names are resolved through the gateway, over UDP and over TCP.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
serve_names

for way in +notcp +tcp; do
  answer=$(on s1 dig +short +tries=1 +time=3 "$way" "@$dns_address" www.example.net)
  assert_equal "the answer ($way)" "$web_address" "$answer"
done
assert_counter TRANSLATED_OUTBOUND -ge 2
assert_counter TRANSLATED_INBOUND -ge 2
assert_equal "mappings towards the name server" 2 "$(natctl mappings --json | jq 'length')"
