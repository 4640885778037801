"""Bitfinex: requests, answers, names and instruments; its messages are in `test_recorded`."""

import json
from typing import Any

import pytest

from tickwire.venues import Reply, load, parse_name, plan

VENUE = load("bitfinex")


def test_a_request_is_of_one_channel_and_symbol() -> None:
    [book] = plan(VENUE, ["book"], ["tBTCUSD"])
    assert json.loads(VENUE.subscribe([book], 1)) == {
        "event": "subscribe", "channel": "book", "symbol": "tBTCUSD", "prec": "P0", "freq": "F0",
        "len": "100",
    }  # fmt: skip
    quotes, tickers = plan(VENUE, ["quotes", "tickers"], ["tETH2X:ETH"])
    assert quotes.key == tickers.key == "ticker tETH2X:ETH"
    assert json.loads(VENUE.subscribe([quotes], 1)) == {
        "event": "subscribe", "channel": "ticker", "symbol": "tETH2X:ETH",
    }  # fmt: skip
    assert json.loads(VENUE.hello[0]) == {"event": "conf", "flags": 65536}


@pytest.mark.parametrize(
    ("kind", "answer", "reply"),
    [
        (
            "acknowledge",
            {"event": "subscribed", "channel": "book", "chanId": 5, "symbol": "tBTCUSD"},
            Reply(acknowledged=("book tBTCUSD",)),
        ),
        (
            "error",
            {"event": "error", "msg": "symbol: invalid", "code": 10300, "channel": "trades",
             "symbol": "tX"},
            Reply(refused=("trades tX",), text="symbol: invalid"),
        ),
        (
            "error",
            {"event": "error", "msg": "limit", "code": 10305, "channel": "trades", "symbol": "tX"},
            Reply(refused=("trades tX",), text="limit", retry=True),
        ),
        (
            "error",
            {"event": "error", "msg": "subscribe: dup", "code": 10301, "channel": "trades",
             "symbol": "tX"},
            Reply(acknowledged=("trades tX",), text="subscribe: dup"),
        ),
        ("acknowledge", {"event": "info", "version": 2}, Reply()),
        ("acknowledge", {"event": "info", "code": 20051, "msg": "Stop"},
         Reply(closing=True, text="Stop")),
        ("acknowledge", {"event": "info", "code": 20060, "msg": "Maintenance"},
         Reply(text="Maintenance")),
        ("acknowledge", {"event": "info", "code": 20061, "msg": "It has ended"},
         Reply(closing=True, text="It has ended")),
        ("acknowledge", {"event": "conf", "status": "OK"}, Reply()),
    ],
)  # fmt: skip
def test_answers(kind: str, answer: dict[str, Any], reply: Reply) -> None:
    assert VENUE.reply(kind, json.dumps(answer).encode()) == reply


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTC-USD", "tBTCUSD"), ("BTC-USDT", "tBTCUST"), ("DUSK/USD", "tDUSK:USD"),
        ("USDT-USD", "tUSTUSD"), ("BTC-USDT-PERP", "tBTCF0:USTF0"), ("ETH-USDC", "tETHUDC"),
        ("BTC-XAUT", "tBTC:XAUT"),
    ],
)  # fmt: skip
def test_names(name: str, symbol: str) -> None:
    parsed = parse_name(name)
    assert VENUE.spell is not None
    assert parsed is not None
    assert VENUE.spell(parsed) == symbol


def test_instruments() -> None:
    assert VENUE.instruments is not None
    [query] = VENUE.instruments(["tBTCUSD"])
    listed = query.read(json.dumps([["BTCUSD", "ETH2X:ETH", "USTUSD"], ["BTCF0:USTF0"]]).encode())
    found = [(each.symbol, each.kind, each.base, each.quote, each.settle) for each in listed]  # type: ignore[union-attr]
    assert found == [
        ("tBTCUSD", "spot", "BTC", "USD", ""), ("tETH2X:ETH", "spot", "ETH2X", "ETH", ""),
        ("tUSTUSD", "spot", "USDT", "USD", ""),
        ("tBTCF0:USTF0", "perpetual", "BTC", "USDT", "USDT"),
    ]  # fmt: skip
