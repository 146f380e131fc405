#!/usr/bin/env python3
"""Every requirement about fragments (FRAG), IPv4 IDs (ID), records (LOG) and IPFIX, and what other parts of the
catalogue say of fragments, is in a test's tags, or the page of its subject says why not."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
THERE_ARE = {"docs/fragments.md": {"FRAG": 31, "ID": 15}, "docs/traceability.md": {"LOG": 15, "IPFIX": 15}}
ELSEWHERE = {"UDP-23", "UDP-24", "UDP-25", "UDP-26", "ICMP-22", "ICMP-23", "ICMP-31", "ICMP-35", "UPD-20", "SEC-9", "SHARE-34",
             "SHARE-35"}
TAG = re.compile(r"\[([A-Z]+-\d+)\]")
ROW = re.compile(r"^\| (FRAG|ID|LOG|IPFIX)-(\d+(?:, \d+)*) \| (.+) \|$", re.MULTILINE)


def tagged():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "tests"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        path = ROOT / name
        if path.suffix in {".cpp", ".sh"} and path.is_file():
            yield from TAG.findall(path.read_text())


def listed(page):
    for kind, numbers, _ in ROW.findall((ROOT / page).read_text()):
        yield from (f"{kind}-{number}" for number in numbers.split(", "))


def main():
    tags, found, known, reasons_of_all = set(tagged()), [], set(), set()
    for page, kinds in THERE_ARE.items():
        wanted = {f"{kind}-{number}" for kind, most in kinds.items() for number in range(1, most + 1)}
        reasons = set(listed(page))
        found += [f"{name}: no test has it, and {page} does not say why" for name in wanted - tags - reasons]
        found += [f"{name}: there is no such requirement of {page}" for name in reasons - wanted]
        known |= wanted
        reasons_of_all |= reasons
    ours = {name for name in tags if name.split("-")[0] in {kind for kinds in THERE_ARE.values() for kind in kinds}}
    found += [f"{name}: there is no such requirement" for name in ours - known]
    found += [f"{name}: no test has it" for name in ELSEWHERE - tags - reasons_of_all]
    print("\n".join(sorted(found)), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
