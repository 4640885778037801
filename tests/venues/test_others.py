"""Deribit, Bitget, Gate and Kraken Futures: what is asked for, and what answers mean."""

import json
from typing import Any

import pytest

from tickwire.venues import Reply, load, plan

INVERSE = {"instType": "coin-futures", "topic": "liquidation"}
TICKER = '{"instType":"usdt-futures","topic":"ticker","symbol":"BTCUSDT"}'


@pytest.mark.parametrize(
    ("name", "channels", "symbol", "keys"),
    [
        (
            "deribit",
            ["trades", "liquidations", "quotes", "book", "book:10", "candles:1d", "tickers"],
            "BTC-PERPETUAL",
            ["trades.BTC-PERPETUAL.100ms", "trades.BTC-PERPETUAL.100ms", "quote.BTC-PERPETUAL",
             "book.BTC-PERPETUAL.100ms", "book.BTC-PERPETUAL.none.10.100ms",
             "chart.trades.BTC-PERPETUAL.1D", "ticker.BTC-PERPETUAL.100ms"],
        ),
        (
            "bitget-futures",
            ["quotes", "book", "book:5", "candles:1h", "liquidations"],
            "BTCUSDT",
            [{"topic": "books1", "symbol": "BTCUSDT"}, {"topic": "books", "symbol": "BTCUSDT"},
             {"topic": "books5", "symbol": "BTCUSDT"},
             {"topic": "kline", "symbol": "BTCUSDT", "interval": "1H"}, {"topic": "liquidation"}],
        ),
        (
            "gate-futures",
            ["trades", "quotes", "book:50", "candles:5m", "liquidations"],
            "BTC_USDT",
            [{"channel": f"futures.{name}", "payload": payload} for name, payload in (
                ("trades", ["BTC_USDT"]), ("book_ticker", ["BTC_USDT"]),
                ("obu", ["ob.BTC_USDT.50"]), ("candlesticks", ["5m", "BTC_USDT"]),
                ("public_liquidates", ["BTC_USDT"]))],
        ),
        (
            "kraken-futures",
            ["trades", "quotes", "book", "tickers", "liquidations"],
            "PF_XBTUSD",
            [f"{feed} PF_XBTUSD" for feed in ("trade", "ticker", "book", "ticker", "trade")],
        ),
    ],
)  # fmt: skip
def test_each_channel_has_its_key(
    name: str, channels: list[str], symbol: str, keys: list[Any]
) -> None:
    found: list[Any] = [each.key for each in plan(load(name), channels, [symbol])]
    if isinstance(keys[0], dict):
        found = [json.loads(each) for each in found]
    if name == "bitget-futures":
        keys = [{"instType": "usdt-futures"} | each for each in keys]
    assert found == keys


def test_markets_differ_by_their_arguments() -> None:
    (every,) = plan(load("bitget-inverse"), ["liquidations"], ["*"])
    assert json.loads(every.key) == INVERSE
    assert load("bitget").channel("liquidations") is None
    assert load("gate").channel("liquidations") is None
    (every,) = plan(load("gate-btc"), ["liquidations"], ["*"])
    assert json.loads(every.key)["payload"] == ["!all"]
    names = ("bitget-futures", "bitget-usdc", "bitget", "gate", "gate-futures", "gate-btc")
    assert [load(name).verified for name in names] == [
        "2026-04-28", None, None, "2026-08-12", "2026-08-12", None,
    ]  # fmt: skip


def test_books_are_called_as_in_the_configuration() -> None:
    aliases = load("gate").aliases
    assert aliases is not None
    assert (aliases(["book"]), aliases(["book:400"])) == ({"book:400": "book"}, {})


def test_a_request_of_kraken_futures_names_one_feed_and_many_contracts() -> None:
    venue = load("kraken-futures")
    both = plan(venue, ["book"], ["PF_XBTUSD", "PF_ETHUSD"])
    asked = {"event": "subscribe", "feed": "book", "product_ids": ["PF_XBTUSD", "PF_ETHUSD"]}
    assert json.loads(venue.subscribe(both, 1)) == asked


def _gate(**answer: Any) -> dict[str, Any]:
    return {"time": 1, "id": 7, "channel": "spot.obu", "event": "subscribe"} | answer


@pytest.mark.parametrize(
    ("name", "kind", "answer", "meant"),
    [
        ("deribit", "acknowledge", {"id": 3, "result": ["quote.A"]},
         Reply(acknowledged=("quote.A",))),
        ("deribit", "acknowledge", {"id": "end 3", "result": ["quote.A"]}, Reply()),
        ("deribit", "acknowledge", {"id": 0, "result": "ok"}, Reply()),
        (
            "deribit",
            "error",
            {"id": 3, "error": {"code": 10028, "message": "too_many"}},
            Reply(text="too_many (code 10028)", retry=True, request_id=3, request_ok=False),
        ),
        (
            "bitget-futures",
            "acknowledge",
            {"event": "subscribe", "arg": json.loads(TICKER)},
            Reply(acknowledged=(TICKER,)),
        ),
        ("bitget-futures", "acknowledge", {"event": "unsubscribe", "arg": json.loads(TICKER)},
         Reply(ended=(TICKER,))),
        (
            "bitget-futures",
            "error",
            {"event": "error", "arg": json.loads(TICKER), "code": 30006, "msg": "too many"},
            Reply(refused=(TICKER,), text="too many (code 30006)", retry=True),
        ),
        ("bitget-futures", "error", {"event": "error", "code": "30016", "msg": "Param error"},
         Reply(text="Param error (code 30016)")),
        ("gate", "acknowledge", _gate(result={"status": "success"}), Reply(request_id=7)),
        ("gate", "acknowledge", _gate(event="unsubscribe"), Reply()),
        ("gate", "error", _gate(error={"code": 2, "message": "Alert sub ob.BTC_USDT.50"}),
         Reply(request_id=7)),
        (
            "gate",
            "error",
            _gate(error={"code": 2, "message": "unknown currency pair: X"}),
            Reply(text="unknown currency pair: X", request_id=7, request_ok=False),
        ),
        (
            "kraken-futures",
            "acknowledge",
            {"event": "subscribed", "feed": "book", "product_ids": ["PF_XBTUSD"]},
            Reply(acknowledged=("book PF_XBTUSD",)),
        ),
        (
            "kraken-futures",
            "acknowledge",
            {"event": "unsubscribed", "feed": "book", "product_ids": ["PF_XBTUSD"]},
            Reply(ended=("book PF_XBTUSD",)),
        ),
        ("kraken-futures", "acknowledge", {"event": "subscribed", "feed": "heartbeat"}, Reply()),
        ("kraken-futures", "error", {"event": "alert", "message": "Daily request limit"},
         Reply(text="Daily request limit", retry=True)),
    ],
)  # fmt: skip
def test_answers(name: str, kind: str, answer: dict[str, Any], meant: Reply) -> None:
    assert load(name).reply(kind, json.dumps(answer).encode()) == meant


def test_pongs() -> None:
    assert load("bitget-futures").reply("pong", b"pong") == Reply()
    assert load("gate").reply("pong", b'{"channel":"spot.pong"}') == Reply()
