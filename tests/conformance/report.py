"""Judging and showing what the Autobahn|Testsuite found.

Rules of this file
------------------
- A case has two verdicts, `behavior` and `behaviorClose`, and both count.
- OK, NON-STRICT and INFORMATIONAL are good: the RFC allows what was seen, or the suite only looks.
- UNIMPLEMENTED is what the suite says of the compression cases when no compression was agreed on.
  It is good only for the groups named in `NOT_OFFERED`, and is always shown.
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
# permessage-deflate (RFC 7692) is not offered yet.
NOT_OFFERED = frozenset({"12", "13"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the suite says of one case."""

    behavior: str
    close: str
    close_code: int | None = None

    def is_good(self, case: str) -> bool:
        """Whether nothing is wrong with it."""
        excused = {"UNIMPLEMENTED"} if group_of(case) in NOT_OFFERED else set()
        return self.behavior in GOOD | excused and self.close in GOOD | excused


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
        elif not verdict.is_good(case):
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
    n_not_offered = sum(v.behavior == "UNIMPLEMENTED" for v in verdicts.values())
    if n_not_offered:
        lines.append(
            f"  UNIMPLEMENTED: {n_not_offered} cases of compression, which is not offered yet"
        )
    return "\n".join(lines)


def _column(verdict: str) -> str:
    return verdict if verdict in VERDICTS else "other"
