"""Gaps in the log: the first at once, a flood as one line a second with its sums."""

from __future__ import annotations

from typing import Any

from structlog.testing import capture_logs

from tickwire.ledger.gaps import Gap, Place
from tickwire.ledger.log import GapLog

SECOND_NS = 1_000_000_000


class Scene:
    """A log at a clock of our own."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.log = GapLog("gap", lambda: self.now_s)

    def drop(self, lost: int, *, table: str = "trades", seconds: float = 0.25) -> None:
        end_ns = int(seconds * SECOND_NS)
        self.log.add(Gap(0, table, "overflow", Place(), 0, end_ns, lost=lost))


def lines(logs: Any) -> list[tuple[Any, ...]]:
    return [(each["table"], each.get("gaps", 1), each["lost"], each["seconds"]) for each in logs]


def test_a_flood_is_one_line_a_second_and_table_with_sums() -> None:
    scene = Scene()
    with capture_logs() as logs:
        for _ in range(200):  # 10 seconds, 20 times a second: as the feed looks
            scene.drop(1000, seconds=0.25)
            scene.drop(7, table="book", seconds=0.5)
            scene.log.flush()
            scene.now_s += 0.05
        scene.log.flush(everything=True)
    for table, lost, seconds in (("trades", 1000, 0.25), ("book", 7, 0.5)):
        of_table = [line for line in lines(logs) if line[0] == table]
        assert 10 <= len(of_table) <= 12
        assert of_table[0] == (table, 1, lost, seconds)  # at once
        assert sum(line[1] for line in of_table) == 200
        assert sum(line[2] for line in of_table) == 200 * lost
        assert {line[3] for line in of_table} == {seconds}  # the longest


def test_what_is_left_is_logged_at_the_end() -> None:
    scene = Scene()
    with capture_logs() as logs:
        for _ in range(3):
            scene.drop(10)
        scene.log.flush()
        assert lines(logs) == [("trades", 1, 10, 0.25)]
        scene.log.flush(everything=True)
    assert lines(logs) == [("trades", 1, 10, 0.25), ("trades", 2, 20, 0.25)]


def test_gaps_of_different_places_or_reasons_have_lines_of_their_own() -> None:
    log = GapLog("gap", lambda: 0.0)
    with capture_logs() as logs:
        for conn in (1, 2):
            log.add(Gap(0, "book", "disconnect", Place("okx", None, conn), 0, 1))
        log.add(Gap(0, "book", "sequence", Place("okx", "BTC", 2), 0, 1))
    found = [(each["reason"], each["conn"], each.get("symbol")) for each in logs]
    assert found == [("disconnect", 1, None), ("disconnect", 2, None), ("sequence", 2, "BTC")]


def test_the_symbols_of_a_connection_share_a_line() -> None:
    scene = Scene()
    with capture_logs() as logs:
        for number in range(100):
            scene.log.add(
                Gap(0, "trades", "disconnect", Place("okx", f"S{number}", 1), 0, SECOND_NS)
            )
        scene.now_s += 1.0
        scene.log.flush()
    first, rest = logs
    assert (first["symbol"], first["seconds"]) == ("S0", 1.0)
    assert (rest["symbols"], rest["gaps"], rest["seconds"]) == (99, 99, 1.0)


def test_what_opens_is_logged_without_a_length() -> None:
    log = GapLog("gap open", lambda: 0.0)
    with capture_logs() as logs:
        log.add(Gap(0, "trades", "stale", Place("okx", "BTC", 1), 0))
    assert [(each["event"], each["log_level"], each["symbol"]) for each in logs] == [
        ("gap open", "info", "BTC")
    ]
    assert "seconds" not in logs[0]


def test_it_does_not_grow() -> None:
    scene = Scene()
    with capture_logs():
        for conn in range(1000):
            scene.log.add(Gap(0, "book", "disconnect", Place("okx", None, conn), 0, 1))
            scene.now_s += 1.0
            scene.log.flush()
    assert len(scene.log._sums) <= 1
