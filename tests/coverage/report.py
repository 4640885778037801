"""What the suite covers, against floors that never fall: `python -m tests.coverage.report`.

Rules of this file
------------------
- Python's lines are coverage.py's. Cython's are those that its plugin finds in the generated C, of
  every module that has a line inlined. The lines of C headers are gcov's: the build `trace` counts
  them, in whatever modules include them.
- Each file reaches the floor of its language, or stands in `floors.py` with its reason and a floor
  of its own. A file that has become better than its entry says is named too, so that the list does
  not grow old.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from Cython.Coverage import Plugin
from tests.coverage.floors import BELOW, FLOORS

import coverage

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = ROOT / "build" / "objects"
COUNTED = ROOT / "build" / "coverage" / "gcov"  # by process
MARGIN = 5.0  # percent; what a test of timing reaches now and then does not change the list


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


def of_python(measured: coverage.Coverage) -> Found:
    """The package's modules, those that were never imported too."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        _, can_run, _, missing, _ = measured.analysis2(str(path))
        found[path.relative_to(ROOT).as_posix()] = Lines(set(can_run), set(can_run) - set(missing))
    return found


def of_cython(measured: coverage.Coverage) -> Found:
    """The compiled modules, each with the functions of its `.pxd` that others inline."""
    can_run: dict[str, set[int]] = defaultdict(set)
    for path in sorted((ROOT / "ext").rglob("_*.pyx")):
        can_run[path.relative_to(ROOT).as_posix()] |= set()
        for name, lines in Plugin()._parse_cfile_lines(str(path.with_suffix(".c"))).items():
            if name.startswith("tickwire/") and lines:
                can_run[f"ext/{name}"] |= set(lines)
    data = measured.get_data()
    found: Found = {}
    for name, lines in can_run.items():
        # A line of the .pxd counts beside those of the .pyx: its number is made negative.
        sign, module = (-1, f"{name[:-4]}.pyx") if name.endswith(".pxd") else (1, name)
        ran = lines & set(data.lines(str(ROOT / name)) or ())
        each = found.setdefault(module, Lines(set(), set()))
        each.can_run |= {sign * line for line in lines}
        each.ran |= {sign * line for line in ran}
    return found


def of_headers() -> Found:
    """The C headers, as gcov counts their lines in all modules that include them."""
    can_run: dict[str, set[int]] = defaultdict(set)
    ran: dict[str, set[int]] = defaultdict(set)
    counted = []
    for path in COUNTED.rglob("*.gcda"):
        # gcov looks for what the compiler noted beside the counts.
        below = str(path).rpartition(f"{OBJECTS}/")[2]
        shutil.copy(OBJECTS / Path(below).with_suffix(".gcno"), path.with_suffix(".gcno"))
        counted.append(str(path))
    done = subprocess.run(  # noqa: S603 - our own files
        ["gcov", "--json-format", "--stdout", *counted],  # noqa: S607 - of the compiler in the PATH
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    for text in done.stdout.splitlines():
        for file in json.loads(text)["files"]:
            if not re.fullmatch(r"ext/tickwire/\w+/\w+\.(?:h|inc)", file["file"]):
                continue
            for line in file["lines"]:
                can_run[file["file"]].add(line["line_number"])
                if line["count"]:
                    ran[file["file"]].add(line["line_number"])
    return {name: Lines(lines, ran[name]) for name, lines in sorted(can_run.items())}


def judged(kind: str, found: Found) -> list[str]:
    """Say what is below its floor, and what has an entry that it does not need."""
    floor = FLOORS[kind]
    total = Lines(
        {(name, line) for name, each in found.items() for line in each.can_run},  # type: ignore[misc]
        {(name, line) for name, each in found.items() for line in each.ran},  # type: ignore[misc]
    )
    print(f"{kind}: {total.percent:.1f} % of {len(total.can_run):,} lines (floor {floor} %)")
    wrong = []
    if total.percent < floor:
        wrong.append(f"{kind}: {total.percent:.1f} %, the floor is {floor} %")
    for name, lines in sorted(found.items()):
        entry = BELOW.get(name)
        least = entry.percent if entry else floor
        if lines.percent < least:
            wrong.append(f"{name}: {lines.percent:.1f} %, the floor is {least} %; {lines.missing}")
        elif entry and lines.percent >= min(floor, entry.percent + MARGIN):
            print(f"  {name}: {lines.percent:.1f} %: raise its floor of {least} % in floors.py")
        if lines.percent < floor and entry:
            print(f"  {name}: {lines.percent:.1f} %: {entry.reason}")
    return wrong


def unknown(names: Iterable[str]) -> list[str]:
    """Give the entries of files that are no more."""
    return [
        f"{name}: there is no such file, but an entry" for name in sorted(set(BELOW) - set(names))
    ]


def main() -> int:
    """Judge what was measured."""
    measured = coverage.Coverage(config_file=str(ROOT / "pyproject.toml"))
    measured.load()
    kinds = {
        "Python": of_python(measured),
        "Cython": of_cython(measured),
        "C headers": of_headers(),
    }
    wrong = [line for kind, found in kinds.items() for line in judged(kind, found)]
    wrong += unknown(name for found in kinds.values() for name in found)
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
