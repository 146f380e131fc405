# nics.sh - a gateway between virtio NICs with real drivers; sourced first by
# scenarios for the guest that tools/vm/test boots with two pairs of NICs.
#
#    s1 (eth0) ───── sub1  gw  ext ───── web 192.0.2.80 (eth0)

. "$(dirname -- "${BASH_SOURCE[0]}")/../netns/verbs.sh"

web_address=192.0.2.80

# nic NUMBER - its name, whatever that is by now, by the address qemu gave it.
nic() { ip -j link show | jq -er --arg mac "52:54:00:00:00:0$1" '.[] | select(.address == $mac) | .ifname'; }

# take NUMBER NAMESPACE NAME - moves a NIC; it comes back when the namespace ends,
# with the XDP program that an earlier scenario left on it.
take() {
  wait_until nic "$1"
  ip link set "$(nic "$1")" netns "$2" name "$3"
  ip -n "$2" link set "$3" xdp off
  on "$2" ethtool -K "$3" tx off tso off gso off > /dev/null 2>&1 || true
  ip -n "$2" link set "$3" up
}

lay_out_nics() {
  namespaces s1 gw web
  forwarding gw
  take 1 s1 eth0
  take 2 gw sub1
  take 3 gw ext
  take 4 web eth0
  ip -n gw address add 100.64.1.1/24 dev sub1
  host s1 eth0 100.64.1.2/24 100.64.1.1
  ip -n gw address add "$gateway_address/24" dev ext
  ip -n web address add "$web_address/24" dev eth0
  ip -n web route add 198.51.100.0/24 via "$gateway_address"
  # shellcheck disable=SC2034  # write_config reads it
  internal='["sub1"]'
}

# download BYTES - from web to s1, checked byte for byte.
download() {
  running nginx-web || serve_files web "$lab/www"
  head -c "$1" /dev/urandom > "$lab/www/file"
  on s1 curl -sS --max-time 120 -o "$lab/got" "http://$web_address/file"
  cmp "$lab/www/file" "$lab/got"
}
