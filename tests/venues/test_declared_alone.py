"""Venues that are not tickwire's, declared from the reference page: small, and right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.reference import Columns, RestAnswer, compare, read_messages, read_rest
from tests.reference.rig import Rig, timeline
from tests.venues import bitstamp, gemini, kucoin, recorded

MOST_LINES = 60
TABLES = ["trades", "book"]


def _bitstamp(frame: Any) -> Iterator[recorded.Row]:
    name, _, symbol = frame.get("channel", "").rpartition("_")
    if frame.get("event") not in ("data", "trade") or name == "live_orders":
        return
    data = frame["data"]
    common = {"symbol": symbol, "ts_event": int(data["microtimestamp"]) * 1000}
    if name == "live_trades":
        side = ("buy", "sell")[data["type"]]
        row = common | {"channel": "trades", "trade_id": str(data["id"]), "side": side}
        yield "trades", row | {"price": float(data["price_str"]), "size": float(data["amount_str"])}
        return
    common |= {"channel": "book" if name == "diff_order_book" else "book:100"}
    sides = ((side, *level, None) for side in ("bid", "ask") for level in data[f"{side}s"])
    yield from recorded.levels(common | {"is_snapshot": name == "order_book"}, sides)


def _gemini(frame: Any) -> Iterator[recorded.Row]:
    if frame["type"] == "l2_updates":
        common = {"symbol": frame["symbol"], "channel": "book", "is_snapshot": "trades" in frame}
        names = {"buy": "bid", "sell": "ask"}
        sides = ((names[side], price, size, None) for side, price, size in frame["changes"])
        yield from recorded.levels(common, sides)
    for each in frame.get("trades", [frame] if frame["type"] == "trade" else []):
        row = {"channel": "trades", "ts_event": each["timestamp"] * recorded.MS}
        row |= {"trade_id": str(each.get("tid", each["event_id"])), "side": each["side"]}
        row |= {"price": float(each["price"]), "size": float(each["quantity"])}
        yield "trades", row | {"symbol": each["symbol"]}


READ = {"bitstamp": _bitstamp, "gemini": _gemini}
VENUES = {"bitstamp": bitstamp.BITSTAMP, "gemini": gemini.GEMINI}
# Captures, and how many of their messages are of kinds that no channel has.
CASES = [
    ("bitstamp", "bitstamp/cf-bitstamp-20220105-ws1", 0),
    ("bitstamp", "bitstamp/cmp-bitstamp", 2),  # an order, and a REST answer
    ("gemini", "gemini/cf-gemini-20210624-ws1", 0),
    ("gemini", "gemini/cfv3-gemini-20260809-ws2", 0),
]


@pytest.mark.parametrize("module", [bitstamp, gemini, kucoin])
def test_a_declaration_is_short(module: Any) -> None:
    assert len(Path(module.__file__).read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.captures
@pytest.mark.parametrize(("name", "capture", "n_unknown"), CASES)
def test_captures_decode_as_plain_python_says(name: str, capture: str, n_unknown: int) -> None:
    rig = Rig.of(VENUES[name], TABLES)
    expected = {table: Columns(table, []) for table in TABLES}
    for sent in read_messages(capture):
        rig.message(sent.payload, sent.ts_recv, sent.conn)
        common = {"venue": name, "ts_recv": sent.ts_recv, "conn": sent.conn}
        for table, row in READ[name](orjson.loads(sent.payload)):
            expected[table].extend([common | row])
    for table, columns in expected.items():
        assert len(columns)
        compare(columns, rig.table(table))
    assert dict(rig.decoder.errors) == {}
    assert rig.decoder.unknown_messages == n_unknown


@pytest.mark.captures
@pytest.mark.parametrize(("name", "capture", "n_unknown"), CASES)
def test_books_begin_and_never_break(name: str, capture: str, n_unknown: int) -> None:
    rig = Rig.of(VENUES[name], TABLES, book="book")
    for sent in read_messages(capture):
        rig.message(sent.payload, sent.ts_recv, sent.conn)
    assert rig.follower is not None
    assert rig.follower.n_begun > 0
    assert (rig.follower.n_breaks, rig.follower.n_withheld) == (0, 0)
    # Each book begins with rows that replace what was known.
    first: dict[tuple[str, str], bool] = {}
    columns = (rig.table("book")[each].to_pylist() for each in ("symbol", "channel", "is_snapshot"))
    for symbol, channel, is_snapshot in zip(*columns, strict=True):
        first.setdefault((symbol, channel), is_snapshot)
    assert all(first.values())


def _kucoin(capture: str) -> dict[str, list[recorded.Row]]:
    """Follow the venue's rule: drop what the snapshot has, the next one covers its number and 1."""
    found: dict[str, Any] = {"trades": [], "book": []}
    held: dict[str, list[Any]] = {}
    last: dict[str, int] = {}

    def book(symbol: str, sides: Any, seq: int, whole: bool) -> None:
        levels = [
            (side, float(price), float(size))
            for side in ("bid", "ask")
            for price, size, *_ in sides[f"{side}s"]
            if price != "0"
        ]
        # A message whose changes are all of price 0 moves the number alone: a row without a level.
        found["book"].append((symbol, whole, seq, levels))
        last[symbol] = seq

    def change(data: Any) -> None:
        symbol, start, end = data["symbol"], data["sequenceStart"], data["sequenceEnd"]
        if symbol not in last:
            held.setdefault(symbol, []).append(data)
        elif end > last[symbol]:
            assert start <= last[symbol] + 1
            book(symbol, data["changes"], end, whole=False)

    for sent in timeline(read_messages(capture), read_rest(capture)):
        frame = orjson.loads(sent.payload)
        if isinstance(sent, RestAnswer):
            book(sent.symbol, frame["data"], int(frame["data"]["sequence"]), whole=True)
            for data in held.pop(sent.symbol, ()):
                change(data)
        elif frame.get("subject") == "trade.l2update":
            change(frame["data"])
        elif frame.get("subject") == "trade.l3match":
            data = frame["data"]
            figures = (float(data["price"]), float(data["size"]))
            found["trades"].append((data["symbol"], data["tradeId"], data["side"], *figures))
    return found


@pytest.mark.captures
def test_a_venue_whose_books_begin_by_rest_is_as_plain_python_says() -> None:
    capture = "kucoin/cf-kucoin-20210425-ws1"
    rig, expected = Rig.of(kucoin.KUCOIN, TABLES), _kucoin(capture)
    for sent in timeline(read_messages(capture), read_rest(capture)):
        if isinstance(sent, RestAnswer):
            last_id = int(orjson.loads(sent.payload)["data"]["sequence"])
            rig.rest(sent.symbol, sent.payload, last_id, sent.ts_recv, sent.conn or 0)
        else:
            rig.message(sent.payload, sent.ts_recv, sent.conn)
    assert (dict(rig.decoder.errors), rig.decoder.unknown_messages) == ({}, 0)
    assert rig.splice is not None
    assert (rig.splice.n_breaks, rig.splice.n_waiting) == (0, 0)
    names = ("symbol", "trade_id", "side", "price", "size")
    columns = (rig.table("trades")[name].to_pylist() for name in names)
    assert list(zip(*columns, strict=True)) == expected["trades"]
    books: list[Any] = []
    levels: list[Any] = []
    table = rig.table("book").drop_columns(["ts_event", "ts_recv"])  # whose ns datetime has not
    for row in table.to_pylist():
        if row["side"] is not None:
            levels.append((row["side"], row["price"], row["size"]))
        if row["last"]:
            books.append((row["symbol"], row["is_snapshot"], row["venue_seq"], levels))
            levels = []
    assert books == expected["book"]
    assert len(books) == 3814
