#!/usr/bin/env bash
# proxy_arp.sh - a pool out of the external link's own network: the router has
# no route to it, it asks by ARP, and the gateway answers for pool addresses only.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
ip -n r route del 198.51.100.0/24
write_config << TOML
[[pool]]
name = "on_link"
internal = ["100.64.0.0/16"]
external = ["192.0.2.128/28"]
proxy_arp = true
TOML
start_agent

on s1 ping -q -c 10 -i 0.02 -W 3 "$web_address"
on s2 ping -q -c 10 -i 0.02 -W 3 "$web_address"
assert_counter ARP_ANSWERED -ge 1
assert_fast_path 18 18

answered=$(counter ARP_ANSWERED)
! on r ping -q -c 1 -W 1 192.0.2.77 || fail "an address of nobody answered"
assert_counter ARP_ANSWERED -eq "$answered"
