"""tools/bench's second half: lays the network, runs the rounds, writes what came out.

Not to be called alone: tools/bench builds first and gives this a mount namespace of
its own. docs/performance.md explains the method.
"""

import argparse
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import document
import figures as figures_module
import lab
import plot
import records
from lab import BenchError, inside, measuring_on, namespace_of, run

SIZES = {"1": 1, "1k": 1 << 10, "100k": 1 << 17, "1m": 1 << 20}
NEW_FLOWS = 1 << 18
NEW_SUBSCRIBERS = 1024
FIRST_NEW_ADDRESS = 0x64402000  # 100.64.32.0: behind the 8,192 subscribers of the sizes
# Interface names are short: what a figure's name calls a gateway, and what the lab calls it.
IN_LAB = {"xdp_forward": "xdp", "xdp_array": "array", "xdp_hash": "hash", "kernel_forward": "kernel",
          "nftables": "nft", "apnat": "apnat"}
ATTEMPTS = 3
SHOW_MAPS = ("bpftool", "-j", "map", "show")


class Bench:
    def __init__(self, options, directory):
        self.binaries = f"{options.build}/bin"
        self.objects = f"{options.build}/tests/bench"
        self.quick = options.quick
        self.with_agent = not options.no_agent
        self.rounds = options.rounds or (3 if options.quick else 7)
        self.directory = directory
        self.bpffs = f"{directory}/bpf"
        self.figures = figures_module.Figures()
        available = sorted(os.sched_getaffinity(0))
        self.processor = available[-1]
        self.others = set(available[:-1]) or {self.processor}
        self.apnat = None
        self.new_passes = 0

    def sizes(self):
        return ["1k", "1m"] if self.quick else list(SIZES)

    # ---- one round of live frames ----------------------------------------------------------

    def send(self, device, sink, *words, attempts=ATTEMPTS):
        """ns a packet, generator included. A packet lost on the way would make it too cheap: then once more."""
        command = inside(lab.WIRE, f"{self.binaries}/bench_liveframes", "--device", device, "--sink", sink, *words)
        for _ in range(attempts):
            result = json.loads(run(*command, preexec_fn=measuring_on(self.processor)))
            if result["arrived"] >= 0.999 * result["sent"]:
                return result
        raise BenchError(f"{device}: {result['arrived']} of {result['sent']} packets arrived; "
                         "is something else busy on this processor?")

    def through(self, gateway, *words):
        name = IN_LAB[gateway]
        return self.send(f"in-{name}", f"out-{name}", *words)

    def note(self, name, whole, base):
        """The generator taken off, in the three units there may be."""
        self.figures.add(f"e2e.{name}", "ns", whole["ns"] - base["ns"])
        for unit in ("cycles", "instructions"):
            if unit in whole and unit in base:
                self.figures.add(f"e2e.{name}.{unit}", unit, round(whole[unit] - base[unit], 1))

    def measure_size(self, size):
        words = ("--flows", str(SIZES[size]))
        base = self.send("base-in", "base-out", *words)
        self.figures.add(f"generator.{size}", "ns", base["ns"])
        for gateway in IN_LAB:
            self.note(f"{gateway}.{size}", self.through(gateway, *words), base)

    def measure_imix(self, size):
        words = ("--flows", str(SIZES[size]), "--imix")
        base = self.send("base-in", "base-out", *words)
        self.figures.add(f"generator.imix.{size}", "ns", base["ns"])
        for gateway in IN_LAB:
            self.note(f"{gateway}.imix.{size}", self.through(gateway, *words), base)

    def measure_new(self):
        """Subscribers nobody has seen; every packet opens a mapping, beside the 1 M that are there. Each gateway gets
        the same ones; nftables once more with nothing else in its table."""
        base = self.send_new("base-in", "base-out")
        for gateway, name in IN_LAB.items():
            self.note(f"{gateway}.new", self.send_new(f"in-{name}", f"out-{name}"), base)
        lab.forget_connections()
        self.note("nftables.new_in_empty", self.send_new("in-nft", "out-nft"), base)
        self.new_passes += 1

    def send_new(self, device, sink):
        """Not tried twice: a second time the flows would not be new."""
        address = FIRST_NEW_ADDRESS + self.new_passes * NEW_SUBSCRIBERS
        return self.send(device, sink, "--flows", str(NEW_FLOWS), "--packets", str(NEW_FLOWS), "--subscribers",
                         str(NEW_SUBSCRIBERS), "--first-address", str(address), "--new", attempts=1)

    def measure_end_to_end(self):
        for number in range(self.rounds):
            say(f"end to end, round {number + 1} of {self.rounds}")
            miss = run(f"{self.binaries}/bench_cachemiss", preexec_fn=measuring_on(self.processor))
            self.figures.add("machine.cache_miss", "ns", float(miss))
            for size in self.sizes():
                self.measure_size(size)
            for size in ("1k", "1m"):
                self.measure_imix(size)
            self.measure_new()
        self.check_verdicts()

    def check_verdicts(self):
        """That a packet arrived does not say that it was translated: the gateway's own counters do."""
        if not self.with_agent:
            return
        counters = json.loads(self.apnat.natctl("--json", "counters").stdout)
        share = counters["TRANSLATED_OUTBOUND"] / sum(counters.values())
        if share < 0.999:
            raise BenchError(f"only {share:.1%} of the packets were translated in XDP: {counters}")

    # ---- the rest -------------------------------------------------------------------------

    def measure_memory_and_start(self):
        """What the kernel accounts to our tables, empty and with a million mappings; then starts over them."""
        say("memory, and starting with 1 M live mappings")
        empty = self.table_bytes()
        self.through("apnat", "--flows", str(SIZES["1m"]), "--packets", "1024")
        full = self.table_bytes()
        one = {kind: tables[0] for kind, tables in empty.items() if kind.endswith("_tables")}
        self.figures.add("memory.external_address", "MiB", one["mapping_tables"] / 2**20)
        self.figures.add("memory.external_address.blocks", "MiB", one["block_tables"] / 2**20)
        self.figures.add("memory.mapping", "bytes", one["mapping_tables"] // (3 * 65536))
        self.figures.add("memory.all_tables", "MiB", sum(map(sum, empty.values())) / 2**20)
        self.figures.add("memory.growth", "bytes", sum(map(sum, full.values())) - sum(map(sum, empty.values())))
        for _ in range((3 if self.quick else 5) if self.with_agent else 0):
            self.apnat.kill()
            self.figures.add("agent.start_1m", "s", round(self.apnat.start(), 4))

    def table_bytes(self):
        """By pinned map: what the kernel accounts to it; to each table in it, where it is one of tables."""
        bytes_of = {entry["id"]: entry.get("bytes_memlock", 0) for entry in json.loads(run(*SHOW_MAPS))}
        tables = {}
        for pin in sorted(glob.glob(f"{self.apnat.pins}/maps/*")):
            own = json.loads(run(*SHOW_MAPS, "pinned", pin))
            tables[os.path.basename(pin)] = [bytes_of[own["id"]]]
            if own["type"] == "array_of_maps":
                rows = json.loads(run("bpftool", "-j", "map", "dump", "pinned", pin))
                inner = [number_in(row["value"]) for row in rows if isinstance(row.get("value"), list)]
                tables[os.path.basename(pin)] = [bytes_of[number] for number in inner] or [0]
        return tables

    def measure_test_runs(self):
        say(f"test runs of the loaded program, {self.rounds} rounds")
        self.apnat.begin_anew()
        sizes = [1 << 10, 1 << 20] if self.quick else [1, 1 << 10, 1 << 15, 1 << 20, 1 << 21]
        sizes = [1, *sizes, 1 << 21] if self.quick else sizes
        command = inside(namespace_of("apnat"), f"{self.binaries}/bench_testrun", "--json", "--pins", self.apnat.pins,
                         "--inside", "inside", "--outside", "outside", "--rounds", str(self.rounds), "--sizes",
                         ",".join(map(str, sizes)))
        for line in run(*command, preexec_fn=measuring_on(self.processor)).splitlines():
            figure = json.loads(line)
            self.figures.add(figure["name"], figure["unit"], *figure["samples"])

    def measure_reassembler(self):
        say("the reassembler alone, and floods of fragments")
        command = (f"{self.binaries}/bench_reassembler", "--rounds", str(self.rounds))
        for line in run(*command, preexec_fn=measuring_on(self.processor)).splitlines():
            figure = json.loads(line)
            self.figures.add(figure["name"], figure["unit"], *figure["samples"])

    def measure_fragments(self):
        """Datagrams of 3,000 bytes (IPv4) in two fragments. Ours are put together by a thread of the agent, which gets
        the processor of the generator for this: its time is added to what the generator's side cost. nftables puts
        them together in the generator's softirq."""
        say(f"datagrams in two fragments, {self.rounds} rounds")
        self.apnat.begin_anew()
        thread = self.apnat.slow_path_thread()
        os.sched_setaffinity(thread, {self.processor})
        self.send_fragments("base-in", "base-out")
        for gateway in ("apnat", "nftables"):   # mappings, pages, routes
            self.send_fragments(f"in-{IN_LAB[gateway]}", f"out-{IN_LAB[gateway]}")
        for _ in range(self.rounds):
            base = self.send_fragments("base-in", "base-out")
            before, ran = self.apnat.slow_path(), cpu_ns(thread)
            ours = self.send_fragments("in-apnat", "out-apnat")
            ran, after = cpu_ns(thread) - ran, self.apnat.slow_path()
            datagrams = after["reassembly"]["datagrams"] - before["reassembly"]["datagrams"]
            whole = ours["ns"] - base["ns"] + ran / datagrams
            self.figures.add("e2e.fragments.apnat", "ns", whole)
            self.figures.add("slowpath.stage.softirq", "ns", ours["ns"] - base["ns"])
            for stage, spent in after["stage_ns"].items():
                self.figures.add(f"slowpath.stage.{stage}", "ns",
                                 (spent - before["stage_ns"][stage]) / datagrams)
            nftables = self.send_fragments("in-nft", "out-nft")
            self.figures.add("e2e.fragments.nftables", "ns", nftables["ns"] - base["ns"])

    def send_fragments(self, device, sink):
        command = inside(lab.WIRE, f"{self.binaries}/bench_fragments", "--device", device, "--sink", sink)
        for _ in range(ATTEMPTS):
            result = json.loads(run(*command, preexec_fn=measuring_on(self.processor)))
            if result["arrived"] >= 0.999 * result["sent"]:
                return result
        raise BenchError(f"{device}: {result['arrived']} of {result['sent']} fragments arrived")

    def measure_records(self):
        say(f"every connection recorded, {self.rounds} rounds")
        records.Records(self).measure()

    def add_rates(self):
        """The same end-to-end figures as packets a second on one core."""
        for name in [name for name in self.figures.samples if name.startswith("e2e.")]:
            if self.figures.units[name] == "ns":
                rates = [round(1e9 / ns) for ns in self.figures.samples[name]]
                self.figures.add(f"rate{name.removeprefix('e2e')}", "packets/s", *rates)

    def lay_out(self):
        lab.lay_wire()
        os.makedirs(self.bpffs)
        run("mount", "-t", "bpf", "bpf", self.bpffs)
        lab.load_yardsticks(f"{self.objects}/xdp_forward.bpf.o", self.bpffs)
        for name in ("xdp_forward", "xdp_array", "xdp_hash"):
            lab.start_yardstick(IN_LAB[name], name, self.bpffs)
        lab.start_kernel_forward()
        lab.start_nftables()
        if self.with_agent:
            self.apnat = lab.Apnat(self.binaries, self.directory, self.bpffs, self.others)
        else:
            self.apnat = lab.TranslatorAlone(self.binaries, self.bpffs, self.others)
        self.apnat.start()

    def sections(self):
        """In the order they are measured in."""
        sections = {"memory": self.measure_memory_and_start, "end_to_end": self.measure_end_to_end,
                    "testrun": self.measure_test_runs, "reassembler": self.measure_reassembler}
        if self.with_agent:
            sections |= {"fragments": self.measure_fragments, "records": self.measure_records}
        return sections

    def go(self, only):
        with lab.RoomyConntrack():
            try:
                self.lay_out()
                for name, measure in self.sections().items():
                    if only in (None, name):
                        measure()
                self.add_rates()
            finally:
                if self.apnat:
                    self.apnat.kill()
                lab.remove_namespaces()


def cpu_ns(thread):
    """What a thread has had of processors so far, the softirqs in its system calls included."""
    with open(f"/proc/{thread}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def number_in(hexadecimal_bytes):
    return int.from_bytes(bytes(int(byte, 16) for byte in hexadecimal_bytes), "little")


def say(words):
    print(f"bench: {words}", flush=True)


def parse_options():
    parser = argparse.ArgumentParser(
        prog="bench", description="Cost per packet of the gateway, beside plain XDP forwarding, kernel forwarding "
        "and nftables SNAT on the same machine in the same run.",
        epilog="example: sudo tools/bench --quick --json /tmp/bench.json")
    parser.add_argument("--quick", action="store_true", help="3 rounds, fewer sizes: about 6 minutes")
    parser.add_argument("--rounds", type=int, help="samples of each figure (7; --quick: 3)")
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    parser.add_argument("--plot", metavar="FILE", help="write the plot here (default: build/performance.svg)")
    parser.add_argument("--document", metavar="FILE", help="put the result into this copy of docs/performance.md")
    parser.add_argument("--no-agent", action="store_true", help="the translator without apnatd, for tuning it")
    parser.add_argument("--only", metavar="SECTION",
                        help="memory, end_to_end, testrun, reassembler, fragments or records")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a limit is missed")
    parser.add_argument("--build", help=argparse.SUPPRESS, required=True)
    return parser.parse_args()


def write(path, content):
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    say(f"wrote {path}")


def report(bench, machine, options):
    """Everything a person or a program wants of it. Returns how many limits were missed."""
    print(f"\n{machine['processor']}, Linux {machine['kernel']}, processor {machine['measured_on']} of "
          f"{machine['processors']}, load before {machine['load_before']}\n")
    print(bench.figures.table(), end="\n\n")
    lines, missed = figures_module.verdict_lines(bench.figures)
    print("\n".join(lines), end="\n\n")
    if options.json:
        write(options.json, bench.figures.json(machine))
    write(options.plot or f"{options.build}/performance.svg",
          plot.svg(bench.figures, f"{machine['processor']}, Linux {machine['kernel']}"))
    if options.document:
        document.put_into(options.document, bench.figures, machine)
        say(f"wrote {options.document}")
    print(f"bench: {missed} limits missed" if missed else "bench: every limit met")
    return missed


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: told to stop"))
    directory = tempfile.mkdtemp(prefix="apnat-bench-", dir="/run")
    try:
        bench = Bench(options, directory)
        machine = figures_module.machine(bench.processor)
        bench.go(options.only)
        return 1 if report(bench, machine, options) and options.strict else 0
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        subprocess.run(("umount", "-q", f"{directory}/bpf"), check=False)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
