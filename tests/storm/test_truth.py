"""The comparison finds what is planted, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.storm.truth import MS, Made, by_venue_time, compare, excesses, made

BTC = ("trades", "BTC")


def message(number: int, ids: Sequence[str], to: Sequence[int], time_ns: int) -> dict[str, Any]:
    return {
        "event": "message", "time_ns": time_ns, "number": number, "table": "trades",
        "symbol": "BTC", "key": "trades:BTC", "rows": len(ids), "ids": ids, "to": to,
    }  # fmt: skip


def test_a_log_says_what_was_made_and_what_was_surely_sent(tmp_path: Path) -> None:
    lines = [
        {"event": "start", "time_ns": 0},
        message(1, ["a", "b"], [0], 10),
        message(2, ["c"], [], 20),
        message(3, ["d"], [0], 30),
        {"event": "ended", "time_ns": 40, "connection": 0, "by": "reset", "unsure": [3]},
        message(4, ["c", "d"], [1], 50),  # repeated on the next connection
        message(5, ["e"], [], 60),
        message(6, ["f"], [], 70) | {"struck": {"1": "drop"}},
    ]
    path = tmp_path / "truth.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"event": "mess')
    assert made(path) == {
        BTC: {
            "a": Made(10, is_sent=True, is_live=True),
            "b": Made(10, is_sent=True, is_live=True),
            "c": Made(20, is_sent=True),
            "d": Made(30, is_sent=True),
            "e": Made(60, is_sent=False),
            "f": Made(70, is_struck=True),
        }
    }


def test_what_is_missing_doubled_undeclared_and_invented() -> None:
    truth = {BTC: {name: Made(10 * n, is_sent=name != "d") for n, name in enumerate("abcdefg")}}
    rows = {BTC: ["b", "b", "f", "x"]}
    gaps = {BTC: [(20, 30)], ("trades", "ETH"): [(0, 100)]}
    verdict = compare(truth, rows, gaps, from_ns=10, to_ns=50, tolerance_ns=0)[BTC]
    assert verdict.missing == ["c", "d", "e"]  # a came before, g after
    assert verdict.sent_missing == ["c", "e"]
    assert verdict.undeclared == ["e"]
    assert (verdict.doubled, verdict.invented) == (["b"], ["x"])
    assert verdict.rows == 4
    truth[BTC]["e"].is_struck = True
    struck = compare(truth, rows, gaps, from_ns=10, to_ns=50, tolerance_ns=0)[BTC]
    assert (struck.undeclared, struck.withheld) == ([], ["e"])
    wider = compare(truth, rows, gaps, from_ns=10, to_ns=50, tolerance_ns=10)[BTC]
    assert wider.undeclared == []


def test_a_gap_is_too_long_by_what_was_sent_in_it() -> None:
    # Every 10: sent up to 50, lost from 60 to 90, sent from 100 on.
    ids = {str(at): Made(at, is_live=not 60 <= at < 100) for at in range(0, 210, 10)}
    gaps = [(51, 101), (30, 101), (50, 140), (31, 39), (170, 185)]
    assert [each.excess_ns for each in excesses(ids, gaps)] == [1, 21, 40, 0, 15]
    found = excesses(ids, gaps, from_ns=32, to_ns=150)
    assert [each.excess_ns for each in found] == [1, 40]


def test_rows_without_a_time_of_the_venue_are_judged_by_when_they_were_made() -> None:
    truth = {BTC: {str(n): Made(10 * n) for n in range(8)}}
    received = {BTC: [(ns + 7, str(ns // 10)) for ns in (0, 10, 20, 50, 60, 70)]}
    # Begins with the receive time of 2 (27), ends with that of 5 (57).
    assert by_venue_time({BTC: [(27, 57)]}, received, truth) == {BTC: [(20, 50)]}
    # No row before, none after.
    assert by_venue_time({BTC: [(3, 99)]}, received, truth) == {BTC: [(3, 99)]}
    # A time that is off by more than a second says nothing.
    late = {BTC: [(2_000 * MS, "2"), (2_000 * MS + 9, "5")]}
    gap = (2_000 * MS + 1, 2_000 * MS + 9)
    assert by_venue_time({BTC: [gap]}, late, truth) == {BTC: [gap]}
