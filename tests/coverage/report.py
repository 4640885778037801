"""What the suite covers, against floors that never fall: `python -m tests.coverage.report`.

Rules of this file
------------------
- Python's lines are coverage.py's, those of Cython and of C headers gcov's (`gcov.py`).
- Each file reaches the floor of its language, or stands in `floors.py` with its reason and a floor
  of its own. One that lacks no more lines than run by chance (`CHANCE_LINES`) is named and fails
  nothing. A file that has become better than its entry says is named too, so that the list does
  not grow old.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from tests.coverage import gcov
from tests.coverage.floors import BELOW, FLOORS
from tests.coverage.gcov import ROOT, Found, Lines

import coverage

CHANCE_LINES = 4  # of a file: what comes first, and how late, decides on lines now and then
MARGIN = 5.0  # percent; what a test of timing reaches now and then does not change the list


def of_python(measured: coverage.Coverage) -> Found:
    """The package's modules, those that were never imported too."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        _, can_run, _, missing, _ = measured.analysis2(str(path))
        found[path.relative_to(ROOT).as_posix()] = Lines(set(can_run), set(can_run) - set(missing))
    return found


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
            text = f"{name}: {lines.percent:.1f} %, the floor is {least} %; {lines.missing}"
            if len(lines.can_run) * least / 100.0 - len(lines.ran) > CHANCE_LINES:
                wrong.append(text)
            else:
                print(f"  NEAR {text}")
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
    python = coverage.Coverage(config_file=str(ROOT / "pyproject.toml"))
    python.load()
    cython, headers = gcov.measured()
    kinds = {"Python": of_python(python), "Cython": cython, "C headers": headers}
    wrong = [line for kind, found in kinds.items() for line in judged(kind, found)]
    wrong += unknown(name for found in kinds.values() for name in found)
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
