"""Bybit: topics, requests and answers, in three markets."""

import json

import pytest

from tickwire.errors import ConfigError
from tickwire.venues import Reply, load, plan

BYBIT = load("bybit")


def test_each_channel_is_a_topic() -> None:
    channels = ["trades", "quotes", "book", "candles:1d", "tickers", "liquidations"]
    assert [each.key for each in plan(BYBIT, channels, ["BTCUSDT"])] == [
        "publicTrade.BTCUSDT",
        "orderbook.1.BTCUSDT",
        "orderbook.200.BTCUSDT",
        "kline.D.BTCUSDT",
        "tickers.BTCUSDT",
        "allLiquidation.BTCUSDT",
    ]
    (deep,) = plan(BYBIT, ["book:1000"], ["BTCUSDT"])
    assert deep.key == "orderbook.1000.BTCUSDT"


def test_the_book_is_called_as_in_the_configuration() -> None:
    assert BYBIT.aliases is not None
    assert BYBIT.aliases(["book"]) == {"book:200": "book"}
    assert BYBIT.aliases(["book:200"]) == {}
    with pytest.raises(ConfigError, match="exclude each other"):
        plan(BYBIT, ["book", "book:50"], ["BTCUSDT"])


@pytest.mark.parametrize(
    ("name", "market", "verified"),
    [("bybit", "linear", "2026-08-09"), ("bybit-inverse", "inverse", None),
     ("bybit-spot", "spot", None)],
)  # fmt: skip
def test_markets_differ_by_their_endpoint(name: str, market: str, verified: str | None) -> None:
    venue = load(name)
    assert venue.endpoints["main"].endswith(f"/{market}")
    assert venue.verified == verified
    assert (venue.channel("liquidations") is None) == (market == "spot")


def test_a_request_has_its_number_as_text() -> None:
    both = plan(BYBIT, ["trades"], ["BTCUSDT", "ETHUSDT"])
    asked = json.loads(BYBIT.subscribe(both, 12))
    assert asked == {"op": "subscribe", "req_id": "12", "args": [each.key for each in both]}


@pytest.mark.parametrize(
    ("kind", "answer", "meant"),
    [
        ("pong", {"success": True, "ret_msg": "pong", "op": "ping"}, Reply()),
        (
            "acknowledge",
            {"success": True, "ret_msg": "", "req_id": "3", "op": "subscribe"},
            Reply(request_id=3),
        ),
        ("acknowledge", {"success": True, "ret_msg": "", "req_id": "3", "op": "unsubscribe"},
         Reply()),
        (
            "error",
            {"success": False, "ret_msg": "args size >10", "req_id": "4", "op": "subscribe"},
            Reply(text="args size >10", request_id=4, request_ok=False),
        ),
        (
            "error",
            {"success": False, "ret_msg": "Too many visits.", "req_id": "4", "op": "subscribe"},
            Reply(text="Too many visits.", request_id=4, request_ok=False, retry=True),
        ),
        (
            "error",
            {"success": False, "ret_msg": "error:already subscribed,topic:x", "req_id": "4",
             "op": "subscribe"},
            Reply(request_id=4),
        ),
    ],
)  # fmt: skip
def test_answers(kind: str, answer: dict[str, object], meant: Reply) -> None:
    assert BYBIT.reply(kind, json.dumps(answer).encode()) == meant
