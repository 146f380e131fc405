# topology.sh - a small internet of network namespaces, and apnat in its middle.
# Sourced by run.sh, tools/demo, tools/lab and tools/vm; it lays links and
# addresses and starts programs, and asserts nothing (that is verbs.sh).
#
#    s1 100.64.1.2 ──── sub1 ┐                        ┌──── web 203.0.113.80
#                            gw  ext ────── to_gw  r ─┤
#    s2 100.64.2.2 ──── sub2 ┘ 192.0.2.2  192.0.2.1   └──── dns 203.0.113.53
#
# The pool is 198.51.100.0/29; the router sends it to 192.0.2.2.
#
# `isolate` gives the calling script a mount and a process namespace of its own,
# with a private /run and a private bpffs. When the script ends, however it
# ends, the kernel takes away its processes, namespaces, links and pins.

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
bin=${APNAT_BIN:-$root/build/bin}
lab=/run/lab                       # private: everything a scenario writes
patience=${APNAT_PATIENCE:-1}      # multiplies every wait: emulated machines are slow

web_address=203.0.113.80
dns_address=203.0.113.53
gateway_address=192.0.2.2
router_address=192.0.2.1
pool_prefix=198.51.100.0/29

# isolate SCRIPT ARG... - call it first: `isolate "$0" "$@"`.
isolate() {
  if [[ ${APNAT_ISOLATED:-} != yes || $$ -ne 1 ]]; then
    [[ $(id -u) -eq 0 ]] || { echo "${1##*/}: needs root: sudo $1" >&2; exit 1; }
    APNAT_ISOLATED=yes exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private bash "$@"
  fi
  unset APNAT_ISOLATED
  mount -t tmpfs -o mode=755 tmpfs /run
  mount -t bpf bpf /sys/fs/bpf
  mkdir -p "$lab" /run/netns /run/lock
}

# ---- namespaces, links, programs -------------------------------------------------

# on NAMESPACE COMMAND... - unlike `ip netns exec` it keeps the mounts, bpffs among them.
on() { nsenter "--net=/run/netns/$1" -- "${@:2}"; }

# namespaces NAME... - each with loopback up and no IPv6 chatter.
namespaces() {
  local name
  for name in "$@"; do
    ip netns add "$name"
    on "$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip -n "$name" link set lo up
  done
}

# connect NAMESPACE IFACE NAMESPACE IFACE [MTU] - a veth pair, both ends up.
connect() {
  ip -n "$1" link add "$2" mtu "${5:-1500}" type veth peer name "$4" netns "$3" mtu "${5:-1500}"
  like_a_wire "$1" "$2"
  like_a_wire "$3" "$4"
  ip -n "$1" link set "$2" up
  ip -n "$3" link set "$4" up
}

# What crosses a real wire is finished frames: checksums filled in, nothing
# larger than the MTU, VLAN tags in the frame. GRO makes the veth poll, without
# which nothing that XDP redirects into its peer arrives.
like_a_wire() {
  on "$1" ethtool -K "$2" tx off tso off gso off txvlan off rxvlan off tx-vlan-stag-hw-insert off \
    rx-vlan-stag-hw-parse off gro on > /dev/null
}

# mac_of NAMESPACE IFACE
mac_of() { ip -n "$1" -j link show "$2" | jq -r '.[0].address'; }

# host NAMESPACE IFACE ADDRESS/LENGTH GATEWAY
host() {
  ip -n "$1" address add "$3" dev "$2"
  ip -n "$1" route add default via "$4"
}

# forwarding NAMESPACE - a router, without the opinions of a host.
forwarding() {
  on "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
    net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
  # Answers with time exceeded must not run into the kernel's own limits while tests ask in bursts.
  on "$1" sysctl -qw net.ipv4.icmp_ratelimit=0
}

# lay_out [MTU] - the picture at the top.
lay_out() {
  local mtu=${1:-1500}
  namespaces s1 s2 gw r web dns
  forwarding gw
  forwarding r
  lay_subscriber s1 sub1 100.64.1 "$mtu"
  lay_subscriber s2 sub2 100.64.2 "$mtu"
  connect gw ext r to_gw "$mtu"
  ip -n gw address add "$gateway_address/24" dev ext
  ip -n gw route add default via "$router_address"
  lay_internet "$mtu"
  ip -n r address add "$router_address/24" dev to_gw
  ip -n r route add 198.51.100.0/24 via "$gateway_address"
}

# lay_out_one_armed - one interface that is internal and external: the router hands subscribers' packets to the gateway
# and takes them back on the same link.
lay_out_one_armed() {
  namespaces s1 s2 gw r web dns
  forwarding gw
  forwarding r
  connect gw arm r to_gw
  ip -n gw address add "$gateway_address/24" dev arm
  ip -n r address add "$router_address/24" dev to_gw
  ip -n gw route add default via "$router_address"
  lay_internet
  ip -n r route add 198.51.100.0/24 via "$gateway_address"
  ip -n r route add default via "$gateway_address" table 100
  local n
  for n in 1 2; do
    connect r "to_s$n" "s$n" eth0
    ip -n r address add "100.64.$n.1/24" dev "to_s$n"
    host "s$n" eth0 "100.64.$n.2/24" "100.64.$n.1"
    ip -n r rule add iif "to_s$n" lookup 100
  done
  # shellcheck disable=SC2034  # write_config reads them
  internal='["arm"]' external='["arm"]'
}

# lay_subscriber NAMESPACE GATEWAY_IFACE NETWORK [MTU]
lay_subscriber() {
  connect gw "$2" "$1" eth0 "${4:-1500}"
  ip -n gw address add "$3.1/24" dev "$2"
  host "$1" eth0 "$3.2/24" "$3.1"
}

# lay_internet [MTU] - the two hosts behind the router.
lay_internet() {
  connect r to_web web eth0 "${1:-1500}"
  ip -n r address add 203.0.113.65/26 dev to_web
  host web eth0 "$web_address/26" 203.0.113.65
  connect r to_dns dns eth0 "${1:-1500}"
  ip -n r address add 203.0.113.1/26 dev to_dns
  host dns eth0 "$dns_address/26" 203.0.113.1
}

# ---- programs that run in the background ----------------------------------------

declare -A process=()   # name -> pid

# launch NAME NAMESPACE COMMAND... - its output goes to $lab/NAME.log.
launch() {
  nsenter "--net=/run/netns/$2" -- "${@:3}" >> "$lab/$1.log" 2>&1 &
  process[$1]=$!
}

# running NAME
running() { [[ -n ${process[$1]:-} ]] && kill -0 "${process[$1]}" 2> /dev/null; }

# end NAME [SIGNAL] - and wait until it is gone. Its exit status is ours.
end() {
  local pid=${process[$1]:-} status=0
  [[ -n $pid ]] || return 0
  kill "-${2:-TERM}" "$pid" 2> /dev/null || true
  wait "$pid" 2> /dev/null || status=$?
  unset "process[$1]"
  return "$status"
}

# wait_until COMMAND... - up to ten seconds (times $patience); says what it waited for in vain.
wait_until() {
  local deadline=$((SECONDS + 10 * patience))
  until "$@" > /dev/null 2>&1; do
    if ((SECONDS >= deadline)); then
      echo "waited in vain until: $*" >&2
      return 1
    fi
    sleep 0.05
  done
}

# ---- the gateway ------------------------------------------------------------------

config=$lab/apnatd.toml
events=$lab/events.jsonl

# write_config [POOLS] - the configuration of this topology. The pools and what
# else is special come from stdin; `common_pool` is the usual one.
# Variables internal, external (TOML lists) and mode may be set beforehand.
write_config() {
  cat > "$config" - <(cat << TOML

[node]
name = "gateway"

[paths]
state = "$lab/state"

[interfaces]
internal = ${internal:-[\"sub1\", \"sub2\"]}
external = ${external:-[\"ext\"]}
mode = "${mode:-native}"

[[event_sink]]
type = "file"
path = "$events"
TOML
)
}

common_pool() {
  cat << TOML
[[pool]]
name = "residential"
internal = ["100.64.0.0/16"]
external = ["$pool_prefix"]
TOML
}

# common_forward PROTOCOL EXTERNAL INTERNAL - of common_pool.
common_forward() {
  cat << TOML

[[forward]]
pool = "residential"
protocol = "$1"
external = "$2"
internal = "$3"
TOML
}

# own_address_pool - the gateway's one address is shared, by it too.
own_address_pool() {
  cat << TOML
[[pool]]
name = "own_address"
internal = ["100.64.0.0/16"]
external = ["$gateway_address/32"]
ports = "20000-59999"
TOML
}

# start_agent - returns once it answers.
start_agent() {
  mkdir -p "$lab/state" /run/apnat
  launch agent gw "$bin/apnatd" --config "$config"
  wait_until agent_settled
  running agent || { echo "apnatd did not start:" >&2; tail -n 20 "$lab/agent.log" >&2; return 1; }
  wait_until natctl status
}
agent_settled() { ! running agent || natctl status; }

natctl() { on gw "$bin/natctl" "$@"; }

# counter NAME - how many packets ended so.
counter() { natctl counters --json | jq -e ".$1"; }

# ---- the internet -------------------------------------------------------------------

# serve_files NAMESPACE DIRECTORY - nginx on port 80. Its log has what RFC 6302 asks of a server on the internet: the
# source port, and a time to the millisecond.
serve_files() {
  local place=$lab/nginx-$1
  mkdir -p "$place" "$2"
  cat > "$place/nginx.conf" << CONF
daemon off;
pid $place/pid;
user root;
worker_processes 1;
events { worker_connections 256; }
http {
  log_format rfc6302 '\$remote_addr \$remote_port \$msec "\$request" \$status';
  access_log $place/access.log rfc6302;
  client_body_temp_path $place/t1; proxy_temp_path $place/t2; fastcgi_temp_path $place/t3;
  uwsgi_temp_path $place/t4; scgi_temp_path $place/t5;
  sendfile on;
  server { listen 80; root $2; }
}
CONF
  launch "nginx-$1" "$1" nginx -e stderr -p "$place" -c "$place/nginx.conf"
  wait_until listens "$1" tcp 80
}

# serve_names - dnsmasq in `dns`, knowing one name.
serve_names() {
  launch dnsmasq dns dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file= \
    --log-facility=- --address="/www.example.net/$web_address"
  wait_until listens dns udp 53
}

# serve_iperf NAMESPACE
serve_iperf() {
  launch "iperf-$1" "$1" iperf3 --server
  wait_until listens "$1" tcp 5201
}

# datagrams NAMESPACE - UDP datagrams that have reached it: all that IP delivered but TCP's and ICMP's. UDP's own
# counters know only of those that a program had read when its socket closed, which is the program's doing.
datagrams() {
  on "$1" cat /proc/net/snmp | awk '
    !($1 in column) { for (i = 2; i <= NF; i++) column[$1, $i] = i; column[$1] = 1; next }
    { for (i = 2; i <= NF; i++) count[$1, i] = $i }
    END {
      printf "%d\n", count["Ip:", column["Ip:", "InDelivers"]] - count["Tcp:", column["Tcp:", "InSegs"]] \
        - count["Icmp:", column["Icmp:", "InMsgs"]]
    }'
}

listens() { on "$1" ss -Hln "--$2" "sport = :$3" | grep -q .; }
