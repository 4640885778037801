"""The lines of C headers and of Cython, as gcov counts them in the build `coverage`.

Rules of this file
------------------
- A header's lines are gcov's own, in whatever modules include it.
- In the generated C a comment names the line of Cython that what follows was made from, and a
  marker says that the line begins. It ran if the first code after the marker did. A line without
  code after any marker is a declaration, and none that can run.
- A process that is killed while it writes spoils what others have counted, so processes of pytest
  count apart from those that they start; here they are sums.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = ROOT / "build" / "objects"
COUNTED = ROOT / "build" / "coverage" / "gcov"
SUMS = ROOT / "build" / "coverage" / "sums"

HEADER = re.compile(r"ext/tickwire/\w+/\w+\.(?:h|inc)")
GENERATED = re.compile(r"ext/tickwire/\w+/_\w+\.c")
MADE_FROM = re.compile(r' */\* "(tickwire/[^"]+)":\d+$')
SECTION = re.compile(r" */\*---")
MARKER = re.compile(r" *__Pyx_TraceLine\((\d+),")


@dataclass
class Lines:
    """Lines of one file: those that can run, and those of them that ran."""

    can_run: set[int]
    ran: set[int]

    @property
    def percent(self) -> float:
        return 100.0 * len(self.ran) / len(self.can_run) if self.can_run else 100.0

    @property
    def missing(self) -> str:
        """The lines that did not run, as ranges; those of a `.pxd` are negative."""
        found: list[list[int]] = []
        last = None
        for line in sorted(self.can_run):
            if line in self.ran:
                last = None
            elif last is None:
                found.append([line, line])
                last = line
            else:
                found[-1][1] = last = line
        return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


Found = dict[str, Lines]
Counts = dict[int, int]  # how often each line ran that has code


def summed() -> list[Path]:
    """Add up what processes have counted, and put beside it what the compiler noted."""
    shutil.rmtree(SUMS, ignore_errors=True)
    for n, folder in enumerate(sorted(COUNTED.iterdir())):
        if n == 0:
            shutil.copytree(folder, SUMS)
        else:
            _run("gcov-tool", "merge", "--output", SUMS, SUMS, folder)
    found = []
    for path in sorted(OBJECTS.rglob("*.gcno")):
        if (ROOT / path.relative_to(OBJECTS)).with_suffix(".pyx").exists():
            found.append(SUMS / path.relative_to("/"))
            found[-1].parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, found[-1])
    return found


def _run(*command: str | Path) -> str:
    done = subprocess.run(  # noqa: S603 - a tool of the compiler in the PATH, on our own files
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    return done.stdout


def counted(path: Path) -> dict[str, Counts]:
    """Give what ran of each file that has lines in a module."""
    found = {}
    for text in _run("gcov", "--json-format", "--stdout", path).splitlines():
        for file in json.loads(text)["files"]:
            if HEADER.fullmatch(file["file"]) or GENERATED.fullmatch(file["file"]):
                found[file["file"]] = _per_line(file["lines"])
    return found


def _per_line(lines: Iterable[dict[str, Any]]) -> Counts:
    counts: Counts = defaultdict(int)
    for line in lines:  # one for each function that has it
        counts[line["line_number"]] += line["count"]
    return counts


def of_module(generated: Iterable[str], counts: Counts) -> Iterator[tuple[str, int, bool]]:
    """Give the lines of Cython in generated C: the file, the line, and whether it ran."""
    name = ""
    waiting = 0  # the line of a marker whose first code has not come yet
    for number, text in enumerate(generated, 1):
        if found := MADE_FROM.match(text):
            name, waiting = found[1], 0
        elif SECTION.match(text):
            waiting = 0
        elif found := MARKER.match(text):
            waiting = int(found[1])
        elif waiting and number in counts:
            yield f"ext/{name}", waiting, counts[number] > 0
            waiting = 0


def measured() -> tuple[Found, Found]:
    """Give the lines of compiled modules, and those of C headers.

    A module has the functions of its `.pxd` that others inline: its lines are negative.
    """
    cython: Found = defaultdict(lambda: Lines(set(), set()))
    headers: Found = defaultdict(lambda: Lines(set(), set()))
    with ThreadPoolExecutor() as pool:
        modules = list(pool.map(counted, summed()))
    for files in modules:
        for name, counts in files.items():
            if HEADER.fullmatch(name):
                headers[name].can_run |= counts.keys()
                headers[name].ran |= {line for line, count in counts.items() if count}
                continue
            with (ROOT / name).open() as generated:
                for source, line, ran in of_module(generated, counts):
                    sign = -1 if source.endswith(".pxd") else 1
                    lines = cython[source.removesuffix(".pxd").removesuffix(".pyx") + ".pyx"]
                    lines.can_run.add(sign * line)
                    if ran:
                        lines.ran.add(sign * line)
    return dict(sorted(cython.items())), dict(sorted(headers.items()))
