#!/usr/bin/env python3
"""instructions.py FIGURES [--update] - holds the translator to its budget of
instructions a packet, tests/vm/instructions.json.

FIGURES is what `bench_testrun --json` printed in a guest whose clock counts
instructions (tools/vm/run --icount): its nanoseconds are instructions, those of the
kernel's helpers included. The least of a figure's samples counts; the rest had a
timer tick in them. --update writes what was measured, as tools/budget does.
"""
import json
import pathlib
import sys

BUDGETS = pathlib.Path(__file__).with_name("instructions.json")
MORE = 1.03  # samples repeat within 1 %
LESS = 0.95  # a budget so far above the truth would hide the next loss


def read_figures(path):
    figures = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        figure = json.loads(line)
        if figure["unit"] == "ns":
            figures[figure["name"].removeprefix("testrun.")] = round(min(figure["samples"]))
    return figures


def judge(name, measured, budget):
    """What is wrong, or None."""
    if measured is None:
        return f"{name}: has a budget, was not measured"
    if budget is None:
        return f"{name}: {measured} instructions, no budget: tools/budget vm"
    if measured > budget * MORE:
        return f"{name}: {measured} instructions, budget {budget}"
    return None


def main():
    figures = read_figures(sys.argv[1])
    if not figures:
        sys.exit("nothing was measured")
    if "--update" in sys.argv[2:]:
        BUDGETS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        return
    budgets = json.loads(BUDGETS.read_text(encoding="utf-8"))
    for name, measured in figures.items():
        print(f"{name:<16} {measured:>6} instructions a packet, budget {budgets.get(name)}")
        if measured < budgets.get(name, 0) * LESS:
            print(f"{name}: far below its budget; lower that with tools/budget vm")
    names = list(dict.fromkeys([*figures, *budgets]))
    wrong = [said for name in names if (said := judge(name, figures.get(name), budgets.get(name)))]
    sys.exit("\n".join(wrong) if wrong else 0)


main()
