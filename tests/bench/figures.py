"""Figures by name: samples in, medians out; the table, the limits and the JSON made of them."""

import json
import os
import platform
import statistics


class Figures:
    def __init__(self):
        self.units = {}
        self.samples = {}

    def add(self, name, unit, *samples):
        self.units.setdefault(name, unit)
        self.samples.setdefault(name, []).extend(samples)

    def has(self, name):
        return name in self.samples

    def median(self, name):
        return statistics.median(self.samples[name])

    def rows(self):
        for name, samples in self.samples.items():
            yield {"name": name, "unit": self.units[name], "median": round(statistics.median(samples), 4),
                   "min": round(min(samples), 4), "max": round(max(samples), 4), "n": len(samples)}

    def json(self, machine):
        return json.dumps({"machine": machine, "figures": list(self.rows())}, indent=1) + "\n"

    def table(self):
        """Aligned text, one figure a line, a blank line between the groups."""
        lines = [f"{'':34}{'median':>13}{'min':>13}{'max':>13}{'n':>4}  unit"]
        group = None
        for row in self.rows():
            prefix = row["name"].split(".")[0]
            if group not in (None, prefix):
                lines.append("")
            group = prefix
            numbers = "".join(f"{shown(row[key]):>13}" for key in ("median", "min", "max"))
            lines.append(f"{row['name']:34}{numbers}{row['n']:>4}  {row['unit']}")
        return "\n".join(lines)


def shown(value):
    if value == int(value) or abs(value) >= 10000:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.3f}"


class Limit:
    """What a figure, or one figure over another, must be: at most or at least a bound. With no bound it is only shown."""

    def __init__(self, sentence, figure, over=None, at_most=None, at_least=None, unit=""):
        self.sentence = sentence
        self.figure = figure
        self.over = over
        self.at_most = at_most
        self.at_least = at_least
        self.unit = unit

    def value(self, figures):
        if not figures.has(self.figure) or (self.over and not figures.has(self.over)):
            return None
        return figures.median(self.figure) / (figures.median(self.over) if self.over else 1)

    def word(self, value):
        if self.at_most is None and self.at_least is None:
            return ""
        met = value <= self.at_most if self.at_least is None else value >= self.at_least
        return "ok" if met else "MISSED"

    def bound(self):
        if self.at_least is not None:
            return f"must be >= {self.at_least:g}"
        return f"must be <= {self.at_most:g}" if self.at_most is not None else ""


LIMITS = [
    Limit("one load that misses the caches, on this machine", "machine.cache_miss", unit="ns"),
    Limit("1 M: XDP forwarding and one array look-up, no NAT", "e2e.xdp_array.1m", "e2e.xdp_forward.1m", unit="x"),
    Limit("1 M: XDP forwarding and one hash look-up, no NAT", "e2e.xdp_hash.1m", "e2e.xdp_forward.1m", unit="x"),
    Limit("1 k mappings, against plain XDP forwarding", "e2e.apnat.1k", "e2e.xdp_forward.1k", at_most=1.30, unit="x"),
    Limit("1 M mappings, against plain XDP forwarding", "e2e.apnat.1m", "e2e.xdp_forward.1m", at_most=2.2, unit="x"),
    Limit("nftables slower than us, 1 k", "e2e.nftables.1k", "e2e.apnat.1k", at_least=5, unit="x"),
    Limit("nftables slower than us, 1 M", "e2e.nftables.1m", "e2e.apnat.1m", at_least=6, unit="x"),
    Limit("nftables slower than us, all new", "e2e.nftables.new", "e2e.apnat.new", at_least=7, unit="x"),
    Limit("translate outbound, 1 mapping", "testrun.outbound.1", at_most=45, unit="ns"),
    Limit("translate outbound, 1 M", "testrun.outbound.1m", at_most=150, unit="ns"),
    Limit("translate outbound, 2 M", "testrun.outbound.2m", at_most=200, unit="ns"),
    Limit("inbound against outbound, 1 mapping", "testrun.inbound.1", "testrun.outbound.1", at_most=1, unit="x"),
    Limit("inbound against outbound, 1 k", "testrun.inbound.1k", "testrun.outbound.1k", at_most=1, unit="x"),
    Limit("inbound against outbound, 1 M", "testrun.inbound.1m", "testrun.outbound.1m", at_most=1, unit="x"),
    Limit("inbound against outbound, 2 M", "testrun.inbound.2m", "testrun.outbound.2m", at_most=1, unit="x"),
    Limit("ID of a DF=0 packet, one flow", "testrun.id.1", at_most=8, unit="ns"),
    Limit("ID of a DF=0 packet, 1 M destinations", "testrun.id.1m", at_most=60, unit="ns"),
    Limit("3,000 bytes in two fragments, end to end", "rate.fragments.apnat", at_least=150000, unit="/s"),
    Limit("nftables slower than us, fragments", "e2e.fragments.nftables", "e2e.fragments.apnat", unit="x"),
    Limit("reassembler alone, 3,000 bytes in two", "slowpath.reassembler.rate", at_least=2e6, unit="/s"),
    Limit("whole through 1 M fragments of one source", "slowpath.reassembler.one.delivered", at_least=99, unit="%"),
    Limit("whole through 1 M fragments of 1 k sources", "slowpath.reassembler.1k.delivered", at_least=99, unit="%"),
    Limit("whole through 1 M fragments of 1 M sources", "slowpath.reassembler.1m.delivered", at_least=99, unit="%"),
    Limit("memory in that flood, of 64", "slowpath.reassembler.1m.resident", at_most=64, unit="MiB"),
    Limit("mapping records: ring to synced history to file", "records.apnat.rate", at_least=300000, unit="/s"),
    Limit("the same, in a second of the agent's processor", "records.apnat.rate_of_processor", at_least=300000, unit="/s"),
    Limit("records that were lost", "records.apnat.lost", at_most=0),
    Limit("established packet, 1 k, while the agent does that", "e2e.apnat.1k.logging", "e2e.apnat.1k.quiet", at_most=1.10,
          unit="x"),
    Limit("conntrack -E lost, of the same connections", "records.conntrack.lost_share", unit="%"),
    Limit("ulogd2 lost, of the same connections", "records.ulogd.lost_share", unit="%"),
    Limit("processor a record, conntrack -E against us", "records.conntrack.processor", "records.apnat.processor", unit="x"),
    Limit("processor a record, ulogd2 against us", "records.ulogd.processor", "records.apnat.processor", unit="x"),
    Limit("mapping table of an external address", "memory.external_address", at_most=3.01, unit="MiB"),
    Limit("memory of a mapping", "memory.mapping", at_most=16, unit="bytes"),
    Limit("memory that 1 M mappings added", "memory.growth", at_most=0, unit="bytes"),
]


def verdict_lines(figures):
    """One line a limit that was measured, and how many were missed."""
    lines, missed = [], 0
    for limit in LIMITS:
        value = limit.value(figures)
        if value is None:
            continue
        word = limit.word(value)
        missed += word == "MISSED"
        lines.append(f"{limit.sentence:52}{value:>9.2f} {limit.unit:5} {limit.bound():16} {word}".rstrip())
    return lines, missed


def processor_name():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def cache_bytes():
    """The last level's size, as the kernel writes it."""
    last = ""
    for index in range(5):
        try:
            with open(f"/sys/devices/system/cpu/cpu0/cache/index{index}/size", encoding="ascii") as file:
                last = file.read().strip()
        except OSError:
            break
    return last


def machine(processor):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"processor": processor_name(), "processors": os.cpu_count(), "measured_on": processor,
            "last_level_cache": cache_bytes(), "memory_gib": round(memory / 2**30, 1), "kernel": platform.release(),
            "load_before": os.getloadavg()[0]}
