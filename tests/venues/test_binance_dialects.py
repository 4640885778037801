"""Binance's dialect at other venues: what differs, and recorded messages as rows."""

import json

import pytest
from tests.reference import BinanceReference, compare, read_messages, read_rest
from tests.reference.captures import RestAnswer
from tests.reference.rig import Rig, timeline

from tickwire.venues import load, plan

STREAMS = {
    "aggTrade": "@aggTrade", "bookTicker": "@bookTicker", "depthUpdate": "@depth@100ms",
    "markPriceUpdate": "@markPrice@1s", "24hrTicker": "@ticker", "24hrMiniTicker": "@miniTicker",
}  # fmt: skip


def decoded(venue: str, market: str, channels: list[str], events: list) -> Rig:
    """Decode messages and REST answers with both, and compare rows and counts."""
    rig = Rig.of(load(venue), channels, extras=True)
    reference = BinanceReference(market, channels, extras=True)
    reference.venue = venue
    for event in events:
        if isinstance(event, RestAnswer):
            last_id = json.loads(event.payload)["lastUpdateId"]
            rig.rest(event.symbol, event.payload, last_id, event.ts_recv, event.conn or 0)
            reference.rest(event.symbol, event.payload, event.ts_recv, event.conn or 0)
        else:
            rig.message(event.payload, event.ts_recv, event.conn)
            reference.message(event.payload, event.ts_recv, event.conn)
    for name, columns in reference.tables.items():
        compare(columns, rig.table(name))
    assert dict(rig.decoder.errors) == {}
    assert rig.decoder.unknown_messages == reference.counts["unknown"]
    return rig


@pytest.mark.captures
def test_what_aster_sent() -> None:
    """Its frames were recorded without their envelope."""
    channels = ["trades:agg", "quotes", "book:100ms", "tickers"]
    rig = Rig.of(load("aster"), channels, extras=True)
    reference = BinanceReference("binance-usdm", channels, extras=True)
    reference.venue = "aster"
    n_snapshots = 0
    for sent in read_messages("aster/roq-tests"):
        data = json.loads(sent.payload)
        if "lastUpdateId" in data:
            n_snapshots += 1
            assert rig.decoder.take_snapshot(
                "snapshot", sent.payload, symbol="ETHUSDT", ts_recv=1, conn=0, early=True
            )
            continue
        stream = data["s"].lower() + STREAMS[data["e"]]
        payload = json.dumps({"stream": stream, "data": data}).encode()
        rig.message(payload, sent.ts_recv, sent.conn)
        reference.message(payload, sent.ts_recv, sent.conn)
    for name in ("trades", "quotes", "tickers"):
        assert len(reference.tables[name]) > 0
        compare(reference.tables[name], rig.table(name))
    assert (n_snapshots, rig.decoder.unknown_messages) == (1, 1)  # the small ticker
    assert dict(rig.decoder.errors) == {}


@pytest.mark.captures
def test_spot_messages_are_those_of_binance() -> None:
    name = "binance/hbt-spot-btcusdt_20240808"
    messages = read_messages(name, limit=4000)
    answers = [each for each in read_rest(name) if each.ts_recv < messages[-1].ts_recv]
    channels = ["trades", "quotes", "book", "candles:1m", "tickers"]
    rig = decoded("binance-us", "binance", channels, timeline(messages, answers))
    assert rig.splice is not None
    assert (rig.splice.n_breaks, rig.table("book").num_rows > 1000) == (0, True)


def test_aster_has_aggregates_alone_and_books_at_100_ms() -> None:
    aster = load("aster")
    assert aster.channel("trades") is None
    found = plan(aster, ["trades:agg", "book", "tickers", "liquidations"], ["BTCUSDT"])
    assert [(each.key, each.endpoint) for each in found] == [
        (f"btcusdt@{name}", "main")
        for name in ("aggTrade", "depth@100ms", "ticker", "markPrice@1s", "forceOrder")
    ]
    assert [each.channel for each in aster.backfills] == ["trades:agg"]
    assert aster.limits.subscriptions_per_connection == 200


def test_venues_say_where_they_are_and_what_was_verified() -> None:
    us = load("binance-us")
    assert us.endpoints == {"main": "wss://stream.binance.us:9443/stream"}
    assert us.verified is None
    assert [each.is_by_id for each in us.backfills] == [False, True]
    assert load("aster").verified == "2025-12-10"
