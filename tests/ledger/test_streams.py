"""The gaps of streams: where they start and end, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tickwire.ledger import Ledger, Position, StreamGaps, open_gaps
from tickwire.ledger.known_until import PositionsPass, merged
from tickwire.ring import Consumer, Dictionaries, Ring, Streams
from tickwire.schema import TABLES

SECOND = 10**9
ZERO = 1_000 * SECOND  # the wall clock at the start; the monotonic one begins at 5 s


class Scene:
    """One source with a session, trades of A and B and a spliced book of A."""

    def __init__(
        self, symbols: tuple[str, ...] = ("A", "B"), table: str = "mids", **options: Any
    ) -> None:
        dictionaries = Dictionaries()
        rings = {
            name: Ring(TABLES[name], 1024, dictionaries)
            for name in (table, "book", "gaps", "sessions")
        }
        self.table = table
        self.rings = rings
        self.now_s = 0.0
        self.step_s = 0.0  # by which the wall clock was set
        self.ledger = Ledger(rings["gaps"], rings["sessions"])
        self.ledger.clock = self.wall
        self.ledger.monotonic = self.mono
        self.gaps = StreamGaps(
            self.ledger,
            "v",
            {name: Streams(rings[name]) for name in (table, "book")},
            dictionaries.symbol,
            **options,
        )
        for symbol in symbols:
            self.gaps.add(0, table, symbol, f"mids-{symbol}", spliced=False)
        self.gaps.add(0, "book", "A", "book-A", spliced=True)
        self.gaps.start({})
        self._written = Consumer(rings["gaps"])
        self._rows: list[dict[str, Any]] = []

    def wall(self) -> int:
        return ZERO + round((self.now_s + self.step_s) * SECOND)

    def mono(self) -> int:
        return round((5 + self.now_s) * SECOND)

    def at(self, now_s: float) -> Scene:
        self.now_s = now_s
        return self

    def row(
        self,
        symbol: str,
        conn: int,
        *,
        table: str = "",
        event_s: float | None = None,
        has_event: bool = True,
        channel: str = "book",
    ) -> None:
        table = table or self.table
        values: dict[str, Any] = {"price": 1.0}
        ts_event = self.wall() - SECOND // 10 if event_s is None else ZERO + ns(event_s)
        if table == "trades":
            values |= {"channel": "trades", "size": 1.0, "side": "buy", "trade_id": "1"}
        if table == "book":
            values |= {"channel": channel, "is_snapshot": True, "last": True}
        assert self.rings[table].append(
            venue="v",
            symbol=symbol,
            ts_event=ts_event if has_event else None,
            ts_recv=self.wall(),
            recv_mono=self.mono(),
            conn=conn,
            **values,
        )

    def connect(self, conn: int) -> None:
        """Connect, and let the venue acknowledge everything."""
        self.gaps.connected(0, conn)
        for key in ("mids-A", "mids-B", "mids-*", "book-A"):
            self.gaps.acknowledged(0, key)
        self.gaps.books.spliced("A", self.wall())

    def found(self, table: str = "mids") -> list[tuple[Any, ...]]:
        """Symbol, reason, state, start and end of every row so far; seconds."""
        batch = self._written.take()
        if batch is not None:
            names = ("symbol", "reason", "state", "ts_start", "ts_end", "table_name", "gap_id")
            names += ("ts_event_start", "ts_event_end", "lost", "conn", "detail", "recovered")
            names += ("ts_left_start", "ts_left_end")
            columns = [
                (batch[n].cast("int64") if n.startswith("ts_") else batch[n]).to_pylist()
                for n in names
            ]
            self._rows += [
                dict(zip(names, each, strict=True)) for each in zip(*columns, strict=True)
            ]
        return [
            (
                row["symbol"],
                row["reason"],
                row["state"],
                seconds(row["ts_start"]),
                seconds(row["ts_end"]),
            )
            for row in self._rows
            if row["table_name"] == table
        ]

    def last(self) -> dict[str, Any]:
        self.found()
        return self._rows[-1]


def ns(seconds: float) -> int:
    return round(seconds * SECOND)


def seconds(ns: int | None) -> float | None:
    return None if ns is None else (ns - ZERO) / SECOND


def test_a_row_that_came_with_the_acknowledgement_is_behind_it() -> None:
    scene = Scene(table="trades")
    scene.at(1.0).gaps.connected(0, 0)
    scene.at(2.0).row("A", 0, event_s=1.95)
    read_ns = scene.wall(), scene.mono()
    scene.at(2.1).gaps.acknowledged(0, "mids-A", read_ns)  # of the same read, looked at later
    scene.at(2.2).gaps.lost(0, "mids-A", "refused", "the venue ended it")
    gap = scene.last()
    assert (gap["ts_start"], gap["ts_event_start"]) == (ZERO + ns(2.0), ZERO + ns(1.95))


def test_a_gap_starts_at_each_stream_s_last_row_and_ends_at_each_one_s_acknowledgement() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0)
    scene.at(2).row("B", 0)
    scene.at(5).gaps.disconnected(0, "disconnect", "lost: reset")
    assert scene.found() == [
        ("A", "disconnect", "open", 1, None),
        ("B", "disconnect", "open", 2, None),
    ]
    scene.at(7).gaps.connected(0, 1)
    scene.at(8).gaps.acknowledged(0, "mids-B")
    scene.at(9).gaps.look()
    assert scene.found()[2:] == [("B", "disconnect", "closed", 2, 8)]
    scene.at(10).gaps.acknowledged(0, "mids-A")
    assert scene.found()[3:] == [("A", "disconnect", "closed", 1, 10)]


def test_it_ends_at_the_first_row_where_that_comes_before_the_acknowledgement() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0)
    scene.at(2).gaps.disconnected(0, "disconnect", "")
    scene.at(3).gaps.connected(0, 1)
    scene.at(4).row("A", 1)
    scene.at(5).row("A", 1)
    scene.at(6).gaps.acknowledged(0, "mids-A")
    assert scene.found()[-1] == ("A", "disconnect", "closed", 1, 4)
    last = scene.last()
    assert (seconds(last["ts_event_start"]), seconds(last["ts_event_end"])) == (0.9, 3.9)
    # A row of one symbol says nothing about another.
    assert [each for each in scene.found() if each[0] == "B"] == [
        ("B", "disconnect", "open", 0, None)
    ]


def test_a_gap_says_how_many_of_its_rows_were_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_gaps, "REPEATED", ("mids",))
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0)
    scene.gaps.look()
    scene.at(2).gaps.disconnected(0, "disconnect", "")
    scene.at(5).connect(1)
    for event_s in (0.5, 1.5, 3, 5.5):  # before the gap, twice in it, after it
        scene.at(5.2).row("A", 1, event_s=event_s)
    scene.at(5.5).gaps.look()
    assert len([each for each in scene.found() if each[0] == "A"]) == 2
    scene.at(6.1).gaps.look()
    assert scene.found()[-1] == ("A", "disconnect", "closed", 1, 5)
    last = scene.last()
    assert last["recovered"] == 2
    # From its start to the oldest row that came again.
    assert (seconds(last["ts_left_start"]), seconds(last["ts_left_end"])) == (1, 1.6)
    events = Consumer(scene.rings["sessions"]).take()
    assert events is not None
    found = [events[name].to_pylist() for name in ("event", "symbol", "conn", "detail")]
    assert found == [["backfill"], ["A"], [1], ["2 mids repeated by the venue, of gap 0"]]
    scene.at(9).gaps.look()
    assert len([each for each in scene.found() if each[0] == "A"]) == 3


class Ids:
    """What was delivered, for the gaps of trades: set by the test."""

    def __init__(self) -> None:
        self.offset = 0
        self.again_s = 0.0

    def offsets(self, symbol: int, /) -> tuple[int, ...]:
        return (self.offset,)

    def take_again(self, symbol: int, /) -> int:
        again_s, self.again_s = self.again_s, 0.0
        return ZERO + ns(again_s) if again_s else 0


@pytest.mark.parametrize(
    ("again_s", "offset", "n_repeated", "recovered", "left"),
    [
        (0.9, 1, 2, 2, None),  # the last trade before the gap came again
        (0.95, 1, 2, 2, (1, 1.6)),  # another one did, of the gap itself
        (0.9, 1, 0, 0, None),  # and none was between
        (0, 0, 0, 0, None),  # the ids count up by one
        (0, 1, 0, None, None),  # nothing is known
        (0, 1, 2, 2, (1, 1.6)),
    ],
)
def test_a_gap_says_what_is_left_of_it(
    again_s: float,
    offset: int,
    n_repeated: int,
    recovered: int | None,
    left: tuple[float, float] | None,
) -> None:
    ids = Ids()
    scene = Scene(table="trades", trades=ids)
    scene.connect(0)
    scene.at(1).row("A", 0)
    scene.gaps.look()
    scene.at(2).gaps.disconnected(0, "disconnect", "")
    ids.again_s = 0.5  # of the ended connection
    scene.at(5).connect(1)
    for event_s in (1.5, 3)[:n_repeated]:
        scene.at(5.2).row("A", 1, event_s=event_s)
    scene.at(5.3).row("A", 1)
    ids.again_s, ids.offset = again_s, offset
    scene.at(6.1).gaps.look()
    scene.found("trades")
    last = [row for row in scene._rows if (row["table_name"], row["symbol"]) == ("trades", "A")][-1]
    assert last["state"] == "closed"
    assert last["recovered"] == recovered
    found = seconds(last["ts_left_start"]), seconds(last["ts_left_end"])
    assert found == (left or (None, None))


@pytest.mark.parametrize("how", ["gap", "end"])
def test_repeated_rows_are_told_before_the_next_gap_and_at_the_end(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_gaps, "REPEATED", ("mids",))
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0)
    scene.at(2).gaps.disconnected(0, "disconnect", "")
    scene.at(5).connect(1)
    scene.at(5.2).row("A", 1, event_s=3)
    if how == "end":
        scene.gaps.end()
    else:
        scene.at(5.3).gaps.disconnected(0, "disconnect", "")
    scene.found()
    of_mids = [row for row in scene._rows if (row["table_name"], row["symbol"]) == ("mids", "A")]
    assert [row["recovered"] for row in of_mids][:3] == [None, None, 1]


def test_rows_of_the_ended_connection_that_are_published_late_end_nothing() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0)
    scene.at(2).gaps.disconnected(0, "disconnect", "")
    scene.row("A", 0)
    scene.at(3).gaps.connected(0, 1)
    scene.gaps.look()
    assert [each[2] for each in scene.found() if each[0] == "A"] == ["open"]
    scene.at(4).row("A", 1)
    scene.gaps.look()
    assert scene.found()[-1] == ("A", "disconnect", "closed", 1, 4)


def test_an_end_by_acknowledgement_is_provisional_so_two_gaps_meet() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0)
    scene.at(2).gaps.disconnected(0, "disconnect", "")
    scene.at(3).connect(1)
    scene.at(33).gaps.lost(0, "mids-A", "stale", "silent for 30 s")
    scene.at(34).gaps.acknowledged(0, "mids-A")
    scene.at(40).gaps.disconnected(0, "disconnect", "")
    of_a = [each for each in scene.found() if each[0] == "A"]
    assert of_a[1:] == [
        ("A", "disconnect", "closed", 1, 3),
        ("A", "stale", "open", 3, None),
        ("A", "stale", "closed", 3, 34),
        ("A", "disconnect", "open", 34, None),
    ]


def test_under_backpressure_it_starts_when_reading_paused() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0)
    scene.at(9).row("A", 0)  # read late
    scene.at(10).gaps.disconnected(0, "overflow", "", behind_since_ns=ZERO + 4 * SECOND)
    of_a = [each for each in scene.found() if each[0] == "A"]
    assert of_a == [("A", "overflow", "open", 4, None)]
    assert seconds(scene._rows[0]["ts_event_start"]) == 8.9  # by the venue's clock it is exact


def test_a_row_that_was_read_late_counts_for_when_it_might_have_been_read() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0, table="book")
    # The program stands still for 5 s, and reads what was sent 1 s after that began.
    scene.at(6).row("A", 0, table="book", event_s=2)
    scene.gaps.disconnected(0, "disconnect", "")
    assert scene.found("book") == [("A", "disconnect", "open", 2.1, None)]


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, 0.0])
def test_a_clock_step_within_an_outage_neither_hides_nor_lengthens_it(step_s: float) -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0)
    scene.at(2).gaps.disconnected(0, "disconnect", "")
    scene.step_s = step_s
    scene.at(5).gaps.connected(0, 1)
    scene.at(6).row("A", 1)
    scene.at(7).gaps.look()
    assert scene.found()[-1] == ("A", "disconnect", "closed", 1, 6)


def test_a_stream_that_never_had_a_connection_is_missing_since_the_start() -> None:
    scene = Scene()
    for now_s in (1, 2):
        scene.at(now_s).gaps.connect_failed(0, "refused")
    assert scene.found() == [
        ("A", "never_connected", "open", 0, None),
        ("B", "never_connected", "open", 0, None),
    ]
    scene.at(4).connect(0)
    assert scene.found()[2:] == [
        ("A", "never_connected", "closed", 0, 4),
        ("B", "never_connected", "closed", 0, 4),
    ]
    scene.at(5).gaps.connect_failed(0, "refused")
    assert len(scene.found()) == 4


def test_a_refused_stream_is_missing_and_the_others_are_not() -> None:
    scene = Scene()
    scene.gaps.connected(0, 0)
    scene.at(1).gaps.acknowledged(0, "mids-B")
    scene.at(2).gaps.lost(0, "mids-A", "refused", "no such coin")
    scene.at(3).gaps.end()
    assert scene.found() == [
        ("A", "refused", "open", 0, None),
        ("A", "refused", "closed", 0, 3),
    ]
    assert scene.last()["detail"] == "no such coin"


def test_a_refusal_takes_over_from_a_gap_of_another_reason() -> None:
    scene = Scene()
    scene.connect(0)
    scene.row("A", 0)
    scene.at(2).gaps.disconnected(0, "disconnect", "lost")
    scene.at(3).gaps.connected(0, 1)
    scene.at(4).gaps.lost(0, "mids-A", "refused", "no such coin")
    scene.at(5).gaps.lost(0, "mids-A", "refused", "no such coin")
    scene.at(6).gaps.acknowledged(0, "mids-A")
    assert [row for row in scene.found() if row[0] == "A"] == [
        ("A", "disconnect", "open", 0, None),
        ("A", "disconnect", "closed", 0, 4),
        ("A", "refused", "open", 4, None),
        ("A", "refused", "closed", 4, 6),
    ]


def test_between_two_runs_a_stream_is_down_until_it_is_acknowledged() -> None:
    scene = Scene()
    before = Position(ZERO - 50 * SECOND, ZERO - 51 * SECOND)
    later = Position(ZERO + 99 * SECOND, None)  # of a clock that was set back since
    scene.gaps.start(
        {("v", "mids", "A"): before, ("v", "mids", "B"): later, ("w", "mids", "A"): before}
    )
    scene.at(3).connect(0)
    assert scene.found() == [
        ("A", "down", "open", -50, None),
        ("B", "down", "open", 0, None),
        ("A", "down", "closed", -50, 3),
        ("B", "down", "closed", 0, 3),
    ]


def test_a_gap_that_a_killed_run_left_open_goes_on_under_its_number() -> None:
    scene = Scene()
    scene.gaps.start({("v", "mids", "A"): Position(ZERO - SECOND, None, 77, "stale")})
    scene.at(3).connect(0)
    assert scene.found() == [("A", "stale", "open", -1, None), ("A", "stale", "closed", -1, 3)]
    assert scene.last()["gap_id"] == 77
    assert scene.ledger.next_gap_id == 0


def test_positions_are_the_last_rows_and_the_open_gaps() -> None:
    scene = Scene()
    assert merged([scene.gaps]) == {}
    scene.gaps.connected(0, 0)
    scene.gaps.acknowledged(0, "mids-B")
    scene.at(1).row("A", 0)
    assert merged([scene.gaps]) == {
        ("v", "mids", "A"): Position(ZERO + SECOND, ZERO + SECOND * 9 // 10),
        ("v", "mids", "B"): Position(ZERO, None),
    }
    scene.at(2).gaps.lost(0, "mids-A", "stale", "")
    found = merged([scene.gaps])["v", "mids", "A"]
    assert found == Position(ZERO + SECOND, ZERO + SECOND * 9 // 10, 0, "stale")


def test_a_message_that_cannot_be_decoded_is_a_gap_of_the_symbols_that_it_names() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0)
    for now_s in (2, 2.1):
        scene.at(now_s).gaps.undecoded(0, b'{"coin":"A","px":"x"}')
    scene.gaps.undecoded(7, b'{"coin":"B"}')  # another source's connection
    scene.at(3).row("A", 0)
    scene.gaps.look()
    assert scene.found() == [
        ("A", "decode_error", "open", 1, None),
        ("A", "decode_error", "closed", 1, 3),
    ]
    assert scene.last()["lost"] == 2
    assert scene.found("book") == []  # its chain tells


def test_a_message_that_names_no_symbol_is_a_gap_of_all_and_a_flood_is_not_searched() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).gaps.undecoded(0, b"\xff not json")
    assert [each[:3] for each in scene.found()] == [
        ("A", "decode_error", "open"),
        ("B", "decode_error", "open"),
    ]
    for symbol in ("A", "B"):
        scene.at(2).row(symbol, 0)
    scene.gaps.look()
    assert scene.last()["lost"] is None
    for _ in range(101):
        scene.at(3).gaps.undecoded(0, b'{"coin":"A"}')
    opened = [each[0] for each in scene.found() if each[2] == "open"]
    assert opened == ["A", "B", "A", "B"]


def test_a_book_waits_for_its_snapshot_from_the_acknowledgement_on() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0, table="book")
    scene.at(2).gaps.disconnected(0, "disconnect", "")
    scene.at(3).gaps.connected(0, 1)
    scene.at(4).gaps.acknowledged(0, "book-A")
    scene.at(60).row("A", 1, table="book")
    scene.gaps.look()  # its splice ends it, not a row
    assert len(scene.found("book")) == 3
    scene.gaps.books.spliced("A", scene.wall())
    assert scene.found("book") == [
        ("A", "disconnect", "open", 1, None),
        ("A", "disconnect", "closed", 1, 4),
        ("A", "waiting_for_snapshot", "open", 4, None),
        ("A", "waiting_for_snapshot", "closed", 4, 60),
    ]


def test_a_book_that_breaks_is_missing_from_its_last_event_to_its_splice() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0, table="book")
    scene.at(3).gaps.books.broken("A", 12)
    scene.at(3).gaps.books.waits("A")
    scene.at(5).gaps.books.spliced("A", scene.wall())
    assert scene.found("book") == [
        ("A", "sequence", "open", 1, None),
        ("A", "sequence", "closed", 1, 5),
    ]
    assert scene.last()["lost"] == 12


def test_a_book_that_is_asked_for_again_is_missing_to_its_snapshot_not_to_the_answer() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(1).row("A", 0, table="book")
    scene.at(3).gaps.books.broken("A", 12)
    scene.at(4).gaps.acknowledged(0, "book-A")  # in a read of its own
    scene.at(5).gaps.books.spliced("A", scene.wall())
    assert scene.found("book") == [
        ("A", "sequence", "open", 1, None),
        ("A", "sequence", "closed", 1, 5),
    ]


def test_a_book_whose_held_changes_have_a_hole_is_missing_from_the_last_of_them_on() -> None:
    scene = Scene()
    scene.connect(0)
    scene.at(4).row("A", 0, table="book")  # held, and published behind its snapshot
    scene.at(5).gaps.books.spliced("A", scene.wall())
    scene.at(6).gaps.books.broken("A", 1)
    assert scene.found("book") == [("A", "sequence", "open", 4, None)]


@pytest.mark.parametrize(("splice_s", "n_rows"), [(0.9, 0), (1.2, 2)])
def test_the_first_snapshot_of_all_has_a_second(splice_s: float, n_rows: int) -> None:
    scene = Scene()
    scene.gaps.connected(0, 0)
    scene.gaps.acknowledged(0, "book-A")
    scene.at(0.1).gaps.books.waits("A")
    scene.at(splice_s).gaps.look()
    scene.gaps.books.spliced("A", scene.wall())
    scene.at(5).gaps.look()
    scene.gaps.end()
    assert len(scene.found("book")) == n_rows
    if n_rows:
        assert scene.found("book")[-1] == ("A", "waiting_for_snapshot", "closed", 0, splice_s)


def test_a_snapshot_that_cannot_be_had_is_a_gap_at_once() -> None:
    scene = Scene()
    scene.gaps.connected(0, 0)
    scene.gaps.acknowledged(0, "book-A")
    for _ in range(2):
        scene.at(0.2).gaps.books.waits("A", "http: 418")
    assert scene.found("book") == [("A", "waiting_for_snapshot", "open", 0, None)]
    assert scene.last()["detail"] == "http: 418"


def test_with_every_symbol_subscribed_those_that_came_have_gaps() -> None:
    scene = Scene(symbols=("*",))
    scene.connect(0)
    scene.at(1).row("X", 0)
    scene.at(2).row("Y", 0)
    scene.at(3).gaps.disconnected(0, "disconnect", "")
    scene.at(4).gaps.connected(0, 1)
    scene.at(5).gaps.acknowledged(0, "mids-*")
    assert scene.found() == [
        ("X", "disconnect", "open", 1, None),
        ("Y", "disconnect", "open", 2, None),
        ("X", "disconnect", "closed", 1, 5),
        ("Y", "disconnect", "closed", 2, 5),
    ]


def test_who_follows_gaps_is_called_when_one_opens_and_when_it_ends() -> None:
    scene = Scene()
    seen: list[tuple[str, str | None]] = []
    unfollow = scene.ledger.follow(lambda gap: seen.append((gap.state, gap.place.symbol)))
    scene.gaps.connected(0, 0)
    scene.gaps.lost(0, "mids-A", "refused", "")
    scene.gaps.end()
    unfollow()
    scene.gaps.lost(0, "mids-B", "refused", "")
    assert seen == [("open", "A"), ("closed", "A")]


def ended(scene: Scene) -> list[tuple[Any, ...]]:
    """Symbol, reason, start and end of the gaps that have ended."""
    return [
        (symbol, reason, start, end)
        for symbol, reason, state, start, end in scene.found()
        if state == "closed"
    ]


@pytest.mark.parametrize("is_open", [True, False])
def test_what_two_connections_have_lost_is_told_though_both_have_ended_since(
    is_open: bool,
) -> None:
    scene = Scene()
    for leg, conn in enumerate((1, 2)):
        scene.gaps.joined(0, conn, leg)
    scene.connect(1)
    for conn in (1, 2):
        scene.gaps.completed(0, conn)
    scene.row("A", 1)
    for conn in (1, 2):
        scene.gaps.missed(conn, ZERO + 1 * SECOND, ZERO + 2 * SECOND, "3 messages")
    scene.at(3).row("A", 1)
    scene.row("B", 1)
    for conn in (1, 2):
        scene.gaps.left(0, conn)
    scene.gaps.disconnected(0, "disconnect", "")
    if not is_open:
        scene.at(4).connect(3)
    scene.at(6).gaps.look()
    lost = [each for each in ended(scene) if each[1] == "sequence"]
    assert sorted(lost) == [(symbol, "sequence", 1, 2) for symbol in "AB" for _ in (1, 2)]


def test_a_hole_of_a_connection_is_told_when_another_has_its_place() -> None:
    scene = Scene()
    scene.connect(1)
    scene.row("A", 1)
    scene.at(3).row("A", 1)
    scene.gaps.joined(0, 2, 0)
    scene.gaps.missed(1, ZERO + 1 * SECOND, ZERO + 2 * SECOND, "3 messages")
    assert [each[1:] for each in ended(scene)] == [("sequence", 1, 2)] * 2


def test_a_message_that_another_connection_may_bring_is_no_gap_until_none_has() -> None:
    scene = Scene()
    scene.connect(0)
    scene.gaps.joined(0, 1, 1)
    bad = b'{"coin":"A","px":"x"}'
    scene.at(1).gaps.undecoded(0, bad)
    assert scene.found() == []
    scene.at(2).gaps.undecoded(1, bad)
    assert [each[:3] for each in scene.found()] == [("A", "decode_error", "open")]


def test_of_a_flood_of_bad_messages_the_oldest_is_forgotten() -> None:
    scene = Scene()
    scene.connect(0)
    scene.gaps.joined(0, 1, 1)
    for number in range(101):
        scene.gaps.undecoded(0, b'{"coin":"A","px":%d}' % number)
    scene.gaps.undecoded(1, b'{"coin":"A","px":0}')  # nothing is known of it any more
    assert scene.found() == []
    scene.gaps.undecoded(1, b'{"coin":"A","px":100}')
    assert [each[:3] for each in scene.found()] == [("A", "decode_error", "open")]


def test_of_a_stream_of_two_sources_the_later_position_counts_and_no_ids() -> None:
    class Source:
        """Gaps of one stream."""

        def __init__(self, recv_ns: int) -> None:
            self.known = Position(recv_ns, None, ids=(("trades", recv_ns),))

        def positions(self) -> Iterator[list[tuple[tuple[str, str, str], Position]]]:
            yield [(("v", "trades", "A"), self.known)]

        def position(self, name: tuple[str, str, str]) -> Position | None:
            return self.known if name == ("v", "trades", "A") else None

    sources = [Source(3), Source(2)]
    assert merged(sources) == {("v", "trades", "A"): Position(3, None)}
    reading = PositionsPass(sources)
    assert len([*reading.steps()]) == 2
    sources[1].known = Position(4, None, 7, "stale")
    reading.changed = {("v", "trades", "A"), ("v", "trades", "gone")}
    assert reading.end() == {("v", "trades", "A"): Position(4, None, 7, "stale")}
    sources.pop()
    assert PositionsPass(sources).end() == {}
