"""The venue that the README declares, against a server made of another library."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from tests.feed.exchange import exchange
from tests.reference.captures import read_messages

import tickwire

ROOT = Path(__file__).parents[2]

MATCH = {
    "type": "match",
    "trade_id": 280232,
    "maker_order_id": "2a0da34e-61f7-4c36-88e5-c9dd15927b16",
    "taker_order_id": "3c82abaa-c01e-4608-be59-6a1e69742891",
    "side": "sell",
    "size": "985",
    "price": "0.00001305",
    "product_id": "BTC-USD",
    "sequence": 177100030,
    "time": "2021-04-17T16:43:37.089723Z",
}
TICKER = {
    "type": "ticker",
    "sequence": 333938798,
    "product_id": "BTC-USD",
    "best_bid": "14.7550",
    "best_ask": "14.8060",
    "time": "2021-04-17T16:43:30.244075Z",
}
SNAPSHOT = {
    "type": "snapshot",
    "product_id": "BTC-USD",
    "asks": [["14.8", "1"], ["14.9", "2"]],
    "bids": [["14.7", "3"]],
}
UPDATE = {
    "type": "l2update",
    "product_id": "BTC-USD",
    "changes": [["sell", "14.8", "0"], ["buy", "14.6", "4.5"]],
    "time": "2021-04-17T16:43:37.075687Z",
}


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = spec_from_file_location("add_a_venue", ROOT / "examples" / "add_a_venue.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Coinbase:
    """Answers as Coinbase does: all that is subscribed, level2_batch by another name."""

    def __init__(self, unknown: str = "") -> None:
        self._subscribed: dict[str, list[str]] = {}
        self._unknown = unknown

    def __call__(self, request: dict[str, Any]) -> str:
        (channel,) = request["channels"]
        for product in channel["product_ids"]:
            if product == self._unknown:
                reason = f"{product} is not a valid product"
                return json.dumps(
                    {"type": "error", "message": "Failed to subscribe", "reason": reason}
                )
            name = channel["name"].replace("level2_batch", "level2_50")
            self._subscribed.setdefault(name, []).append(product)
        channels = [{"name": n, "product_ids": p} for n, p in self._subscribed.items()]
        return json.dumps({"type": "subscriptions", "channels": channels})


async def rows_of(
    venue: Any, url: str, wanted: dict[str, int], symbols: list[str]
) -> dict[str, list[dict[str, Any]]]:
    source = tickwire.Source(venue=venue, channels=list(wanted), symbols=symbols, url=url)
    got: dict[str, list[dict[str, Any]]] = {}
    async with tickwire.FeedHandler([source]) as feed:
        for table, n_rows in wanted.items():
            got[table] = []
            consumer = feed.batches(table)
            while len(got[table]) < n_rows:
                got[table] += pl.DataFrame(await consumer.get()).to_dicts()
    return got


def test_the_venue_of_the_readme_gives_rows(example: ModuleType) -> None:
    plays = [json.dumps(one).encode() for one in (MATCH, TICKER, SNAPSHOT, UPDATE)]
    wanted = {"trades": 1, "quotes": 1, "book": 5}
    with exchange([plays], Coinbase()) as server:
        got = tickwire.run(rows_of(example.COINBASE, server.ws_url, wanted, ["BTC-USD"]))
    (trade,) = got["trades"]
    assert (trade["venue"], trade["symbol"], trade["channel"]) == ("coinbase", "BTC-USD", "trades")
    assert (trade["price"], trade["size"], trade["side"]) == (0.00001305, 985.0, "buy")
    assert trade["trade_id"] == "280232"
    assert trade["ts_event"].isoformat() == "2021-04-17T16:43:37.089723+00:00"
    (quote,) = got["quotes"]
    assert (quote["bid_price"], quote["ask_price"]) == (14.755, 14.806)
    assert (quote["bid_size"], quote["venue_seq"]) == (None, 333938798)
    book = [
        (row["side"], row["price"], row["size"], row["is_snapshot"], row["last"])
        for row in got["book"]
    ]
    assert book == [
        ("bid", 14.7, 3.0, True, False),
        ("ask", 14.8, 1.0, True, False),
        ("ask", 14.9, 2.0, True, True),
        ("ask", 14.8, 0.0, False, False),
        ("bid", 14.6, 4.5, False, True),
    ]


def test_a_product_that_is_refused_does_not_stop_the_others(example: ModuleType) -> None:
    plays = [json.dumps(MATCH).encode()]
    with exchange([plays], Coinbase(unknown="FOO-USD")) as server:
        got = tickwire.run(
            rows_of(example.COINBASE, server.ws_url, {"trades": 1}, ["FOO-USD", "BTC-USD"])
        )
    assert [row["symbol"] for row in got["trades"]] == ["BTC-USD"]


@pytest.mark.captures
def test_the_venue_decodes_what_coinbase_really_sent(example: ModuleType) -> None:
    payloads = [one.payload for one in read_messages("coinbase/cf-coinbase-20210417-ws28")]
    messages = [json.loads(payload) for payload in payloads]
    trades = {
        (one["product_id"], str(one["trade_id"]), float(one["price"]), float(one["size"])): one
        for one in messages
        if one["type"] in ("match", "last_match")
    }
    n_levels = sum(len(one["changes"]) for one in messages if one["type"] == "l2update")
    n_levels += sum(len(m["bids"]) + len(m["asks"]) for m in messages if m["type"] == "snapshot")
    n_quotes = sum(one["type"] == "ticker" for one in messages)
    products = sorted({one["product_id"] for one in messages if "product_id" in one})
    wanted = {"trades": len(trades), "quotes": n_quotes, "book": n_levels}
    with exchange([payloads], Coinbase()) as server:
        got = tickwire.run(rows_of(example.COINBASE, server.ws_url, wanted, products))
    assert {table: len(rows) for table, rows in got.items()} == wanted
    for row in got["trades"]:
        sent = trades[row["symbol"], row["trade_id"], row["price"], row["size"]]
        assert row["side"] == {"buy": "sell", "sell": "buy"}[sent["side"]]
        assert row["ts_event"].isoformat().replace("+00:00", "Z") == sent["time"]
