"""Recorded books: untouched they break nowhere; what is lost, repeated or swapped is found."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.reference import read_messages
from tests.reference.rig import Rig

from tickwire.venues import Venue, load

# Venue, channel, capture, and how many checksums it has.
CASES = [
    ("okx", "book", "okx/tickvault-20260824-books-updates", 0),
    ("bybit", "book", "bybit/cfv3-bybit-20260809-linear", 0),
    ("coinbase", "book", "coinbase/cfv3-coinbase-20260809-advanced", 0),
    ("kraken", "book:10", "kraken/dc-kraken-20260816-btcusd-d10", 54),
    ("deribit", "book", "deribit/cf-deribit-20210405-5dd9ce", 0),
    ("kraken-futures", "book", "kraken/cf-kraken_futures-20210722-ws1", 0),
    ("bitfinex", "book", "bitfinex/cf-bitfinex-20210405-58bafb", 0),
]


def sent(capture: str) -> list[tuple[bytes, int, int]]:
    return [(each.payload, each.ts_recv, each.conn) for each in read_messages(capture)]


def fed(venue: Venue, channel: str, messages: Sequence[tuple[bytes, int, int]]) -> Rig:
    rig = Rig.of(venue, ["trades", "quotes", "book", "candles", "tickers"], book=channel)
    for payload, ts_recv, conn in messages:
        rig.message(payload, ts_recv, conn)
    rig.drain()
    return rig


def is_delta(name: str, payload: bytes) -> bool:
    frame = json.loads(payload)
    if name == "bitfinex":
        return (
            isinstance(frame, list)
            and isinstance(frame[1], list)
            and len(frame[1]) == 3
            and not isinstance(frame[1][0], list)
        )
    if not isinstance(frame, dict):
        return False
    kinds = {
        "okx": lambda: frame.get("action") == "update",
        "bybit": lambda: (
            str(frame.get("topic")).startswith("orderbook") and frame["type"] == "delta"
        ),
        "coinbase": lambda: (
            frame.get("channel") == "l2_data" and frame["events"][0]["type"] == "update"
        ),
        "kraken": lambda: frame.get("channel") == "book" and frame["type"] == "update",
        "deribit": lambda: "params" in frame and frame["params"]["data"].get("type") == "change",
        "kraken-futures": lambda: frame.get("feed") == "book" and "seq" in frame,
    }
    return bool(kinds[name]())


def book_of(payload: bytes) -> Any:
    """Give what tells the book of a message from others."""
    frame = json.loads(payload)
    if isinstance(frame, list):
        return frame[0]
    if "params" in frame:
        return frame["params"]["channel"]
    return frame.get("topic") or frame.get("product_id") or frame["channel"]


@pytest.mark.captures
@pytest.mark.parametrize(("name", "channel", "capture", "n_sums"), CASES)
def test_an_untouched_capture_has_no_gap(
    name: str, channel: str, capture: str, n_sums: int
) -> None:
    rig = fed(load(name), channel, sent(capture))
    assert rig.follower is not None
    if capture.startswith("okx/tickvault"):
        # It has no snapshot: nothing begins, and nothing breaks.
        assert (rig.follower.n_begun, rig.follower.n_breaks) == (0, 0)
    else:
        assert rig.follower.n_begun > 0
        assert (rig.follower.n_breaks, rig.follower.n_withheld) == (0, 0)
    if rig.checksums is not None:
        assert (rig.checksums.n_checked, rig.checksums.n_mismatched) == (n_sums, 0)


@pytest.mark.captures
def test_a_truncation_that_is_missing_is_found() -> None:
    kraken = load("kraken")
    assert kraken.book is not None
    untruncated = replace(kraken, book=replace(kraken.book, depth=0))
    rig = fed(untruncated, "book:10", sent("kraken/dc-kraken-20260816-btcusd-d10"))
    assert rig.checksums is not None
    assert rig.checksums.n_mismatched == 1


@pytest.mark.captures
@pytest.mark.parametrize(("name", "channel", "capture", "n_sums"), CASES[1:])
@pytest.mark.parametrize("kind", ["drop", "repeat", "swap"])
def test_what_is_done_to_a_recorded_message_is_found(
    name: str, channel: str, capture: str, n_sums: int, kind: str
) -> None:
    venue, messages = load(name), sent(capture)
    deltas = [at for at, each in enumerate(messages) if is_delta(name, each[0])]
    whole = fed(venue, channel, messages).table("book").num_rows
    rng = random.Random(kind)
    early = deltas[: len(deltas) * 3 // 4]  # a loss is seen by what follows
    for at in rng.sample(early, min(12, len(early))):
        changed = list(messages)
        book = book_of(messages[at][0])
        following = next(
            each for each in deltas if each > at and book_of(messages[each][0]) == book
        )
        if kind == "drop":
            del changed[at]
        elif kind == "repeat":
            changed.insert(at, messages[at])
        else:
            changed[at], changed[following] = changed[following], changed[at]
        rig = fed(venue, channel, changed)
        assert rig.follower is not None
        news: list[Any] = [each for each in rig.follower.take_news() if each[1] != "begun"]
        if kind == "repeat" and name != "kraken":
            assert not news
            assert rig.table("book").num_rows == whole
        elif name == "kraken":
            # Levels are absolute: a repeat changes none, and a swap of others only their order.
            assert [each[1] for each in news] in (["checksum"], []), (kind, at)
            assert news or kind != "drop"
        else:
            is_counted = name in ("coinbase", "bitfinex")
            cause = "connection" if is_counted else "numbers"
            assert {each[1] for each in news} == {cause}, (kind, at)
            assert len(news) == 1 or is_counted  # where it is all of a connection's
