#!/usr/bin/env python3
"""layers.py - who may include whom. Prints each include that is not allowed and
fails if there is one. CONTRIBUTING.md explains the rooms."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# A room of userspace/ and the rooms it may include, besides itself and the contract.
ROOMS = {
    "base": set(),
    "net": {"base"},
    "config": {"base", "net"},
    "events": {"base", "net"},
    "datapath": {"base", "net", "config", "events"},
    "slowpath": {"base", "net", "config", "events", "datapath"},
    "history": {"base", "net", "config", "events"},
    "control": {"base"},
    "commands": {"base", "net", "config", "events", "datapath", "slowpath", "history", "control"},
    "apnatd": {"base", "net", "config", "events", "datapath", "slowpath", "history", "control", "commands"},
    "natctl": {"base", "control", "commands"},
}
# natctl's end of a command knows the socket and the words, nothing of the data plane.
NATCTL_END = {"base", "net", "config", "control", "commands"}

# What a room shows to others: its door and its values. A room not named here
# (base, net: tool boxes) shows everything.
DOORS = {
    "config": {"config.h", "plan.h", "change.h", "read.h", "check.h", "sizing.h"},
    "events": {"event.h", "decode.h", "fan_out.h", "follow.h", "json.h", "sequencer.h", "sink.h", "time_text.h"},
    "datapath": {"datapath.h", "explain.h", "slow_path_program.h"},
    "history": {"store.h", "query.h", "epoch.h"},
    "slowpath": {"slow_path.h", "figures.h", "fragment.h", "frame.h", "fragmenter.h", "icmp_error.h", "reassembler.h", "wire.h"},
    "control": {"client.h", "server.h", "protocol.h", "answer.h"},
    "commands": {"command.h"},
}

# A library of the outer world and the only files that may know it.
OWNERS = [
    (re.compile(r"^(bpf/(?!core|native)|xdp/(?!xsk))"), re.compile(r"^datapath/")),
    (re.compile(r"^xdp/xsk"), re.compile(r"^slowpath/xsk_ring")),
    (re.compile(r"^toml"), re.compile(r"^config/(read|section)")),
    (re.compile(r"^nlohmann/"), re.compile(r"^(control|commands|events|natctl)/")),
    (re.compile(r"^CLI/"), re.compile(r"(_natctl\.cpp|^commands/.*natctl\.h|^(apnatd|natctl)/.*)$")),
    (re.compile(r"^(openssl|curl|librdkafka)/"), re.compile(r"^events/sinks/")),
    (re.compile(r"^sqlite3"), re.compile(r"^history/database\.")),
    (re.compile(r"^netlink/"), re.compile(r"^(net|datapath)/")),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)


def complaint(name, room, quote, target):
    """Why `name` (a path under userspace/) may not include `target`; None if it may."""
    for library, owner in OWNERS:
        if library.match(target) and not owner.search(name):
            return f"only {owner.pattern} knows this library"
    other = target.split("/")[0]
    if quote == "<" or other not in ROOMS or other == room:
        return None
    allowed = NATCTL_END if name.endswith("_natctl.cpp") else ROOMS[room]
    if other not in allowed:
        return f"{room} may not know {other}"
    header = target.split("/", 1)[1]
    if room in ("apnatd", "natctl"):
        return None  # they wire everything together
    if other in DOORS and header not in DOORS[other]:
        return f"not a door of {other}"
    return None


def core_complaint(target):
    """bpf/core asks its host through platform.h and knows the contract; nothing else."""
    if target.startswith(("apnat/", "core/")) or "/" not in target or target.startswith(("linux/", "access/")):
        return None
    return "the core knows the contract and itself"


def main():
    found = []
    for path in sorted((ROOT / "userspace").glob("*/**/*")):
        if path.suffix in (".h", ".cpp"):
            name = str(path.relative_to(ROOT / "userspace"))
            for quote, target in INCLUDE.findall(path.read_text()):
                why = complaint(name, name.split("/")[0], quote, target)
                if why:
                    found.append(f"userspace/{name}: {target}: {why}")
    for path in sorted((ROOT / "bpf" / "core").glob("**/*.h")):
        for _, target in INCLUDE.findall(path.read_text()):
            why = core_complaint(target)
            if why:
                found.append(f"{path.relative_to(ROOT)}: {target}: {why}")
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
