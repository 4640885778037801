"""Kraken v2: one symbol in a request, and a connection for each depth of books."""

import json

import pytest

from tickwire.venues import Reply, connections, load, plan

KRAKEN = load("kraken")


def test_requests() -> None:
    channels = ["trades", "quotes", "tickers", "candles:5m", "book:25"]
    found = plan(KRAKEN, channels, ["BTC/USD"])
    asked = [json.loads(KRAKEN.subscribe([each], 9)) for each in found]
    assert {(each["method"], each["req_id"]) for each in asked} == {("subscribe", 9)}
    ticker = {"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "bbo"}
    assert [each["params"] for each in asked] == [
        {"channel": "trade", "symbol": ["BTC/USD"]},
        ticker,
        ticker,
        {"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 5},
        {"channel": "book", "symbol": ["BTC/USD"], "depth": 25},
    ]


def test_depths_are_told_apart_by_their_connections() -> None:
    (deep,) = plan(KRAKEN, ["book"], ["BTC/USD"])
    assert json.loads(deep.key)["depth"] == 1000
    (flat,) = plan(KRAKEN, ["book:10"], ["BTC/USD"])
    assert (flat.group, flat.labels) == ("book:10", (("book", "book:10"),))
    groups = connections(KRAKEN, plan(KRAKEN, ["trades", "book:10"], ["BTC/USD", "ETH/USD"]))
    assert [len(group) for group in groups] == [2, 2]


@pytest.mark.parametrize(("channel", "depth"), [("book", 1000), ("book:10", 10)])
def test_the_client_keeps_the_depth(channel: str, depth: int) -> None:
    assert KRAKEN.book is not None
    assert KRAKEN.book.depth_of(channel) == depth


@pytest.mark.parametrize(
    ("kind", "answer", "meant"),
    [
        ("pong", {"method": "pong"}, Reply()),
        ("acknowledge", {"method": "unsubscribe", "success": True, "req_id": 3}, Reply()),
        ("acknowledge", {"method": "subscribe", "success": True, "req_id": 2}, Reply(request_id=2)),
        (
            "error",
            {"error": "Subscription depth not supported", "success": False, "req_id": 2},
            Reply(text="Subscription depth not supported", request_id=2, request_ok=False),
        ),
        (
            "error",
            {"Error": "Exceeded msg rate"},
            Reply(text="Exceeded msg rate", retry=True, request_ok=False),
        ),
        (
            "error",
            {"error": "Already subscribed", "success": False, "req_id": 2},
            Reply(request_id=2),
        ),
    ],
)
def test_answers(kind: str, answer: dict[str, object], meant: Reply) -> None:
    assert KRAKEN.reply(kind, json.dumps(answer).encode()) == meant
