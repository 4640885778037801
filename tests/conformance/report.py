"""Judging and showing what the Autobahn|Testsuite found.

Rules of this file
------------------
- A case has two verdicts, `behavior` and `behaviorClose`, and both count.
- OK, NON-STRICT and INFORMATIONAL are good: the RFC allows what was seen, or the suite only looks.
- UNIMPLEMENTED is what the suite says of a compression case when none was agreed on: that is bad.
- A case without a report counts as missing, and that is bad.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

GOOD = frozenset({"OK", "NON-STRICT", "INFORMATIONAL"})
VERDICTS = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the suite says of one case."""

    behavior: str
    close: str
    close_code: int | None = None

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.behavior in GOOD and self.close in GOOD


Verdicts = Mapping[str, Verdict]  # by case, such as "7.1.5"


def group_of(case: str) -> str:
    """Give the first number of a case."""
    return case.partition(".")[0]


def order(case: str) -> tuple[int, ...]:
    """Give the key by which cases are sorted."""
    return tuple(int(number) for number in case.split("."))


def read(reports: Path, agent: str) -> dict[str, Verdict]:
    """Read the verdicts of one agent from the reports of the suite; empty if it has none."""
    index = reports / "index.json"
    if not index.exists():
        return {}
    cases = json.loads(index.read_text()).get(agent, {})
    return {
        case: Verdict(found["behavior"], found["behaviorClose"], found.get("remoteCloseCode"))
        for case, found in cases.items()
    }


def problems(verdicts: Verdicts, expected: Iterable[str]) -> list[str]:
    """Say what is wrong, a line each; nothing if all is well."""
    wanted = set(expected)
    lines = [f"{case}: no report" for case in sorted(wanted - set(verdicts), key=order)]
    for case in sorted(verdicts, key=order):
        verdict = verdicts[case]
        if case not in wanted:
            lines.append(f"{case}: not asked for")
        elif not verdict.is_good:
            code = f", close code {verdict.close_code}" if verdict.close_code is not None else ""
            lines.append(f"{case}: {verdict.behavior}, close {verdict.close}{code}")
    return lines


def table(agent: str, verdicts: Verdicts) -> str:
    """Show the verdicts by group: of the behavior, and after a slash of the close."""
    groups = sorted({group_of(case) for case in verdicts}, key=int)
    rows = [["cases", "", *VERDICTS, "other"]]
    for group in [*groups, "all"]:
        mine = [v for case, v in verdicts.items() if group in ("all", group_of(case))]
        behaviors = Counter(_column(v.behavior) for v in mine)
        closes = Counter(_column(v.close) for v in mine)
        name = group if group == "all" else f"{group}.*"
        counts = [
            f"{behaviors[verdict]} / {closes[verdict]}"
            if behaviors[verdict] or closes[verdict]
            else "-"
            for verdict in (*VERDICTS, "other")
        ]
        rows.append([name, str(len(mine)), *counts])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"{agent}: behavior / close"]
    lines += [
        "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    for verdict in ("NON-STRICT", "INFORMATIONAL"):
        found = sorted((c for c, v in verdicts.items() if v.behavior == verdict), key=order)
        if found:
            lines.append(f"  {verdict}: {' '.join(found)}")
    return "\n".join(lines)


def _column(verdict: str) -> str:
    return verdict if verdict in VERDICTS else "other"
