"""Scalars of scripts: every reader, with values of every form after one of another was learned."""

from __future__ import annotations

from typing import Any

import pytest
from tests.decode.pairs import Pair

from tickwire.decode import plan
from tickwire.decode.plan import Message, choice, integer, message, ms, ns, null, part, rows, text

pytestmark = pytest.mark.usefixtures("kernels")

CANDLE = {"interval": plan.constant("1m"), "ts_open": ms("t"), "ts_close": ms("t")} | dict.fromkeys(
    ("open", "high", "low", "close", "volume"), "p"
)
LIQUIDATION = {"price": "p", "size": "p", "side": choice("p", {1: "buy"})}
READERS: dict[str, tuple[str, dict[str, Any]]] = {
    "number": ("tickers", {"last_price": "v"}),
    "magnitude": ("tickers", {"last_price": plan.number("v", magnitude=True)}),
    "integer": ("quotes", {"venue_seq": "v"}),
    "added to": ("quotes", {"venue_seq": integer("v", add=-1)}),
    "ms": ("tickers", {"next_funding_ts": ms("v")}),
    "later": ("tickers", {"next_funding_ts": ms("v", later_ms=5)}),
    "ns": ("tickers", {"next_funding_ts": ns("v")}),
    "seconds": ("tickers", {"next_funding_ts": plan.seconds("v")}),
    "rfc3339": ("tickers", {"next_funding_ts": plan.rfc3339("v")}),
    "twice": ("tickers", {"last_price": "v", "mark_price": "v"}),
    "number and part": (
        "tickers",
        {
            "last_price": plan.number(part("v", ",", 0)),
            "mark_price": plan.number(part("v", ",", -1)),
        },
    ),
    "or null": (
        "candles",
        CANDLE | {"closed": choice("v", {"1": True, 1: False}, otherwise=null())},
    ),
    "otherwise": (
        "liquidations",
        LIQUIDATION | {"side": choice("v", {"1": "buy"}, otherwise="sell")},
    ),
    "sign": (
        "liquidations",
        LIQUIDATION
        | {
            "size": plan.number("v", magnitude=True),
            "side": plan.sign("v", positive="buy", negative="sell"),
        },
    ),
    "text": ("liquidations", LIQUIDATION | {"trade_id": text("v")}),
}
VALUES = (
    "1", "0", "-0", "-0.0", "-1", "1.5", "-2.25", "1e3", "-1e-3", "12345678901234567",
    "99999999999999999999", "1700000000123", "1764472000123456789", "null", "true", "false",
    '"1"', '"-1"', '"1.5"', '"-0.0"', '""', '"x"', '"1,2"', '"1e2"', '"\\u0031"',
    '"2026-11-30T01:02:03.5Z"', '"2026-11-30T01:02:03.123456789Z"', '"9999-11-30T01:02:03Z"',
    '"1700000000123"', '"1617666423.843794"', "[]", "[1]", "{}",
)  # fmt: skip
# A few of them stand for the rest where time is short.
FIRST = [
    pytest.param(value, marks=() if value in ("1", "-1.5", "null", '"1"') else pytest.mark.thorough)
    for value in VALUES
]


def declared(name: str) -> list[Message]:
    table, fields = READERS[name]
    return [
        message(
            "m",
            when={"e": "m"},
            rows=[rows(at="", into=table, symbol="s", **({"ts_event": ms("t")} | fields))],
        )
    ]


@pytest.mark.volume
@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("name", READERS)
def test_a_value_of_any_form_after_another(name: str, first: str) -> None:
    pair = Pair(declared(name))
    for value in VALUES:
        for each in (first, value, value):
            pair.read(f'{{"e":"m","s":"A","t":1,"p":1,"v":{each}}}')


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name, values in {
            "number": ("1", "-1.5", "null", '"1"', '""'),
            "magnitude": ("1", "-1.5", '"-2"'),
            "integer": ("1", '"1"', "null"),
            "ms": ("1700000000123", '"1700000000123"', "null"),
            "seconds": ("1700000000", "1700000000.5", '"1617666423.843794"', "null"),
            "rfc3339": ('"2026-11-30T01:02:03.5Z"',),
            "twice": ("1", '"-1.5"'),
            "otherwise": ('"1"', '"x"'),
            "sign": ("1.5", "-1.5", '"-1.5"'),
        }.items()
        for value in values
    ],
)
def test_values_that_scripts_read(name: str, value: str) -> None:
    pair = Pair(declared(name))
    payload = f'{{"e":"m","s":"A","t":1,"p":1,"v":{value}}}'
    assert [pair.read(payload) for _ in range(4)] == [False, True, True, True]
