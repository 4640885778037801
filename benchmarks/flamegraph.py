"""Draws flame graphs: one SVG file without a script, for any browser.

A box is a function, as wide as its share of the samples; what it called lies on it. So width is
what counts: a wide box with nothing on it is where time goes. Order from left to right is the
alphabet's. Colours tell the rooms of tickwire, Python, the kernel and other libraries apart. Hover
over a box for its share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from zlib import crc32

WIDTH = 1600  # px
ROW = 18
TEXT = 11
LETTER = 6.7  # px, of the widest letter of a monospaced font of that size
LEAST = 0.4  # px; what is narrower is left out
COLOURS = {  # hue of each group
    "wire": 205,
    "net": 265,
    "decode": 12,
    "ring": 95,
    "observe": 170,
    "Python": 50,
    "kernel": 0,
    "other": 0,
}
PALE = {"kernel": "#9aa3ad", "other": "#d9d4cb"}

Stack = tuple[str, ...]


@dataclass(slots=True)
class Box:
    """A function on a certain way, with what it called."""

    n: int = 0
    calls: dict[str, Box] = field(default_factory=dict)


def tree(samples: Mapping[Stack, int]) -> Box:
    """Put stacks, outermost function first, on each other."""
    root = Box()
    for stack, n in samples.items():
        box = root
        box.n += n
        for name in stack:
            box = box.calls.setdefault(name, Box())
            box.n += n
    return root


def depth(box: Box) -> int:
    """Give how many functions call each other at most."""
    return 1 + max(map(depth, box.calls.values()), default=0)


def group_of(name: str) -> str:
    """Give whose a function is, by its name."""
    room = name.partition(".")[0]
    if room in COLOURS and "._" in name:
        return room
    if name.startswith(("Py", "_Py", "py:")) or "(python)" in name:
        return "Python"
    if name.startswith("[k]"):
        return "kernel"
    return "other"


def colour(name: str) -> str:
    """Give a colour of the group's hue, the same for the same function."""
    group = group_of(name)
    if group in PALE:
        return PALE[group]
    return f"hsl({COLOURS[group]} 70% {62 + crc32(name.encode()) % 16}%)"


def svg(samples: Mapping[Stack, int], title: str) -> str:
    """Draw."""
    root = tree(samples)
    n_rows = depth(root)
    top = 3 * ROW
    height = top + n_rows * ROW + 4
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="ui-monospace, monospace" '
        f'font-size="{TEXT}">',
        "<style>rect { stroke: #fff; stroke-width: .5 } g:hover rect { stroke: #000 }</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="6" y="17" font-size="14">{escape(title)}: {root.n:,} samples</text>',
    ]
    at = 6.0
    for group, hue in COLOURS.items():
        fill = PALE.get(group, f"hsl({hue} 70% 68%)")
        lines.append(f'<rect x="{at:.0f}" y="26" width="12" height="12" fill="{fill}"/>')
        lines.append(f'<text x="{at + 16:.0f}" y="36">{group}</text>')
        at += 30 + LETTER * len(group)
    _draw(lines, root, "all", 0.0, height - ROW - 2, WIDTH / max(root.n, 1), root.n)
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


def _draw(lines: list[str], box: Box, name: str, x: float, y: float, px: float, n_all: int) -> None:
    """Add a box and what lies on it, `px` for each sample."""
    width = box.n * px
    if width < LEAST:
        return
    n_letters = int((width - 4) / LETTER)
    words = name.split(".") if "._" in name else [name]
    shorter = (".".join(words[start:]) for start in range(len(words)))
    shown = next((text for text in shorter if len(text) <= n_letters), "")
    shown = shown or words[-1][: max(n_letters - 1, 0)] + "…"
    label = f'<text x="{x + 3:.1f}" y="{y + 13:.0f}">{escape(shown)}</text>'
    share = f"{100 * box.n / n_all:.1f} %"
    lines.append(
        f"<g><title>{escape(name)}: {share}, {box.n:,} samples</title>"
        f'<rect x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" height="{ROW - 1}" '
        f'fill="{colour(name)}"/>' + (label if n_letters > 2 else "") + "</g>"
    )
    for called in sorted(box.calls):
        _draw(lines, box.calls[called], called, x, y - ROW, px, n_all)
        x += box.calls[called].n * px


def spent_itself(samples: Mapping[Stack, int]) -> Counter[str]:
    """Give the samples in which each function was the innermost."""
    found: Counter[str] = Counter()
    for stack, n in samples.items():
        found[stack[-1]] += n
    return found
