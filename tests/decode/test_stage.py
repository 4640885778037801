"""Rows count in full or not at all: failures, full rings, large messages, text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.decode.declarations import BOOKS, STATES, TRADES
from tests.decode.feeds import Feed

from tickwire.decode.plan import choice, constant, message, ms, number, rows, text, unlike

LISTED = TRADES[1]


def trade(n: int, **changed: Any) -> dict[str, Any]:
    return {"s": "A", "t": n, "p": n, "q": "1", "m": "b", "i": str(n)} | changed


def listed(*trades: dict[str, Any]) -> bytes:
    return json.dumps({"e": "listed", "data": list(trades)}, separators=(",", ":")).encode()


def ids(found: list[dict[str, Any]]) -> list[int]:
    return [int(row["trade_id"]) for row in found]


@pytest.mark.parametrize("bad", [{"p": "x"}, {"q": None}, {"m": "?"}, {"i": None}, {"s": []}])
def test_a_failure_in_the_last_row_leaves_nothing(bad: dict[str, Any]) -> None:
    feed = Feed([LISTED])
    broken = listed(*(trade(i) for i in range(1, 50)), trade(50, **bad))
    head = feed.rings["trades"].head
    assert feed.rows(broken) == {}
    assert feed.rings["trades"].head == head
    assert [kept for _, kept in feed.reasons()] == [broken]
    assert ids(feed.rows(listed(*(trade(i) for i in range(1, 51))))["trades"]) == [*range(1, 51)]


def test_a_failure_leaves_no_carried_state() -> None:
    feed = Feed(STATES)
    full = '{"e":"full","t":1,"data":{"s":"A","l":1,"m":2}}'
    assert feed.rows(full)["tickers"][0]["mark_price"] == 2.0
    # The time is read after `l` has been carried over.
    assert feed.rows('{"e":"change","data":{"s":"A","l":9},"t":[]}') == {}
    assert feed.rows('{"e":"change","t":2,"data":{"l":9}}') == {}
    assert [reason for reason, _ in feed.reasons()] == ["wrong_kind", "missing"]
    row = feed.rows('{"e":"change","t":3,"data":{"s":"A","f":5}}')["tickers"][0]
    assert (row["last_price"], row["mark_price"], row["funding_rate"]) == (1.0, 2.0, 5.0)


@pytest.mark.parametrize(
    ("messages", "payload"),
    [
        (TRADES, listed(trade(1), trade(2, i='a"b', s="Ω"))),
        (BOOKS, b'{"e":"sides","t":1,"kind":"full","data":{"s":"A","u":3,"b":[["1","2"]],"a":[]}}'),
        (BOOKS, b'{"e":"nested","data":[{"s":"A","t":1,"levels":[[[1,2,3]],[[2,3,4]]]}]}'),
        (STATES, b'{"e":"mids","t":1,"mids":{"A":{"p":1},"B":{"p":"2"}}}'),
    ],
    ids=["trades", "sides", "nested", "mids"],
)
@pytest.mark.parametrize("seen_before", [False, True])
def test_a_cut_message_is_quarantined_whole(
    messages: Any, payload: bytes, seen_before: bool
) -> None:
    feed = Feed(messages)
    if seen_before:
        assert feed.rows(payload.replace(b'"1"', b'"9"'))
    for cut in range(len(payload)):
        part = payload[:cut]
        assert feed.rows(part) == {}, part
        assert feed.reasons() == [("not_json", part)]
    assert feed.decoder.messages == len(payload) + seen_before
    assert feed.decoder.errors == {"not_json": len(payload)}
    if not seen_before:
        assert feed.rows(payload)


@pytest.mark.parametrize("rest", ["x", ",", "}", "{}", " 1", "\x00", "null"])
def test_nothing_may_follow_the_message(rest: str) -> None:
    feed = Feed([LISTED])
    payload = listed(trade(1)) + rest.encode()
    assert feed.rows(payload) == {}
    assert feed.reasons() == [("not_json", payload)]
    assert ids(feed.rows(listed(trade(1)) + b" \r\n\t")["trades"]) == [1]


def test_a_full_ring_gives_the_message_later_and_once() -> None:
    feed = Feed([LISTED], rows=1024)
    n = 0
    sent: list[int] = []
    got: list[int] = []
    blocked = 0
    for size in (448, 512, 1, 192, 511, 512, 320, 2, 500, 384) * 4:
        batch = [trade(n + i + 1) for i in range(size)]
        n += size
        sent += [int(t["i"]) for t in batch]
        while not feed.offer(listed(*batch)):
            blocked += 1
            head = feed.rings["trades"].head
            assert not feed.offer(listed(*batch))
            assert feed.rings["trades"].head == head == feed.rings["trades"].published
            found = feed.take("trades")
            assert found
            got += ids(found)
    got += ids(feed.take("trades"))
    assert blocked > 10
    assert got == sent
    assert feed.decoder.messages == 40
    assert feed.reasons() == []


def test_a_second_ring_that_is_full_takes_the_first_ones_rows_back() -> None:
    both = message(
        "both",
        when={},
        rows=[
            rows(at="list[]", into="mids", symbol="s", price="p"),
            rows(at="list[]", into="quotes", symbol="s", bid_price="p"),
        ],
    )
    feed = Feed([both], rows=1024)

    def payload(first: int) -> bytes:
        return json.dumps({"list": [{"s": "A", "p": first + i} for i in range(300)]}).encode()

    for i in range(3):
        assert feed.offer(payload(1000 * i))
        assert len(feed.take("mids")) == 300
    assert not feed.offer(payload(3000))
    assert feed.take("mids") == []
    assert [row["bid_price"] for row in feed.take("quotes")][-1] == 2299.0
    assert feed.offer(payload(3000))
    expected = [float(3000 + i) for i in range(300)]
    assert [row["price"] for row in feed.take("mids")] == expected
    assert [row["bid_price"] for row in feed.take("quotes")] == expected


@pytest.mark.parametrize("fresh", [True, False])
def test_more_than_half_a_ring_is_too_many(fresh: bool) -> None:
    feed = Feed([LISTED], rows=1024)
    if not fresh:
        assert feed.offer(listed(trade(10_000)))
        feed.take("trades")
    exactly = [trade(i + 1) for i in range(512)]
    assert feed.rows(listed(*exactly, trade(513))) == {}
    assert [reason for reason, _ in feed.reasons()] == ["too_many_rows"]
    assert ids(feed.rows(listed(*exactly))["trades"]) == [*range(1, 513)]


def test_outer_columns_are_filled_across_the_rings_end() -> None:
    feed = Feed(BOOKS, rows=1024)
    for n in range(1, 60):
        levels = [[str(n), str(i + 1)] for i in range((n % 7) * 30)]
        asks = [["5", "6"]] * (n % 5 * 20)
        found = feed.rows(
            json.dumps(
                {
                    "e": "sides",
                    "kind": "delta",
                    "data": {"b": levels, "a": asks, "s": f"S{n}", "u": n},
                    "t": n,
                }
            )
        )["book"]
        n_levels = len(levels) + len(asks)
        assert len(found) == max(n_levels, 1)
        assert {row["symbol"] for row in found} == {f"S{n}"}
        assert {row["ts_event"] for row in found} == {n * 1_000_000}
        assert {(row["venue_seq"], row["venue_prev_seq"]) for row in found} == {(n, n - 1)}
        assert [row["last"] for row in found] == [False] * (len(found) - 1) + [True]
        sides = ["bid"] * len(levels) + ["ask"] * len(asks) if n_levels else [None]
        assert [row["side"] for row in found] == sides


def test_drop_oldest_never_blocks() -> None:
    feed = Feed([LISTED], rows=1024, overflow="drop_oldest")
    for i in range(10):
        assert feed.offer(listed(*(trade(300 * i + j + 1) for j in range(300))))
    assert ids(feed.take("trades"))[-1] == 3000
    assert feed.rings["trades"].dropped_rows > 1900


def test_text_is_what_the_venue_sent() -> None:
    feed = Feed([LISTED])
    texts = ["", "a" * 1000, "é\U0001f600", 'q"\\/\b\f\n\r\t\x01', "0012", "x" * 20_000]
    payload = listed(*(trade(i + 1, i=x) for i, x in enumerate(texts)))
    assert [row["trade_id"] for row in feed.rows(payload)["trades"]] == texts
    number_ids = b'{"e":"listed","data":[%s]}' % b",".join(
        b'{"s":"A","t":1,"p":1,"q":1,"m":"b","i":%s}' % x
        for x in (b"1e5", b"-0.10", b"12345678901234567890")
    )
    found = feed.rows(number_ids)["trades"]
    assert [row["trade_id"] for row in found] == ["1e5", "-0.10", "12345678901234567890"]


def test_an_escaped_id_is_the_same_id() -> None:
    feed = Feed([LISTED])
    assert len(feed.rows(listed(trade(1, i="12")))["trades"]) == 1
    again = listed(trade(1, i="12")).replace(b'"i":"12"', b'"i":"\\u00312"')
    assert feed.rows(again) == {}
    assert feed.reasons() == []


def test_a_text_longer_than_its_memory_is_too_long() -> None:
    feed = Feed([LISTED], rows=1024)
    payload = listed(trade(1, i="x" * 100_000))
    assert feed.rows(payload) == {}
    assert feed.reasons()[0][0] == "too_long"
    assert ids(feed.rows(listed(trade(2)))["trades"]) == [2]


def test_what_one_row_set_makes_zero_or_carries_is_not_anothers() -> None:
    shared = message(
        "shared",
        when={},
        rows=[
            rows(
                at="",
                into="tickers",
                carry=True,
                symbol="s",
                last_price="p",
                mark_price=number("q", zero_when=("z", 0)),
            ),
            rows(at="", into="quotes", symbol="s", bid_price="p", ask_price="q"),
        ],
    )
    feed = Feed([shared])
    feed.rows('{"s":"A","p":1,"q":2,"z":1}')
    found = feed.rows('{"s":"A","q":3,"z":0}')
    assert (found["tickers"][0]["last_price"], found["tickers"][0]["mark_price"]) == (1.0, 0.0)
    assert (found["quotes"][0]["bid_price"], found["quotes"][0]["ask_price"]) == (None, 3.0)


def test_a_book_that_is_not_configured_gives_no_rows_and_spoils_no_last() -> None:
    book = message(
        "book",
        when={},
        rows=[
            rows(
                at=f"{side}s[]",
                into="book",
                symbol="$.s",
                channel=constant("book"),
                side=constant(side),
                price="[0]",
                size="[1]",
                is_snapshot=constant(True),
            )
            for side in ("bid", "ask")
        ],
    )
    feed = Feed([book], symbols=["A"])
    assert len(feed.rows('{"s":"A","bids":[[1,2]],"asks":[[3,4]]}')["book"]) == 2
    assert feed.rows('{"s":"B","bids":[[1,2]],"asks":[[3,4]]}') == {}
    assert feed.rows('{"s":"B","bids":[],"asks":[]}') == {}
    assert feed.offer('{"s":"A","bids":[[1,2],[1,2]],"asks":[]}')
    assert feed.offer('{"s":"B","bids":[[1,2]],"asks":[]}')
    assert [row["last"] for row in feed.take("book")] == [False, True]
    assert feed.reasons() == []
    assert feed.decoder.unconfigured_rows == {"book": 2 + 1 + 1}


def test_a_book_whose_symbol_stands_in_its_levels_needs_one() -> None:
    feed = Feed(BOOKS)
    assert feed.rows('{"e":"mixed","u":1,"gone":[{"s":"A","side":"B","p":1}]}')
    assert feed.rows('{"e":"mixed","u":2,"new":[]}') == {}
    assert [reason for reason, _ in feed.reasons()] == ["missing"]


def _levels(**more: Any) -> Any:
    shared: dict[str, Any] = {
        "symbol": "$.s",
        "channel": constant("book"),
        "price": "p",
        "size": "q",
    }
    shared |= {"side": choice("side", {"b": "bid", "a": "ask"}), "venue_seq": "$.u"}
    return rows(at="data[]", into="book", **(shared | more))


def _matches(**more: Any) -> Any:
    shared: dict[str, Any] = {
        "symbol": "$.s",
        "channel": constant("trades"),
        "price": "p",
        "size": "q",
    }
    shared |= {"side": choice("side", {"b": "buy", "a": "sell"}), "trade_id": text("i")}
    return rows(at="data[]", into="trades", when={"kind": "match"}, **(shared | more))


@pytest.mark.parametrize("is_spliced", [False, True])
def test_a_book_message_whose_rows_are_all_left_out_gives_the_row_of_an_empty_one(
    is_spliced: bool,
) -> None:
    levels = _levels(when={"p": unlike("0")}, is_snapshot=constant(False))
    feed = Feed([message("book", when={}, rows=[levels], spliced=is_spliced)])
    found = feed.rows('{"s":"A","u":5,"data":[{"p":"0","q":"1","side":"b"}]}')["book"]
    assert [(row["side"], row["price"], row["venue_seq"], row["last"]) for row in found] == [
        (None, None, 5, True)
    ]
    mixed = '{"s":"A","u":6,"data":[{"p":"0","q":"1","side":"b"},{"p":"2","q":"1","side":"a"}]}'
    assert [(row["price"], row["last"]) for row in feed.rows(mixed)["book"]] == [(2.0, True)]
    # Of a symbol that the source does not name it gives none.
    feed = Feed([message("book", when={}, rows=[levels], spliced=is_spliced)], symbols=["B"])
    assert feed.rows('{"s":"A","u":5,"data":[{"p":"0","q":"1","side":"b"}]}') == {}


def test_rows_of_another_table_alone_are_no_book_message() -> None:
    levels = _levels(when={"kind": "level"}, is_snapshot=constant(False))
    trade = '{"s":"A","u":5,"data":[{"kind":"match","p":"1","q":"1","side":"b","i":"7"}]}'
    feed = Feed([message("both", when={}, rows=[levels, _matches(once=True)])])
    assert list(feed.rows(trade)) == ["trades"]
    assert feed.rows(trade) == {}  # a duplicate is a trade all the same
    nothing = '{"s":"A","u":6,"data":[{"kind":"other","p":"1","q":"1","side":"b","i":"8"}]}'
    assert [row["venue_seq"] for row in feed.rows(nothing)["book"]] == [6]
    # One that a chain counts is a book's whatever it brings.
    feed = Feed([message("both", when={}, rows=[levels, _matches()], spliced=True)])
    assert {name: len(found) for name, found in feed.rows(trade).items()} == {
        "trades": 1,
        "book": 1,
    }


def test_what_stands_outside_of_the_levels_says_which_book_an_empty_message_is_of() -> None:
    kinds = [
        _levels(when={"$.kind": kind}, is_snapshot=constant(kind == "full"))
        for kind in ("full", "delta")
    ]
    feed = Feed([message("book", when={}, rows=kinds)])
    empty = '{"s":"A","u":5,"kind":"%s","data":[]}'
    assert [row["is_snapshot"] for row in feed.rows(empty % "delta")["book"]] == [False]
    assert [row["is_snapshot"] for row in feed.rows(empty % "full")["book"]] == [True]
    assert feed.rows(empty % "other") == {}
    level = '{"s":"A","u":5,"kind":"other","data":[{"p":"1","q":"1","side":"b"}]}'
    assert feed.rows(level) == {}
    assert feed.reasons() == []


def test_bids_come_first_where_asks_are_declared_first() -> None:
    """A message is read fastest in the order in which it is sent; its rows have the table's."""
    sides = [
        rows(
            at=f"data[].{side}s[]", into="book", symbol="$.data[].s", ts_event=ms("$.data[].t"),
            channel=constant("book"), side=constant(side), price="[0]", size="[1]",
            order_count="[2]", is_snapshot=constant(False),
        )
        for side in ("ask", "bid")
    ]  # fmt: skip
    asks, bids = [[3, 4, 1], [5, 6, 2], [7, 8, 3]], [[2, 1, 9], [1, 1, 8]]
    expected = [("bid", *level) for level in bids] + [("ask", *level) for level in asks]
    names = ("side", "price", "size", "order_count")
    feed = Feed([message("book", when={}, rows=sides)])
    # Rows at the ring's end go on at its front.
    for n in range(5_000):
        data = {"t": n, "s": "A", "asks": asks, "bids": bids}
        found = feed.rows(json.dumps({"data": [data]}, separators=(",", ":")))["book"]
        assert [tuple(row[name] for name in names) for row in found] == expected
        assert [row["last"] for row in found] == [False] * 4 + [True]
    two = [
        {"t": 1, "s": symbol, "asks": asks[:n], "bids": bids[:1]}
        for n, symbol in ((1, "A"), (0, "B"), (2, "B"))
    ]
    found = feed.rows(json.dumps({"data": two}))["book"]
    assert [(row["symbol"], row["side"]) for row in found] == [
        ("A", "bid"), ("A", "ask"), ("B", "bid"), ("B", "bid"), ("B", "ask"), ("B", "ask"),
    ]  # fmt: skip
    assert feed.rows(json.dumps({"data": [{"t": 1, "s": "A", "asks": asks[:1], "bids": []}]}))
    assert feed.rows(json.dumps({"data": [{"t": 1, "s": "A", "asks": [], "bids": []}]}))


def test_snapshot_and_changes_of_two_declarations_share_their_state() -> None:
    feed = Feed(STATES)
    feed.rows('{"e":"full","t":1,"data":{"s":"A","l":1,"m":2,"f":3}}')
    feed.rows('{"e":"full","t":1,"data":{"s":"B","l":7}}')
    row = feed.rows('{"e":"change","t":2,"data":{"s":"A","m":5}}')["tickers"][0]
    assert (row["last_price"], row["mark_price"], row["funding_rate"]) == (1.0, 5.0, 3.0)
    row = feed.rows('{"e":"full","t":3,"data":{"s":"A","l":4}}')["tickers"][0]
    assert (row["last_price"], row["mark_price"], row["funding_rate"]) == (4.0, None, None)


def test_two_declarations_of_a_channel_share_their_ids() -> None:
    def declared(name: str, at: str) -> Any:
        return message(
            name,
            when={"e": name},
            rows=[
                rows(
                    at=at,
                    into="trades",
                    symbol="s",
                    ts_event=ms("t"),
                    channel=constant("trades"),
                    price="p",
                    size="q",
                    side=choice("m", {"b": "buy"}),
                    trade_id=text("i"),
                )
            ],
        )

    feed = Feed([declared("old", "data[]"), declared("new", "data")])
    assert ids(feed.rows(json.dumps({"e": "old", "data": [trade(1), trade(2)]}))["trades"]) == [
        1,
        2,
    ]
    assert feed.rows(json.dumps({"e": "new", "data": trade(2)})) == {}
    assert ids(feed.rows(json.dumps({"e": "new", "data": trade(3)}))["trades"]) == [3]
    # An id that comes with another time is another trade, and so is another id at the same time.
    assert feed.rows(json.dumps({"e": "new", "data": trade(3)})) == {}
    assert ids(feed.rows(json.dumps({"e": "new", "data": trade(3, t=99)}))["trades"]) == [3]
    assert feed.decoder.conflicting_trades == 1
    assert ids(feed.rows(json.dumps({"e": "new", "data": trade(4, t=3)}))["trades"]) == [4]
