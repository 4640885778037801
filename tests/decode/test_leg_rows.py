"""Rows of messages that two legs bring, against those of one connection that brings each once."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from tests.decode.feeds import Feed

from tickwire.book import BookSplice
from tickwire.decode import ConnectionDecoder, Legs
from tickwire.venues import load

pytestmark = pytest.mark.usefixtures("kernels")

Row = dict[str, Any]
TABLES = ("trades", "quotes", "book", "candles", "tickers", "mids")


def hyperliquid(rng: Random, n: int) -> list[str]:
    """Messages of every table; tickers and mids without a time, and often the same again."""
    found = []
    for time in range(1, n + 1):
        level = {"px": f"{rng.randint(1, 3)}", "sz": f"{rng.randint(1, 3)}", "n": 1}
        data: Any
        match rng.choice(TABLES):
            case "trades":
                trade = {"coin": "BTC", "side": "B", "px": "1", "sz": "2", "time": time}
                data = [trade | {"tid": 10 * time + i} for i in range(rng.randint(1, 3))]
                channel = "trades"
            case "quotes":
                data = {"coin": "BTC", "time": time, "bbo": [level, None]}
                channel = "bbo"
            case "book":
                data = {"coin": "BTC", "time": time, "levels": [[level], [level]]}
                channel = "l2Book"
            case "candles":
                prices = dict.fromkeys("ohlc", "1")
                data = {"t": 0, "T": 9, "s": "BTC", "i": "1m", "v": f"{time}", "n": time} | prices
                channel = "candle"
            case "tickers":
                data = {"coin": "BTC", "ctx": {"markPx": level["px"], "funding": "0"}}
                channel = "activeAssetCtx"
            case _:
                data = {"mids": {"BTC": level["px"], "ETH": "5"}}
                channel = "allMids"
        found.append(json.dumps({"channel": channel, "data": data}))
    return found


def deltas(rng: Random, n: int) -> list[str]:
    """Changes of one spot book, each behind the other."""
    found = []
    last = 10
    for _ in range(n):
        first, last = last + 1, last + rng.randint(1, 3)
        change = {"e": "depthUpdate", "E": last, "s": "BTCUSDT", "U": first, "u": last}
        change |= {"b": [["1.5", f"{last}"]], "a": []}
        found.append(json.dumps({"stream": "btcusdt@depth@100ms", "data": change}))
    return found


class Rows:
    """A feed of a venue, and all rows that it has given."""

    def __init__(self, venue: str, splice: BookSplice | None = None) -> None:
        self.feed = Feed(load(venue).declared(extras=False), splice=splice)
        self.found: dict[str, list[Row]] = {}

    def offer(self, connection: ConnectionDecoder, text: str, at: int) -> None:
        assert connection.decode(text.encode(), at, at)
        self.take()

    def take(self) -> None:
        for table in self.feed.rings:
            for row in self.feed.take(table):
                for name in ("seq", "ts_recv", "conn"):
                    del row[name]
                self.found.setdefault(table, []).append(row)


def interleaved(rng: Random, messages: list[str], most_late: int) -> list[tuple[int, str]]:
    """Give what two legs bring: each in order, one late by some messages and then the other."""
    left = [list(messages), list(messages)]
    found = []
    ahead = 0
    while any(left):
        leg = rng.randrange(2)
        if not left[leg] or abs(ahead + (1, -1)[leg]) > most_late:
            leg = 1 - leg
        if not left[leg]:
            leg = 1 - leg
        ahead += (1, -1)[leg]
        found.append((leg, left[leg].pop(0)))
    return found


@pytest.mark.parametrize("most_late", [0, 1, 3, 8])
def test_every_table_has_the_rows_of_one_connection(most_late: int) -> None:
    rng = Random(most_late)
    messages = hyperliquid(rng, 200)
    one, two = Rows("hyperliquid"), Rows("hyperliquid")
    for at, text in enumerate(messages):
        one.offer(one.feed.connection, text, at)
    legs = Legs()
    connections = [two.feed.decoder.connection(conn) for conn in (1, 2)]
    for number, connection in enumerate(connections):
        connection.join(legs, number)
    for at, (leg, text) in enumerate(interleaved(rng, messages, most_late)):
        two.offer(connections[leg], text, at)
    assert two.found == one.found
    assert two.feed.decoder.messages == len(messages)
    assert sum(legs.count(leg, "first") for leg in (0, 1)) == len(messages)
    assert sum(legs.count(leg, "late") for leg in (0, 1)) == len(messages)


def test_what_repeats_is_known_by_its_own_route_after_a_message_of_another() -> None:
    rows, legs = Rows("hyperliquid"), Legs()
    connections = [rows.feed.decoder.connection(number) for number in range(2)]
    for number, connection in enumerate(connections):
        connection.join(legs, number)
    mids = '{{"channel":"allMids","data":{{"mids":{{"BTC":"{}.5"}}}}}}'
    # With a space in front, which is walked: no script has the last message's route.
    bbo = ' {"channel":"bbo","data":{"coin":"BTC","time":1,"bbo":[null,null]}}'
    for number in range(5):
        rows.offer(connections[0], mids.format(number), number)
    rows.offer(connections[0], bbo, 5)
    for at in (6, 7):  # the same again, and it is meant
        rows.offer(connections[0], mids.format(9), at)
    prices = [row["price"] for row in rows.found["mids"]]
    assert prices == [0.5, 1.5, 2.5, 3.5, 4.5, 9.5, 9.5]


def test_an_acknowledgement_is_no_copy() -> None:
    rows, legs = Rows("hyperliquid"), Legs()
    text = b'{"channel":"subscriptionResponse","data":{"method":"subscribe"}}'
    for number in range(2):
        connection = rows.feed.decoder.connection(number)
        connection.join(legs, number)
        assert connection.decode(text, 1)
        assert connection.take_events() == [("acknowledge", text)]


def test_a_message_for_which_a_ring_has_no_room_is_offered_again() -> None:
    rows, legs = Rows("hyperliquid"), Legs()
    connections = [rows.feed.decoder.connection(number) for number in range(2)]
    for number, connection in enumerate(connections):
        connection.join(legs, number)
    bbo = '{{"channel":"bbo","data":{{"coin":"BTC","time":{},"bbo":[null,null]}}}}'
    at = 0
    while connections[0].decode(bbo.format(at).encode(), at):
        at += 1
    assert not connections[1].decode(bbo.format(at).encode(), at)
    assert connections[1].decode(bbo.format(at - 1).encode(), at)  # a copy needs no room
    rows.take()
    assert connections[1].decode(bbo.format(at).encode(), at)
    assert connections[0].decode(bbo.format(at).encode(), at)
    rows.take()
    assert [row["ts_event"] for row in rows.found["quotes"]] == [n * 10**6 for n in range(at + 1)]


def test_what_one_leg_cannot_decode_the_other_one_may() -> None:
    rows, legs = Rows("hyperliquid"), Legs()
    connections = [rows.feed.decoder.connection(number) for number in range(2)]
    for number, connection in enumerate(connections):
        connection.join(legs, number)
    text = '{"channel":"bbo","data":{"coin":"BTC","time":1,"bbo":[null,null]}}'
    rows.offer(connections[0], text.replace("coin", "c#in"), 1)
    rows.offer(connections[1], text, 2)
    rows.offer(connections[0], text.replace("coin", "c#in"), 3)
    assert len(rows.found["quotes"]) == 1
    assert rows.feed.decoder.errors == {"missing": 2}


@pytest.mark.parametrize("most_late", [0, 2, 6])
@pytest.mark.parametrize("when", [0, 5, 30])
def test_a_book_is_spliced_from_both_legs(most_late: int, when: int) -> None:
    rng = Random(100 * most_late + when)
    messages = deltas(rng, 40)
    ids = [json.loads(text)["data"]["u"] for text in messages]
    splice = BookSplice("first_is_next")
    splice.is_shared = True
    rows, legs = Rows("binance", splice), Legs()
    connections = [rows.feed.decoder.connection(number) for number in range(2)]
    for number, connection in enumerate(connections):
        connection.join(legs, number)
    snapshot = json.dumps({"lastUpdateId": 10, "bids": [], "asks": [["2", "1"]]}).encode()
    sent = interleaved(rng, messages, most_late)
    # Each leg loses messages that the other one brings.
    lost = [set(rng.sample(messages, 5)), set[str]()]
    lost[1] = set(rng.sample(messages, 5)) - lost[0]
    sent = [(leg, text) for leg, text in sent if text not in lost[leg]]
    for at, (leg, text) in enumerate(sent):
        if at == when:
            rows.feed.decoder.take_snapshot(
                "snapshot", snapshot, symbol="BTCUSDT", ts_recv=at, conn=1, early=True
            )
        rows.offer(connections[leg], text, at)
        assert rows.feed.decoder.release_held()
        rows.take()
    assert splice.n_breaks == 0
    assert splice.n_ahead == splice.n_waiting == 0
    assert [row["venue_seq"] for row in rows.found["book"] if not row["is_snapshot"]] == ids


def test_a_hole_that_no_leg_fills_breaks_the_chain_after_a_time() -> None:
    rng = Random(1)
    first, missing, second, third = deltas(rng, 4)
    splice = BookSplice("first_is_next")
    splice.is_shared = True
    rows = Rows("binance", splice)
    connection = rows.feed.connection
    snapshot = json.dumps({"lastUpdateId": 10, "bids": [], "asks": []}).encode()
    rows.offer(connection, first, 1)
    rows.feed.decoder.take_snapshot("snapshot", snapshot, symbol="BTCUSDT", ts_recv=2, conn=1)
    rows.offer(connection, second, 3)
    rows.offer(connection, third, 4)
    splice.give_up_holes(60 * 10**9)
    assert (splice.n_ahead, splice.n_breaks, splice.n_waiting) == (1, 0, 0)
    splice.give_up_holes(0)
    assert (splice.n_ahead, splice.n_breaks, splice.n_waiting) == (0, 1, 1)
    first_lost, last_lost = (json.loads(missing)["data"][name] for name in "Uu")
    assert splice.take_broken() == [(0, last_lost - first_lost + 1)]
    answer = json.dumps({"lastUpdateId": last_lost, "bids": [], "asks": []}).encode()
    rows.feed.decoder.take_snapshot("snapshot", answer, symbol="BTCUSDT", ts_recv=5, conn=1)
    rows.take()
    ids = [row["venue_seq"] for row in rows.found["book"] if not row["is_snapshot"]]
    assert ids == [json.loads(text)["data"]["u"] for text in (first, second, third)]


def test_of_copies_that_are_printed_differently_those_with_ids_are_known() -> None:
    """Quotes have none, so that two servers of different kinds double them: docs/design.md."""
    trade = '{"coin":"BTC","side":"B","px":"%s","sz":"2","time":1,"tid":7}'
    quote = '{"coin":"BTC","time":1,"bbo":[{"px":"%s","sz":"2","n":1},null]}'
    texts = (
        '{"channel":"trades","data":[' + trade + "]}",
        '{"channel":"bbo","data":' + quote + "}",
    )
    two = Rows("hyperliquid")
    legs = Legs()
    for number, price in enumerate(("1.50", "1.5")):
        connection = two.feed.decoder.connection(number)
        connection.join(legs, number)
        for text in texts:
            two.offer(connection, text % price, number)
    assert [row["price"] for row in two.found["trades"]] == [1.5]
    assert [row["bid_price"] for row in two.found["quotes"]] == [1.5, 1.5]
