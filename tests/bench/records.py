"""What it takes to record every connection: apnat's history and event file beside conntrack -E and
ulogd2, with the same connections, and what a packet costs meanwhile. A part of tools/bench;
docs/performance.md explains the method.

Nothing may be lost unseen: each round counts what was opened, what the history holds and what the
file says, and a round of ours in which they differ ends the bench.
"""

import glob
import json
import os
import shutil
import subprocess
import tempfile
import time

import lab
from lab import BenchError, inside, namespace_of, run

CONNECTIONS_EACH = 256              # of a subscriber: half a block
ESTABLISHED_PACKETS = 1 << 18
UDP_SECONDS = 4                    # a connection is over soon, so that its end is recorded in the same round
A_DAY = 33000                      # connections of a subscriber, requirements 11.1 (RFC 6888 section 4, RFC 7422)
RING = "maps/events"
ATTEMPTS = 2
SOCKET_BYTES = 1 << 26             # of a peer's socket; our ring has 16 MiB

ULOGD_CONFIGURATION = """[global]
logfile="{directory}/ulogd.log"
loglevel=5
plugin="{plugins}/ulogd_inpflow_NFCT.so"
plugin="{plugins}/ulogd_filter_IP2STR.so"
plugin="{plugins}/ulogd_filter_PRINTFLOW.so"
plugin="{plugins}/ulogd_output_LOGEMU.so"
stack=ct1:NFCT,ip2str1:IP2STR,print1:PRINTFLOW,emu1:LOGEMU

[ct1]
hash_enable=0
event_mask=0x00000005
netlink_socket_buffer_size={bytes}
netlink_socket_buffer_maxsize={bytes}

[emu1]
file="{directory}/ulogd.flows"
sync=0
"""


class Records:
    def __init__(self, bench):
        self.bench = bench
        self.figures = bench.figures
        self.apnat = bench.apnat
        self.connections = 1 << 20 if bench.quick else 1 << 21
        # /run and often /tmp are memory: what is called durable here has to be on a disk.
        self.directory = tempfile.mkdtemp(prefix="apnat-bench-records-", dir="/var/tmp")

    def measure(self):
        try:
            self.measure_sync()
            self.apnat.detach()
            lab.forget_connections()
            lab.set_udp_timeout(UDP_SECONDS)
            for number in range(self.bench.rounds):
                self.measure_beside()
                if number == 0 or not self.bench.quick:
                    self.measure_loggers()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def measure_loggers(self):
        offered = self.measure_ours()
        self.measure_conntrack(offered)
        if not self.bench.quick:
            self.measure_ulogd(offered)

    def measure_sync(self):
        """What the disk takes to have 4 KiB for good: nobody's records are durable sooner."""
        with open(f"{self.directory}/sync", "wb", buffering=0) as file:
            for _ in range(50):
                file.write(bytes(4096))
                started = time.monotonic()
                os.fsync(file.fileno())
                self.figures.add("machine.sync", "ms", (time.monotonic() - started) * 1000)

    def generate(self, device, sink, *words):
        command = inside(lab.WIRE, f"{self.bench.binaries}/bench_records", "--device", device, "--sink", sink,
                         "--subscribers", str(self.connections // CONNECTIONS_EACH), "--flows", str(self.connections), *words)
        return json.loads(run(*command, preexec_fn=lab.measuring_on(self.bench.processor)))

    # ---- ours ----------------------------------------------------------------------------------

    def start_agent(self, **words):
        shutil.rmtree(self.apnat.state, ignore_errors=True)
        self.apnat.configure(f"{self.directory}/state", **words)
        self.apnat.start(niceness=-20)

    def written(self):
        return json.loads(self.apnat.natctl("--json", "status").stdout)["events"]["written"]

    def measure_ours(self):
        """As many connections as the agent keeps up with. Returns how many a second those were. A round in which its ring
        ran empty measured the generator, which something kept from its processor: then once more."""
        for _ in range(ATTEMPTS):
            self.start_agent(log="mappings", udp_timeout=UDP_SECONDS, block_idle=3600)
            before, ran = self.written(), cpu_seconds(self.apnat.agent.pid)
            result = self.generate("in-apnat", "out-apnat", "--packets", str(self.connections), "--ring",
                                   f"{self.apnat.pins}/{RING}")
            events, ran = self.written() - before, cpu_seconds(self.apnat.agent.pid) - ran
            # Its walk comes by every mapping within half a minute.
            wait_until(lambda: self.written() - before >= 2 * self.connections and is_steady(self.written),
                       "the ends of all connections to be recorded")
            weights = self.check_and_weigh(result)
            if result["least_waiting"] > 0:
                break
        for name, bytes_each in weights.items():
            self.weigh(name, bytes_each)
        # Of the first connections the ends were recorded meanwhile: they count for the processor, not for the rate.
        for name, unit in (("connections", "1/s"), ("rate", "records/s")):
            self.figures.add(f"records.apnat.{name}", unit, round(self.connections / result["seconds"]))
        self.figures.add("records.apnat.least_waiting", "records", result["least_waiting"])
        self.figures.add("records.apnat.processor", "ns", ran / events * 1e9)
        self.figures.add("records.apnat.rate_of_processor", "records/s", round(events / ran))
        return self.connections / result["seconds"]

    def check_and_weigh(self, result):
        """That nothing is missing; the bytes of a connection in the file and in the history."""
        time.sleep(1)
        counters = json.loads(self.apnat.natctl("--json", "counters").stdout)
        opened = counters["TRANSLATED_OUTBOUND"]
        self.apnat.detach()
        events = f"{self.apnat.state}/events.jsonl"
        history = json.loads(run(f"{self.bench.binaries}/bench_leases", f"{self.apnat.state}/history"))
        created, deleted, gaps = (lines_with(f'"event":"{name}"', events)
                                  for name in ("mapping_created", "mapping_deleted", "gap"))
        lost = sum(abs(opened - count) for count in (created, deleted)) + abs(opened - history["ended"]) + gaps
        self.figures.add("records.apnat.lost", "records", lost)
        self.figures.add("records.apnat.refused", "connections", counters["EVENT_RING_FULL"])
        if lost or opened != result["arrived"] or history["open"]:
            raise BenchError(f"records differ: {opened} connections, {created} begun and {deleted} ended in the file, "
                             f"{gaps} gaps, history {history}, generator {result}")
        size = sum(os.path.getsize(entry.path) for entry in os.scandir(f"{self.apnat.state}/history"))
        return {"apnat": os.path.getsize(events) / opened, "apnat.history": size / opened}

    def weigh(self, name, bytes_each):
        self.figures.add(f"records.{name}.bytes_each", "bytes", bytes_each)
        self.figures.add(f"records.{name}.bytes_a_day", "bytes", bytes_each * A_DAY)

    def measure_beside(self):
        """Established flows, while the agent works off a ring and while it does not; the generator taken off."""
        self.start_agent(log="mappings", udp_timeout=3600)
        words = ("--established", str(ESTABLISHED_PACKETS), "--ring",
                 f"{self.apnat.pins}/{RING}", "--agent", str(self.apnat.agent.pid))
        base = self.bench.send("base-in", "base-out", "--flows", "1024")
        result = self.generate("in-apnat", "out-apnat", *words)
        if result["waiting_after"] == 0:
            raise BenchError(f"the agent had nothing to do before the measuring was over: {result}")
        if result["arrived"] < 0.999 * result["sent"]:
            raise BenchError(f"packets were lost: {result}")
        self.figures.add("e2e.apnat.1k.quiet", "ns", result["idle_ns"] - base["ns"])
        self.figures.add("e2e.apnat.1k.logging", "ns", result["busy_ns"] - base["ns"])
        self.apnat.detach()

    # ---- the peers -----------------------------------------------------------------------------

    def measure_peer(self, name, command, path, words_of, offered):
        """The same connections at the rate that ours took, for a logger on the processor that the agent had."""
        if os.path.exists(path):
            os.remove(path)
        with open(f"{self.directory}/{name}.errors", "w", encoding="ascii") as errors:
            logger = subprocess.Popen(inside(namespace_of("nft"), *command), stdout=errors, stderr=errors,
                                      preexec_fn=lab.on_processor(self.bench.others, -20))
        time.sleep(1)
        ran = cpu_seconds(logger.pid)
        result = self.generate("in-nft", "out-nft", "--packets", str(self.connections), "--rate", str(offered))
        at_the_end = os.path.getsize(path)
        wait_until(lambda: tracked() == 0 and is_steady(lambda: os.path.getsize(path)), "conntrack to forget", 200)
        ran = cpu_seconds(logger.pid) - ran
        overruns = netlink_drops()
        self.figures.add(f"records.{name}.connections", "1/s", round(self.connections / result["sending_seconds"]))
        logger.terminate()
        logger.wait()
        begun, ended = (lines_with(words, path) for words in words_of)
        size = os.path.getsize(path)
        lines = begun + ended
        self.figures.add(f"records.{name}.rate", "records/s",
                         round(lines * at_the_end / size / result["sending_seconds"]))
        self.figures.add(f"records.{name}.processor", "ns", ran / max(lines, 1) * 1e9)
        self.figures.add(f"records.{name}.lost", "records", 2 * result["arrived"] - lines)
        self.figures.add(f"records.{name}.lost_share", "%", 100 * (1 - lines / (2 * result["arrived"])))
        self.figures.add(f"records.{name}.overruns", "messages", overruns)
        self.weigh(name, 2 * size / max(lines, 1))

    def measure_conntrack(self, offered):
        path = f"{self.directory}/conntrack.events"
        self.measure_peer("conntrack", ("sh", "-c", f"exec conntrack -E -p udp -e NEW,DESTROY -o timestamp -b {SOCKET_BYTES} > {path}"),
                          path, ("[NEW]", "[DESTROY]"), offered)

    def measure_ulogd(self, offered):
        path = f"{self.directory}/ulogd.flows"
        configuration = f"{self.directory}/ulogd.conf"
        plugins = os.path.dirname(glob.glob("/usr/lib/*/ulogd/ulogd_inpflow_NFCT.so")[0])
        with open(configuration, "w", encoding="ascii") as file:
            file.write(ULOGD_CONFIGURATION.format(directory=self.directory, plugins=plugins, bytes=SOCKET_BYTES))
        self.measure_peer("ulogd", ("ulogd", "-c", configuration), path, ("[NEW]", "[DESTROY]"), offered)


def tracked():
    return int(run(*inside(namespace_of("nft"), "conntrack", "-C")))


def netlink_drops():
    """Messages that no socket of the peer's namespace had room for."""
    lines = run(*inside(namespace_of("nft"), "cat", "/proc/net/netlink")).splitlines()
    at = lines[0].split().index("Drops")
    return sum(int(line.split()[at]) for line in lines[1:])


def cpu_seconds(process):
    """What all its threads have had of processors."""
    total = 0
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def lines_with(words, path):
    done = subprocess.run(("grep", "-cF", words, path), stdout=subprocess.PIPE, text=True, check=False)
    return int(done.stdout)


def is_steady(figure):
    before = figure()
    time.sleep(3)
    return figure() == before


def wait_until(is_so, what, patience=90):
    end = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > end:
            raise BenchError(f"waited {patience} s for {what}")
        time.sleep(0.2)
