"""Reads what callgrind writes: totals, and what each function has spent itself.

`callgrind_annotate` counts functions that were entered before the first mark as if they had spent
everything themselves; here a call's costs are left to what was called.

The format: https://valgrind.org/docs/manual/cl-format.html
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

from tickwire.errors import TickwireError

MARK = "ctermid"  # of the C library; `os.ctermid` calls it, which is not called elsewhere
NAME = re.compile(r"^(fn|cfn)=\((\d+)\)(?: (.*))?$")


def under_callgrind(counts: Path, *options: str) -> list[str]:
    """Give the words before a command that have it counted, a dump at each call of `MARK`.

    Parameters
    ----------
    counts
        Where callgrind writes; the dumps' names have a number behind this one.
    *options
        More of callgrind's.
    """
    return [
        "valgrind", "--quiet", "--tool=callgrind", f"--dump-before={MARK}",
        f"--callgrind-out-file={counts}", *options,
    ]  # fmt: skip


def begin_counting(pid: int) -> None:
    """Have a process under callgrind counted from now on, which began with `--instr-atstart=no`.

    It runs several times as fast until then.

    Raises
    ------
    TickwireError
        Where valgrind cannot reach it.
    """
    told = subprocess.run(  # noqa: S603 - our own words
        ["vgdb", f"--pid={pid}", "instrumentation", "on"],  # noqa: S607 - as valgrind is found
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if told.returncode != 0:
        raise TickwireError(f"vgdb: {told.stderr.strip() or told.returncode}")


def totals_of(dump: Path) -> dict[str, int]:
    """Give the totals by callgrind's names: Ir are instructions, Bcm and Bim mispredictions."""
    text = dump.read_text()
    events = re.search(r"^events: (.*)", text, re.M)
    totals = re.search(r"^totals: (.*)", text, re.M)
    if events is None or totals is None:
        raise ValueError(f"{dump} is not whole")
    return dict(zip(events[1].split(), map(int, totals[1].split()), strict=True))


def functions_of(dump: Path) -> Counter[str]:
    """Give the instructions that each function has spent itself, callees left out."""
    names: dict[str, str] = {}  # a name stands where its number comes first
    spent: Counter[str] = Counter()
    function = ""
    is_call = False
    for line in dump.read_text().splitlines():
        if match := NAME.match(line):
            kind, number, name = match.groups()
            if name is not None:
                names[number] = name
            if kind == "fn":
                function = readable(names[number])
        elif line.startswith("calls="):
            is_call = True  # the next line has the costs of what was called
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if not is_call:
                spent[function] += int(line.split()[1])
            is_call = False
    return spent


def readable(name: str) -> str:
    """Give a C function's name as the source has it: `decode._walk.Walker.keyed`."""
    name = re.sub(r"'\d+$", "", name)  # depths of a recursion
    match = re.match(r"__pyx_\w{1,3}?_(?=\d)", name)
    if match is None:
        return name
    rest, parts = name[match.end() :], []
    while length := re.match(r"\d+", rest):
        start = length.end()
        end = start + int(length[0])
        if end > len(rest) or rest[end : end + 1] not in ("", "_"):
            rest = rest[start:]  # the number of a method that Python calls
            break
        parts.append(rest[start:end])
        rest = rest[end + 1 :]
    return ".".join(part for part in (*parts, rest) if part).removeprefix("tickwire.")
