#!/usr/bin/env python3
"""Every requirement about fragments (FRAG) and IPv4 IDs (ID), and what other parts of the catalogue say of fragments, is
in a test's tags, or docs/fragments.md says why not."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LISTED_IN = ROOT / "docs/fragments.md"
THERE_ARE = {"FRAG": 31, "ID": 15}
ELSEWHERE = {"UDP-23", "UDP-24", "UDP-25", "UDP-26", "ICMP-22", "ICMP-23", "ICMP-31", "ICMP-35", "UPD-20", "SEC-9", "SHARE-34",
             "SHARE-35"}
TAG = re.compile(r"\[([A-Z]+-\d+)\]")
ROW = re.compile(r"^\| (FRAG|ID)-(\d+(?:, \d+)*) \| (.+) \|$", re.MULTILINE)


def tagged():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "tests"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        path = ROOT / name
        if path.suffix in {".cpp", ".sh"} and path.is_file():
            yield from TAG.findall(path.read_text())


def listed():
    for kind, numbers, _ in ROW.findall(LISTED_IN.read_text()):
        yield from (f"{kind}-{number}" for number in numbers.split(", "))


def main():
    wanted = {f"{kind}-{number}" for kind, most in THERE_ARE.items() for number in range(1, most + 1)}
    tags, reasons = set(tagged()), set(listed())
    ours = {name for name in tags if name.split("-")[0] in THERE_ARE}
    found = [f"{name}: no test has it, and {LISTED_IN.name} does not say why"
             for name in (wanted | ELSEWHERE) - tags - reasons]
    found += [f"{name}: there is no such requirement" for name in (ours | reasons) - wanted]
    print("\n".join(sorted(found)), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
