"""Deltas that wait for a snapshot: held, let in, refused, bounded, and never out of order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.decode.feeds import Feed

from tickwire.book import BookSplice
from tickwire.decode.plan import constant, given, integer, lookup, message, ms, rows
from tickwire.errors import DecodeError, PlanError


def sides(bids: str, asks: str, **fields: Any) -> list[Any]:
    return [
        rows(at=at, into="book", side=constant(side), price="[0]", size="[1]", **fields)
        for side, at in (("bid", bids), ("ask", asks))
    ]


MESSAGES = (
    message(
        "depth",
        when={"e": "depth"},
        spliced=True,
        rows=sides(
            "b[]",
            "a[]",
            first_seq=integer("$.U"),
            symbol="$.s",
            ts_event=ms("$.E"),
            channel=constant("book"),
            is_snapshot=constant(False),
            venue_seq="$.u",
            venue_prev_seq=integer("$.U", add=-1),
        ),
    ),
    message(
        "snapshot",
        kind="snapshot",
        rows=sides(
            "bids[]",
            "asks[]",
            symbol=given(),
            channel=constant("book"),
            is_snapshot=constant(True),
            venue_seq="$.lastUpdateId",
        ),
    ),
)


def depth(first: int, last: int, symbol: str = "A", levels: int = 1) -> bytes:
    level = [[str(first), "1"]] * levels
    return json.dumps(
        {"e": "depth", "E": last, "s": symbol, "U": first, "u": last, "b": level, "a": []}
    ).encode()


def answer(last: int, levels: int = 1) -> bytes:
    return json.dumps({"lastUpdateId": last, "bids": [["9", "9"]] * levels, "asks": []}).encode()


class Spliced(Feed):
    def __init__(self, hold_bytes: int = 1 << 20, **more: Any) -> None:
        self.splice = BookSplice("first_is_next", hold_bytes)
        super().__init__(MESSAGES, splice=self.splice, **more)
        self.code = self.dictionaries.symbol.code

    @property
    def held_bytes(self) -> int:
        return self.splice.held.n_bytes

    def snapshot(self, last: int, symbol: str = "A", levels: int = 1) -> str:
        return self.body(answer(last, levels), symbol)

    def body(self, body: bytes, symbol: str = "A") -> str:
        return self.decoder.take_snapshot(
            "snapshot", body, symbol=symbol, ts_recv=77, conn=3, early=True
        )

    def seqs(self) -> list[tuple[str, bool, int]]:
        return [(r["symbol"], r["is_snapshot"], r["venue_seq"]) for r in self.take("book")]


def test_deltas_wait_for_the_snapshot_and_keep_their_times() -> None:
    feed = Spliced()
    for first in (1, 3, 5, 7):
        assert feed.rows(depth(first, first + 1)) == {}
    assert feed.held_bytes == 4 * len(depth(1, 2))
    assert feed.snapshot(4) == "spliced"
    assert feed.held_bytes == 0
    found = feed.take("book")
    assert [(r["venue_seq"], r["is_snapshot"]) for r in found] == [
        (4, True),
        (6, False),
        (8, False),
    ]
    assert [r["ts_recv"] for r in found] == [77, 3, 4]
    assert [r["conn"] for r in found] == [3, 7, 7]
    assert [r["seq"] for r in found] == [0, 1, 2]
    assert [r["venue_seq"] for r in feed.rows(depth(9, 9))["book"]] == [9]
    assert feed.rows(depth(2, 4)) == {}  # older than the book
    assert feed.decoder.messages == 6
    assert feed.reasons() == []


def test_symbols_wait_for_themselves() -> None:
    feed = Spliced()
    feed.rows(depth(1, 2, "A"))
    feed.rows(depth(1, 2, "B"))
    assert feed.snapshot(1, "B") == "spliced"
    assert feed.seqs() == [("B", True, 1), ("B", False, 2)]
    assert feed.rows(depth(3, 3, "A")) == {}
    assert feed.splice.held.count(feed.code("A")) == 2
    feed.splice.reset(feed.code("A"))
    assert feed.held_bytes == 0


def test_what_is_held_is_bounded() -> None:
    size = len(depth(10, 10))
    feed = Spliced(hold_bytes=5 * size)
    for i in range(10, 30):
        feed.rows(depth(i, i))
    assert feed.held_bytes == 5 * size
    assert feed.splice.held.n_dropped == 15
    assert feed.snapshot(23) == "old"  # the one that would follow it was dropped
    assert feed.snapshot(26) == "spliced"
    assert [seq for _, _, seq in feed.seqs()] == [26, 27, 28, 29]
    tiny = Spliced(hold_bytes=size - 1)
    tiny.rows(depth(10, 10))
    assert (tiny.held_bytes, tiny.splice.held.n_dropped) == (0, 1)


def test_a_ring_that_fills_while_held_deltas_are_let_in_loses_none() -> None:
    feed = Spliced(rows=1024)
    for i in range(1, 21):
        assert feed.offer(depth(i, i, levels=200))
    assert feed.snapshot(0) == "spliced"
    assert feed.splice.n_releasing == 1
    got = []
    n_blocked = 0
    while not feed.offer(depth(21, 21)):  # it may not overtake what is held
        n_blocked += 1
        got += feed.seqs()
    got += feed.seqs()
    assert n_blocked == 3
    assert got[0] == ("A", True, 0)
    assert [seq for _, _, seq in got[1:]] == [i for i in range(1, 21) for _ in range(200)] + [21]
    assert feed.held_bytes == 0


def test_what_found_no_room_is_let_in_without_another_message() -> None:
    feed = Spliced(rows=1024)
    for i in range(1, 21):
        assert feed.offer(depth(i, i, levels=200))
    assert feed.snapshot(0) == "spliced"
    assert feed.splice.n_releasing == 1
    got = feed.seqs()
    n_blocked = 0
    while not feed.decoder.release_held():
        n_blocked += 1
        got += feed.seqs()
    got += feed.seqs()
    assert n_blocked == 2
    assert [seq for _, _, seq in got[1:]] == [i for i in range(1, 21) for _ in range(200)]
    assert feed.held_bytes == 0
    assert feed.decoder.release_held()
    assert feed.seqs() == []


def test_a_connection_s_end_comes_behind_what_is_released() -> None:
    feed = Spliced(rows=1024)
    code = feed.code("A")
    for i in range(1, 7):
        assert feed.offer(depth(i, i, levels=200))
    assert feed.snapshot(0) == "spliced"
    feed.splice.end(code)
    assert not feed.offer(depth(7, 7))
    assert feed.splice.phase(code) == "live"
    assert [seq for _, _, seq in feed.seqs()[1:]] == [i for i in range(1, 6) for _ in range(200)]
    assert feed.offer(depth(7, 7))
    assert feed.splice.phase(code) == "waiting"  # the new message does not follow what ended
    assert [seq for _, _, seq in feed.seqs()] == [6] * 200


def test_what_never_finds_room_can_be_named_and_dropped() -> None:
    feed = Spliced(rows=1024)
    for i in range(1, 11):
        assert feed.offer(depth(i, i, levels=200))
    assert feed.offer(depth(1, 1, "B"))
    assert feed.offer(depth(1, 1, "C"))
    assert feed.snapshot(0) == "spliced"
    assert feed.splice.n_releasing == 1
    assert feed.snapshot(0, "B") == "spliced"
    assert feed.splice.held.count(feed.code("B")) == 1  # not before A's
    feed.splice.end(feed.code("A"))
    assert feed.splice.n_releasing == 2
    dropped = [(feed.code("A"), 7, 6, 10), (feed.code("B"), 7, 11, 11)]
    assert feed.splice.drop_unreleased() == dropped
    assert feed.splice.drop_unreleased() == []
    assert feed.splice.n_releasing == 0
    assert feed.held_bytes == len(depth(1, 1, "C"))  # it waits for its snapshot
    assert feed.decoder.release_held()


def test_a_full_ring_refuses_a_snapshot_for_now() -> None:
    feed = Spliced(rows=1024)
    assert feed.snapshot(1, levels=500) == "spliced"
    assert feed.snapshot(2, "B", levels=500) == "spliced"
    assert feed.snapshot(3, "C", levels=500) == "full"
    assert len(feed.take("book")) == 1000
    assert feed.snapshot(3, "C", levels=500) == "spliced"
    assert {r["symbol"] for r in feed.take("book")} == {"C"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"<html>", "not_json"),
        (b'{"lastUpdateId":1,"bids":[[1,2]]}', "missing"),
        (b'{"lastUpdateId":1,"bids":[[1,"x"]],"asks":[]}', "bad_number"),
        (b'{"lastUpdateId":1,"bids":{},"asks":[]}', "wrong_kind"),
        (b'{"lastUpdateId":1,"bids":[],"asks":[],"\xff":1}', "bad_text"),
        (b'{"lastUpdateId":-1,"bids":[[1,2]],"asks":[]}', "missing"),
        (b'{"lastUpdateId":null,"bids":[[1,2]],"asks":[]}', "missing"),
    ],
)
def test_an_answer_that_cannot_be_decoded_says_why(body: bytes, reason: str) -> None:
    feed = Spliced()
    with pytest.raises(DecodeError, match=f"somewhere snapshot of A, .*: {reason}") as caught:
        feed.body(body)
    assert caught.value.reason == reason
    assert feed.seqs() == []
    assert feed.snapshot(5) == "spliced"
    assert feed.seqs() == [("A", True, 5)]


@pytest.mark.parametrize("name", ["depth", "snap", ""])
def test_only_snapshots_are_decoded_on_request(name: str) -> None:
    for feed in (Spliced(), Feed(MESSAGES)):
        with pytest.raises(PlanError, match="somewhere: no snapshot message"):
            feed.decoder.take_snapshot(name, b"{}", symbol="A", ts_recv=1, conn=1)


def test_a_snapshot_that_is_not_wanted_or_too_old_leaves_no_rows() -> None:
    feed = Spliced()
    snapshot = {"symbol": "A", "ts_recv": 77, "conn": 3}
    assert feed.decoder.take_snapshot("snapshot", answer(4), **snapshot) == "unwanted"
    feed.rows(depth(6, 7))
    assert feed.decoder.take_snapshot("snapshot", answer(4), **snapshot) == "old"
    assert feed.seqs() == []
    assert feed.decoder.take_snapshot("snapshot", answer(5), **snapshot) == "spliced"
    assert feed.decoder.take_snapshot("snapshot", answer(6), **snapshot) == "unwanted"
    assert feed.seqs() == [("A", True, 5), ("A", False, 7)]


def test_a_snapshot_must_have_an_id() -> None:
    nameless = message(
        "snapshot",
        kind="snapshot",
        rows=sides("bids[]", "asks[]", symbol=given(), channel=constant("book"),
                   is_snapshot=constant(True)),
    )  # fmt: skip
    with pytest.raises(PlanError, match=r"somewhere\.snapshot\.venue_seq"):
        Feed([nameless])


def test_an_answer_without_levels_clears_the_book() -> None:
    feed = Spliced()
    assert feed.body(b'{"lastUpdateId":1,"bids":[],"asks":[]}') == "spliced"
    (row,) = feed.take("book")
    assert (row["symbol"], row["side"], row["price"], row["last"]) == ("A", None, None, True)


def test_without_a_splice_deltas_are_rows_at_once() -> None:
    feed = Feed(MESSAGES)
    assert len(feed.rows(depth(5, 6))["book"]) == 1


def test_held_deltas_keep_the_symbol_of_their_connection() -> None:
    nameless = message(
        "depth",
        when={"e": "depth"},
        spliced=True,
        rows=sides(
            "b[]", "a[]", first_seq=integer("$.U"), symbol=given(), channel=constant("book"),
            is_snapshot=constant(False), venue_seq="$.u",
        ),
    )  # fmt: skip
    feed = Feed((nameless, MESSAGES[1]), splice=BookSplice("first_is_next", 1 << 20))
    of_b = feed.decoder.connection(8, symbol="B")
    assert of_b.decode(depth(1, 2), 1)
    assert of_b.decode(depth(3, 4), 1)
    answered = feed.decoder.take_snapshot(
        "snapshot", answer(2), symbol="B", ts_recv=77, conn=3, early=True
    )
    assert answered == "spliced"
    assert feed.reasons() == []
    assert [(row["symbol"], row["venue_seq"]) for row in feed.take("book")] == [("B", 2), ("B", 4)]


def test_an_answer_knows_no_numbers_of_connections() -> None:
    named = message("named", when={"e": "named"}, kind="acknowledge", names=("id", "symbol"))
    numbered = message(
        "snapshot",
        kind="snapshot",
        rows=sides(
            "bids[]", "asks[]", symbol=lookup("$.id"), channel=constant("book"),
            is_snapshot=constant(True), venue_seq="$.lastUpdateId",
        ),
    )  # fmt: skip
    feed = Feed((MESSAGES[0], named, numbered), splice=BookSplice("first_is_next", 1 << 20))
    for number in (5, 6):
        assert feed.offer(f'{{"e":"named","id":{number},"symbol":"A"}}')
    body = b'{"lastUpdateId":2,"id":5,"bids":[["9","9"]],"asks":[]}'
    with pytest.raises(DecodeError, match="unknown_choice"):
        feed.decoder.take_snapshot("snapshot", body, symbol="A", ts_recv=7, conn=3, early=True)
