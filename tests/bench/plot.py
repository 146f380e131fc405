"""Cost against number of mappings, beside the peers, as an SVG."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 940, 520
LEFT, RIGHT, TOP, BOTTOM = 74, 250, 64, 74
COLUMNS = ["1", "1k", "100k", "1m", "new"]
COLUMN_LABELS = {"1": "1", "1k": "1 k", "100k": "100 k", "1m": "1 M", "new": "every packet new"}
SERIES = [
    ("nftables", "nftables SNAT", "#b3541e"),
    ("kernel_forward", "kernel forwarding, no NAT", "#7a7a7a"),
    ("xdp_hash", "XDP + one hash look-up, no NAT", "#9a7cc0"),
    ("apnat", "apnat", "#0b6e4f"),
    ("xdp_forward", "XDP forwarding, no NAT", "#3b6fb6"),
]
LOWEST, HIGHEST = 30, 10000


def x_of(column):
    step = (WIDTH - LEFT - RIGHT) / (len(COLUMNS) - 1)
    return LEFT + step * COLUMNS.index(column)


def y_of(ns):
    share = math.log(max(ns, LOWEST) / LOWEST) / math.log(HIGHEST / LOWEST)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def text(x, y, words, size=13, anchor="start", colour="#222", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def axes():
    parts = [text(LEFT, 26, "Cost of a packet on the core that forwards it", 17, weight="bold"),
             text(LEFT, 46, "ns, logarithmic; 64-byte IPv4 UDP, veth to veth, one core; lower is better", 12,
                  colour="#555")]
    for ns in (30, 100, 300, 1000, 3000, 10000):
        y = y_of(ns)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#e3e3e3"/>')
        parts.append(text(LEFT - 10, y + 4, f"{ns:,}", 12, "end", "#555"))
    for column in COLUMNS:
        parts.append(text(x_of(column), HEIGHT - BOTTOM + 22, COLUMN_LABELS[column], 12, "middle", "#555"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 20, "mappings in use, packets in random order", 12, "middle",
                      "#555"))
    return parts


def apart(wished, least=17):
    """The wished heights, pushed down where two labels would overlap."""
    placed, last = {}, -math.inf
    for key, y in sorted(wished.items(), key=lambda item: item[1]):
        last = max(y, last + least)
        placed[key] = last
    return placed


def points_of(figures, series):
    names = [(column, f"e2e.{series}.{column}") for column in COLUMNS]
    return [(column, figures.median(name)) for column, name in names if figures.has(name)]


def line_of(points, colour):
    """Solid through the sizes; dashed to the column of new flows, which is no size."""
    sizes = [(x_of(column), y_of(ns)) for column, ns in points if column != "new"]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in sizes)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>']
    new = [ns for column, ns in points if column == "new"]
    if new and sizes:
        x, y = sizes[-1]
        parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x_of("new"):.1f}" y2="{y_of(new[0]):.1f}" '
                     f'stroke="{colour}" stroke-width="1.5" stroke-dasharray="4 4"/>')
    for column, ns in points:
        parts.append(f'<circle cx="{x_of(column):.1f}" cy="{y_of(ns):.1f}" r="4" fill="{colour}"/>')
        parts.append(text(x_of(column), y_of(ns) - 9, f"{ns:,.0f}", 11, "middle", colour))
    return parts


def svg(figures, footnote):
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
             f'height="{HEIGHT}" font-family="system-ui, sans-serif">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *axes()]
    ends = {}
    for key, _, colour in SERIES:
        points = points_of(figures, key)
        if points:
            parts += line_of(points, colour)
            ends[key] = y_of(points[-1][1]) + 4
    heights = apart(ends)
    for key, label, colour in SERIES:
        if key in heights:
            parts.append(text(WIDTH - RIGHT + 16, heights[key], label, 13, colour=colour, weight="bold"))
    parts.append(text(WIDTH - 10, HEIGHT - 4, footnote, 10, "end", "#888"))
    return "\n".join(parts) + "\n</svg>\n"
