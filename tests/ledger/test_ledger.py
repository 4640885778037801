"""The feed's own rows: nothing blocks, nothing grows, nothing is lost while there is room."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tickwire.ledger import Ledger, Place
from tickwire.ledger import ledger as ledger_module
from tickwire.observe import Metrics, Registry
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

ROWS = 1024
SECOND = 10**9
PLACE = Place("binance", "BTCUSDT", 3)


class Scene:
    """A ledger and who reads its tables."""

    def __init__(self, *, first_gap_id: int = 0) -> None:
        dictionaries = Dictionaries()
        self.gap_ring = Ring(TABLES["gaps"], ROWS, dictionaries)
        sessions = Ring(TABLES["sessions"], ROWS, dictionaries)
        self.registry = Registry()
        self.ledger = Ledger(
            self.gap_ring, sessions, first_gap_id=first_gap_id, metrics=Metrics(self.registry)
        )
        self.ledger.clock = self.ledger.monotonic = lambda: 99
        self._gaps, self._sessions = Consumer(self.gap_ring), Consumer(sessions)

    def gaps(self) -> list[dict[str, Any]]:
        return rows(self._gaps)

    def sessions(self) -> list[dict[str, Any]]:
        return rows(self._sessions)


def rows(consumer: Consumer) -> list[dict[str, Any]]:
    batch = consumer.take()
    if batch is None:
        return []
    columns = {
        name: (column.cast("int64") if name.startswith("ts_") else column).to_pylist()
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def test_a_gap_known_when_it_is_over_is_one_closed_row() -> None:
    scene = Scene()
    scene.ledger.record("book", "sequence", 10, 20, PLACE, lost=7, detail="3 to 9")
    assert scene.gaps() == [
        {
            "seq": 0,
            "venue": "binance",
            "symbol": "BTCUSDT",
            "ts_event": None,
            "ts_recv": 99,
            "conn": 3,
            "gap_id": 0,
            "table_name": "book",
            "reason": "sequence",
            "state": "closed",
            "ts_start": 10,
            "ts_end": 20,
            "ts_event_start": None,
            "ts_event_end": None,
            "lost": 7,
            "recovered": None,
            "consumer": None,
            "detail": "3 to 9",
            "ts_left_start": None,
            "ts_left_end": None,
        }
    ]
    assert scene.registry.by("gaps", "table", "reason") == {"book": {"sequence": 1}}


def test_a_gap_is_a_row_when_it_opens_and_another_of_the_same_id_when_it_ends() -> None:
    scene = Scene()
    gap = scene.ledger.open(
        "trades", "disconnect", 10, PLACE, event_start_ns=8, consumer="duckdb", detail="reset"
    )
    [opened] = scene.gaps()
    assert (opened["state"], opened["ts_start"], opened["ts_end"]) == ("open", 10, None)
    assert (opened["ts_event_start"], opened["consumer"]) == (8, "duckdb")
    assert scene.registry.total("gaps_open") == 1
    scene.ledger.close(gap, 30, event_end_ns=28, lost=5, recovered=2)
    [closed] = scene.gaps()
    ended = {"state": "closed", "ts_end": 30, "ts_event_end": 28, "lost": 5, "recovered": 2}
    assert closed == opened | ended | {"seq": 1}
    assert (scene.registry.total("gaps_open"), scene.registry.total("gaps")) == (0, 1)


def test_a_gap_ends_once_and_never_before_its_start() -> None:
    scene = Scene()
    gap = scene.ledger.open("trades", "disconnect", 10, PLACE)
    scene.ledger.close(gap, 5)
    assert [row["ts_end"] for row in scene.gaps()] == [None, 10]
    with pytest.raises(ValueError, match="ended before"):
        scene.ledger.close(gap, 20)
    assert scene.gaps() == []
    assert scene.registry.total("gaps_open") == 0


def test_a_gap_is_as_long_as_it_was_though_the_wall_clock_is_set_back_meanwhile() -> None:
    scene = Scene()
    now = {"wall": 100 * SECOND, "monotonic": 7 * SECOND}
    scene.ledger.clock, scene.ledger.monotonic = lambda: now["wall"], lambda: now["monotonic"]
    gap = scene.ledger.open("trades", "disconnect", 100 * SECOND, PLACE)
    now.update(wall=85 * SECOND, monotonic=12 * SECOND)  # 20 s back
    scene.ledger.close(gap, 84 * SECOND)  # the first row came a second ago
    scene.ledger.record("book", "sequence", 100 * SECOND, 84 * SECOND, PLACE, lasted_ns=3 * SECOND)
    assert [row["ts_end"] for row in scene.gaps()] == [None, 104 * SECOND, 103 * SECOND]


def test_a_clock_that_is_set_forward_within_a_gap_does_not_lengthen_it() -> None:
    scene = Scene()
    now = {"wall": 100 * SECOND, "monotonic": 7 * SECOND}
    scene.ledger.clock, scene.ledger.monotonic = lambda: now["wall"], lambda: now["monotonic"]
    gaps = [scene.ledger.open("trades", "disconnect", 100 * SECOND, PLACE) for _ in range(2)]
    now.update(wall=105 * SECOND - 5000, monotonic=12 * SECOND)  # read one after the other
    scene.ledger.close(gaps[0], 104 * SECOND)
    now.update(wall=205 * SECOND)
    scene.ledger.close(gaps[1], 204 * SECOND)
    # The first ends with the row after it; the second as long after its start as it was.
    assert [row["ts_end"] for row in scene.gaps()][2:] == [104 * SECOND, 104 * SECOND]


def _leap(now: list[int], leaps: list[int]) -> None:
    late_ns = leaps.pop() if leaps else 0
    now[:] = now[0] + late_ns, now[1] + late_ns


@pytest.mark.parametrize("is_wall_late", [True, False])
def test_a_machine_that_does_other_things_between_two_clocks_changes_no_gap(
    is_wall_late: bool,
) -> None:
    scene = Scene()
    now, leaps = [100 * SECOND, 7 * SECOND], [16_000_000]

    def wall() -> int:
        if is_wall_late:
            _leap(now, leaps)
        found = now[0]
        _leap(now, leaps)
        return found

    scene.ledger.clock, scene.ledger.monotonic = wall, lambda: now[1]
    moment = scene.ledger.now()
    assert (leaps, moment.recv_ns - moment.mono_ns) == ([], 93 * SECOND)
    now[:], leaps[:] = (100 * SECOND, 7 * SECOND), [16_000_000]
    gap = scene.ledger.open("trades", "disconnect", 100 * SECOND, PLACE)
    now[:] = 101 * SECOND, 8 * SECOND
    scene.ledger.close(gap, 101 * SECOND)
    assert [row["ts_end"] for row in scene.gaps()] == [None, 101 * SECOND]


def test_a_clock_that_is_slewed_is_believed() -> None:
    scene = Scene()
    now = {"wall": 100 * SECOND, "monotonic": 7 * SECOND}
    scene.ledger.clock, scene.ledger.monotonic = lambda: now["wall"], lambda: now["monotonic"]
    gap = scene.ledger.open("trades", "disconnect", 100 * SECOND, PLACE)
    now.update(wall=3700 * SECOND + SECOND, monotonic=3607 * SECOND)  # 1 s in an hour
    scene.ledger.close(gap, now["wall"])
    assert scene.gaps()[-1]["ts_end"] == 3701 * SECOND


def test_a_reason_is_one_of_the_contract() -> None:
    scene = Scene()
    with pytest.raises(ValueError, match="'snapshot' is no reason of a gap: one of down, disc"):
        scene.ledger.record("book", "snapshot", 1, 2, PLACE)
    assert scene.gaps() == []
    assert (scene.ledger.next_gap_id, scene.registry.total("gaps")) == (0, 0)


def test_each_gap_has_a_number_of_its_own() -> None:
    scene = Scene(first_gap_id=1000)
    first = scene.ledger.open("trades", "disconnect", 1, PLACE)
    scene.ledger.record("book", "sequence", 1, 2, PLACE)
    scene.ledger.close(first, 3)
    assert [row["gap_id"] for row in scene.gaps()] == [1000, 1001, 1000]
    assert scene.ledger.next_gap_id == 1002


def test_an_event_is_a_row_and_a_long_detail_is_truncated() -> None:
    scene = Scene()
    scene.ledger.event("warning", "x" * 10_000, Place("hyperliquid"), log=True)
    [row] = scene.sessions()
    assert (row["venue"], row["symbol"], row["conn"]) == ("hyperliquid", None, None)
    assert (row["event"], row["detail"], row["ts_recv"]) == ("warning", "x" * 4096, 99)


def test_what_finds_a_full_ring_waits_and_keeps_its_order() -> None:
    scene = Scene()
    for number in range(ROWS + 100):
        scene.ledger.record("trades", "disconnect", number, number, Place())
    assert scene.ledger.n_waiting == ROWS + 100 - scene.gap_ring.published > 0
    starts: list[int] = []
    while found := scene.gaps():
        starts += [row["ts_start"] for row in found]
        scene.ledger.housekeeping()
    assert scene.ledger.n_waiting == 0
    assert starts == list(range(ROWS + 100))


def test_who_waits_for_room_is_called_when_what_waits_fits() -> None:
    scene, called = Scene(), threading.Event()
    for number in range(ROWS + 10):
        scene.ledger.record("trades", "disconnect", number, number, Place())
    assert not scene.ledger.offer()
    assert scene.ledger.wait_for_room(called.set)
    assert not called.is_set()
    scene.gaps()
    assert called.wait(10)
    assert scene.ledger.offer()
    assert not scene.ledger.wait_for_room(called.set)  # nothing is refused any more
    scene.ledger.forget_room(called.set)


def test_what_still_waits_at_the_end_is_counted_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    for number in range(ROWS + 100):
        scene.ledger.record("trades", "disconnect", number, number, Place())
    n_waiting = scene.ledger.n_waiting
    scene.ledger.end()
    assert scene.registry.by("system_rows_dropped", "table") == {"gaps": n_waiting}
    assert scene.ledger.n_waiting == 0
    expected = f"rows dropped: their ring stayed full table=gaps rows={n_waiting}"
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [expected]


def test_what_waits_is_bounded_and_what_is_dropped_is_counted() -> None:
    scene = Scene()
    n_gaps = 3 * ledger_module.MAX_WAITING
    for number in range(n_gaps):
        scene.ledger.record("trades", "disconnect", number, number, Place())
    assert scene.ledger.n_waiting == ledger_module.MAX_WAITING
    n_seen = 0
    while found := scene.gaps():
        n_seen += len(found)
        scene.ledger.housekeeping()
    dropped = scene.registry.by("system_rows_dropped", "table")
    assert n_seen + dropped["gaps"] == n_gaps == scene.registry.total("gaps")
