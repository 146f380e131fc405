#!/usr/bin/env python3
"""What differs between deployments is a load-time option, not another program: no
conditional compilation in bpf/ and userspace/, except include guards and the
extern "C" of a header that C and C++ share."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)\b.*$", re.MULTILINE)
GUARD = re.compile(r"^#ifndef (\w+)\n#define \1$", re.MULTILINE)


def main():
    found = []
    for folder in ("bpf", "userspace"):
        for path in sorted((ROOT / folder).glob("**/*")):
            if path.suffix not in (".h", ".c", ".cpp"):
                continue
            text = path.read_text()
            guard = GUARD.search(text)
            for match in CONDITION.finditer(text):
                if (guard and match.start() == guard.start()) or match.group() == "#ifdef __cplusplus":
                    continue
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{path.relative_to(ROOT)}:{line}: {match.group().strip()}")
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
