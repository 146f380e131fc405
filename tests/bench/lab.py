"""The bench's network: for each gateway a namespace with an `inside` and an `outside`
interface, whose far ends are in-NAME and out-NAME in the namespace `wire`.

The generator sends into in-NAME and the sink takes out of out-NAME, both in `wire`, so
that generator, gateway and sink are one process and its softirqs on one processor.
"""

import ctypes
import glob
import json
import os
import shutil
import signal
import subprocess
import time

WIRE = "wire"
PR_SET_PDEATHSIG = 1
CONNTRACK = "/proc/sys/net/netfilter/"


class BenchError(Exception):
    """Something the operator has to hear."""


def run(*words, **options):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def namespace_of(gateway):
    return f"gateway-{gateway}"


def inside(namespace, *words):
    """The words that run a command in a network namespace, keeping our mounts."""
    return ("nsenter", f"--net=/run/netns/{namespace}", *words)


def on_processor(processors, niceness=0):
    """For preexec_fn: this child runs there and nowhere else, and not longer than we do."""
    def settle():
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, processors)
        os.nice(niceness)
        if niceness < 0:
            precede_other_sessions(niceness)
    return settle


def precede_other_sessions(niceness):
    """Where sessions are scheduled as groups (sched_autogroup_enabled), niceness counts inside one only: a session of our
    own, and that one's niceness."""
    os.setsid()
    if os.path.exists("/proc/self/autogroup"):
        with open("/proc/self/autogroup", "w", encoding="ascii") as file:
            file.write(str(niceness))


def measuring_on(processor):
    """The same for what measures: nearly everything else on that processor waits."""
    return on_processor({processor}, -20)


def ip(*words):
    run("ip", *words)


def add_link(near, far, far_namespace, macs):
    ip("-n", WIRE, "link", "add", near, "address", macs[0], "numrxqueues", "1", "numtxqueues", "1", "type", "veth",
       "peer", "name", far, "netns", far_namespace, "address", macs[1], "numrxqueues", "1", "numtxqueues", "1")
    ip("-n", WIRE, "link", "set", near, "up")
    ip("-n", far_namespace, "link", "set", far, "up")


def add_gateway(name):
    namespace = namespace_of(name)
    ip("netns", "add", namespace)
    ip("-n", namespace, "link", "set", "lo", "up")
    add_link(f"in-{name}", "inside", namespace, ("02:00:00:00:00:02", "02:00:00:00:00:01"))
    add_link(f"out-{name}", "outside", namespace, ("02:00:00:00:00:04", "02:00:00:00:00:03"))
    for words in (("addr", "add", "192.0.2.1/24", "dev", "inside"),
                  ("addr", "add", "198.51.100.1/30", "dev", "outside"),
                  ("neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", "inside", "nud", "permanent"),
                  ("neigh", "add", "198.51.100.2", "lladdr", "02:00:00:00:00:04", "dev", "outside", "nud", "permanent"),
                  ("route", "add", "100.64.0.0/16", "via", "192.0.2.2"),
                  ("route", "add", "default", "via", "198.51.100.2")):
        ip("-n", namespace, *words)
    run(*inside(namespace, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0",
                "net.ipv4.conf.inside.rp_filter=0", "net.ipv6.conf.all.disable_ipv6=1"))


def lay_wire():
    """Our own mounts first: what they hold ends with this process, however it ends."""
    run("mount", "--make-rprivate", "/")
    os.makedirs("/run/netns", exist_ok=True)
    run("mount", "-t", "tmpfs", "bench", "/run/netns")
    ip("netns", "add", WIRE)
    ip("-n", WIRE, "link", "set", "lo", "up")
    run(*inside(WIRE, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"))
    add_link("base-in", "base-out", WIRE, ("02:00:00:00:00:02", "02:00:00:00:00:01"))


def remove_namespaces():
    listed = subprocess.run(("ip", "netns", "list"), stdout=subprocess.PIPE, text=True, check=False).stdout
    for line in listed.splitlines():
        subprocess.run(("ip", "netns", "delete", line.split()[0]), check=False)


def load_yardsticks(object_file, bpffs):
    run("bpftool", "prog", "loadall", object_file, f"{bpffs}/yardsticks")


def start_yardstick(name, program, bpffs):
    add_gateway(name)
    run(*inside(namespace_of(name), "bpftool", "net", "attach", "xdpdrv", "pinned", f"{bpffs}/yardsticks/{program}",
                "dev", "inside"))


def start_kernel_forward():
    """GRO on lets live frames into an interface that has no XDP program."""
    add_gateway("kernel")
    run(*inside(namespace_of("kernel"), "ethtool", "-K", "inside", "gro", "on"))


NFTABLES_RULES = """table ip bench {
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "outside" meta l4proto udp snat to 203.0.113.0-203.0.113.127:1024-65535
  }
}
"""


def start_nftables():
    add_gateway("nft")
    namespace = namespace_of("nft")
    run(*inside(namespace, "ethtool", "-K", "inside", "gro", "on"))
    run(*inside(namespace, "nft", "-f", "-"), input=NFTABLES_RULES)
    set_udp_timeout(600)


def set_udp_timeout(seconds):
    """Of conntrack's new entries."""
    run(*inside(namespace_of("nft"), "sysctl", "-qw", f"net.netfilter.nf_conntrack_udp_timeout={seconds}",
                f"net.netfilter.nf_conntrack_udp_timeout_stream={seconds}"))


def forget_connections():
    run(*inside(namespace_of("nft"), "conntrack", "-F"))


class RoomyConntrack:
    """Buckets and room for conntrack, machine-wide while it lasts: with the default number of
    buckets the peer is 1.8 times slower at a million flows, which would flatter us."""

    WANTED = {"nf_conntrack_buckets": 2097152, "nf_conntrack_max": 8388608}

    def __enter__(self):
        subprocess.run(("modprobe", "-q", "nf_conntrack"), check=False)
        self.before = {}
        for name, value in self.WANTED.items():
            with open(CONNTRACK + name, encoding="ascii") as file:
                self.before[name] = file.read().strip()
            self.write(name, value)

    def __exit__(self, *_):
        for name, value in self.before.items():
            self.write(name, value)

    @staticmethod
    def write(name, value):
        with open(CONNTRACK + name, "w", encoding="ascii") as file:
            file.write(str(value))


AGENT_CONFIGURATION = """[node]
name = "bench"

[paths]
socket = "{directory}/apnatd.sock"
bpffs = "{bpffs}/apnat"
state = "{state}"

[interfaces]
internal = ["inside"]
external = ["outside"]
mode = "native"

[[pool]]
name = "bench"
internal = ["100.64.0.0/16"]
external = ["203.0.113.0/25"]
assignment = "dynamic"
ports = "1024-65535"
block_size = 512
max_blocks = 8
log = "{log}"

[timeouts]
allow_below_rfc = true
udp = {udp_timeout}
block_idle = {block_idle}

[[event_sink]]
type = "file"
path = "{state}/events.jsonl"
"""


class Apnat:
    """The gateway under test: the real agent with a real configuration."""

    def __init__(self, binaries, directory, bpffs, processors):
        self.binaries = binaries
        self.directory = directory
        self.pins = f"{bpffs}/apnat"
        self.processors = processors
        self.agent = None
        self.configuration = f"{directory}/apnatd.toml"
        self.configure(f"{directory}/state")
        add_gateway("apnat")

    def configure(self, state, log="blocks", udp_timeout=3600, block_idle=600):
        """For the next start. `state` is where history and events go."""
        self.state = state
        os.makedirs(state, exist_ok=True)
        with open(self.configuration, "w", encoding="ascii") as file:
            file.write(AGENT_CONFIGURATION.format(directory=self.directory, bpffs=os.path.dirname(self.pins),
                                                  state=state, log=log, udp_timeout=udp_timeout,
                                                  block_idle=block_idle))

    def natctl(self, *words):
        return subprocess.run((f"{self.binaries}/natctl", "--socket", f"{self.directory}/apnatd.sock", *words),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    def start(self, niceness=0):
        """Returns how many seconds it took until it answered."""
        with open(f"{self.directory}/apnatd.log", "a", encoding="ascii") as log:
            started = time.monotonic()
            self.agent = subprocess.Popen(
                inside(namespace_of("apnat"), f"{self.binaries}/apnatd", "--config", self.configuration),
                stdout=log, stderr=log, preexec_fn=on_processor(self.processors, niceness))
        while self.natctl("status").returncode != 0:
            if self.agent.poll() is not None or time.monotonic() - started > 60:
                raise BenchError(f"apnatd does not answer:\n{self.last_words()}")
            time.sleep(0.002)
        return time.monotonic() - started

    def last_words(self):
        with open(f"{self.directory}/apnatd.log", encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-20:])

    def slow_path_thread(self):
        """Its number in the kernel."""
        for path in glob.glob(f"/proc/{self.agent.pid}/task/*/comm"):
            with open(path, encoding="ascii") as file:
                if file.read().strip() == "slow-path":
                    return int(path.split("/")[4])
        raise BenchError("the agent has no slow path")

    def slow_path(self):
        """Its figures; they are shown ten times a second."""
        time.sleep(0.25)
        return json.loads(self.natctl("--json", "status").stdout)["slow_path"]

    def kill(self):
        if self.agent:
            self.agent.kill()
            self.agent.wait()
            self.agent = None

    def detach(self):
        """Off its interfaces; the agent writes what it still has to, and ends."""
        done = self.natctl("detach", "--yes")
        if done.returncode != 0:
            raise BenchError(f"natctl detach: {done.stderr.strip()}")
        self.agent.wait(timeout=60)
        self.agent = None

    def begin_anew(self):
        """A node that has never run before: no mapping, and no port that was in use a moment ago and is held down."""
        self.detach()
        shutil.rmtree(self.state)
        os.makedirs(self.state)
        self.start()


class TranslatorAlone:
    """In the agent's place while tuning the data plane: the same program, tables filled by hand."""

    def __init__(self, binaries, bpffs, processors):
        self.command = (f"{binaries}/bench_translator", "--pins", f"{bpffs}/apnat")
        self.pins = f"{bpffs}/apnat"
        self.processors = processors
        self.process = None
        add_gateway("apnat")

    def start(self):
        started = time.monotonic()
        self.process = subprocess.Popen(inside(namespace_of("apnat"), *self.command), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, preexec_fn=on_processor(self.processors))
        if not self.process.stdout.readline():
            raise BenchError("the translator did not start")
        return time.monotonic() - started

    def kill(self):
        if self.process:
            self.process.communicate()
            self.process = None
            shutil.rmtree(self.pins)

    def begin_anew(self):
        for device in ("inside", "outside"):
            ip("-n", namespace_of("apnat"), "link", "set", device, "xdp", "off")
        self.kill()
        self.start()
