"""The reference result as Markdown, put into docs/performance.md between its two marks."""

import figures as figures_module

BEGIN = "<!-- figures: written by tools/bench --document -->\n"
END = "<!-- end of figures -->\n"

GATEWAYS = {"xdp_forward": "XDP forwarding, no NAT", "xdp_array": "... and one array look-up",
            "xdp_hash": "... and one hash look-up", "apnat": "**apnat**", "kernel_forward": "kernel forwarding, no NAT",
            "nftables": "nftables SNAT"}
COLUMNS = {"1": "1", "1k": "1 k", "100k": "100 k", "1m": "1 M", "new": "all new", "imix.1k": "IMIX, 1 k",
           "imix.1m": "IMIX, 1 M"}
RUN_COLUMNS = {"1": "1", "1k": "1 k", "32k": "32 k", "1m": "1 M", "2m": "2 M", "new": "all new"}

LOGGERS = {"apnat": "**apnat**", "conntrack": "`conntrack -E`", "ulogd": "ulogd2"}
LOGGER_COLUMNS = {"connections": "connections/s", "rate": "records/s", "processor": "ns of processor a record",
                  "lost": "lost", "bytes_each": "bytes a connection", "bytes_a_day": "bytes a subscriber and day"}


def row(cells):
    return "| " + " | ".join(cells) + " |"


def table(figures, names, columns, prefix):
    lines = [row(["", *columns.values()]), row(["---", *("---:" for _ in columns)])]
    for name, label in names.items():
        cells = [f"{figures.median(f'{prefix}.{name}.{column}'):,.0f}" if figures.has(f"{prefix}.{name}.{column}")
                 else "" for column in columns]
        lines.append(row([label, *cells]))
    return lines


def rest(figures):
    """What is neither end to end nor a test run, and is no rate."""
    lines = [row(["", "median", "min", "max", "n", "unit"]), row(["---", "---:", "---:", "---:", "---:", "---"])]
    for figure in figures.rows():
        if figure["name"].split(".")[0] in ("machine", "memory", "agent") or figure["name"].endswith("in_empty"):
            numbers = [figures_module.shown(figure[key]) for key in ("median", "min", "max")]
            lines.append(row([f"`{figure['name']}`", *numbers, str(figure["n"]), figure["unit"]]))
    return lines


def loggers(figures):
    """Every connection recorded, if that was measured."""
    if not figures.has("records.apnat.rate"):
        return []
    history = [f"{figures.median(f'records.apnat.history.{column}'):,.0f}" for column in ("bytes_each", "bytes_a_day")]
    return ["Every connection recorded, its begin and its end; the loggers on one core, medians:", "",
            *table(figures, LOGGERS, LOGGER_COLUMNS, "records"),
            row(["... its history", "", "", "", "", *history]), "",
            f"An established packet costs {figures.median('e2e.apnat.1k.quiet'):,.0f} ns while the agent has nothing to do, "
            f"{figures.median('e2e.apnat.1k.logging'):,.0f} ns while it works at that rate.", ""]


def limits(figures):
    return ["```", *figures_module.verdict_lines(figures)[0], "```"]


def markdown(figures, machine):
    where = (f"{machine['processor']}, {machine['processors']} processors, last-level cache "
             f"{machine['last_level_cache']}, {machine['memory_gib']} GiB, Linux {machine['kernel']}; load average before "
             f"the run {machine['load_before']:.1f}.")
    rounds = next(figure["n"] for figure in figures.rows() if figure["name"] == "e2e.apnat.1k")
    return "\n".join([
        where, "",
        f"End to end, ns per 64-byte packet on one core, by number of flows; medians of {rounds} interleaved rounds:", "",
        *table(figures, GATEWAYS, COLUMNS, "e2e"), "",
        "![cost against number of mappings](performance.svg)", "",
        "The translator alone, ns per packet, route look-up included, by number of mappings:", "",
        *table(figures, {"outbound": "outbound", "inbound": "inbound"}, RUN_COLUMNS, "testrun"), "",
        *loggers(figures),
        *rest(figures), "",
        "Against what was asked of it:", "",
        *limits(figures), ""])


def put_into(path, figures, machine):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    head, _, tail = text.partition(BEGIN)
    _, _, tail = tail.partition(END)
    with open(path, "w", encoding="utf-8") as file:
        file.write(head + BEGIN + "\n" + markdown(figures, machine) + "\n" + END + tail)
