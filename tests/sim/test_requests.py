"""What exchanges with books in band answer to each request, as their documents say; without I/O."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tickwire.errors import ConfigError
from tickwire.sim.dialect import Dialect
from tickwire.sim.dialects import SPEAKS, check
from tickwire.sim.exchange import CHANNELS, Client, Reaction
from tickwire.sim.faults import Fault, parse
from tickwire.sim.instruments import DEFAULT_SYMBOLS
from tickwire.sim.market import Market

NAMES = {"okx": "BTC-USDT", "bybit": "BTCUSDT", "coinbase": "BTC-USD", "kraken": "BTC/USD"}
NOW_MS = 1_764_500_000_123


def speaking(
    venue: str,
    on_subscribe: Callable[[int, str, str], Fault | None] = lambda *_: None,
    *,
    live: bool = True,
) -> tuple[Dialect, Client]:
    market = Market(venue, DEFAULT_SYMBOLS[venue], 1, clock_ms=lambda: NOW_MS)
    exchange = SPEAKS[venue](venue, market, CHANNELS, on_subscribe, live=live)
    assert isinstance(exchange, Dialect)
    return exchange, Client("/", 0)


def asked(op: str, venue: str, *channels: str, name: str = "", **more: Any) -> dict[str, Any]:
    """Write a request for channels, as they are called at the venue, of one symbol."""
    name = name or NAMES[venue]
    if venue == "okx":
        args: list[Any] = [{"channel": each, "instId": name} for each in channels]
        return {"op": op, "args": args}
    if venue == "bybit":
        return {"op": op, "req_id": "7", "args": [f"{each}.{name}" for each in channels]}
    (channel,) = channels
    if venue == "coinbase":
        return {"type": op, "channel": channel, "product_ids": [name]}
    return {"method": op, "params": {"channel": channel, "symbol": [name], **more}, "req_id": 7}


def said(exchange: Dialect, client: Client, request: Any) -> list[Any]:
    text = request if isinstance(request, str) else json.dumps(request)
    return [json.loads(reply) for reply in exchange.request(text, client).replies]


TRADES = {
    "okx": "trades", "bybit": "publicTrade", "coinbase": "market_trades", "kraken": "trade",
}  # fmt: skip
BOOK = {"okx": "books", "bybit": "orderbook.50", "coinbase": "level2", "kraken": "book"}


@pytest.mark.parametrize("venue", NAMES)
@pytest.mark.parametrize("text", ["no JSON", "[1]", "null", "{}", "[" * 100_000])
def test_what_is_no_request_is_an_error(venue: str, text: str) -> None:
    exchange, client = speaking(venue)
    (reply,) = said(exchange, client, text)
    if text == "{}" and venue in ("bybit", "coinbase"):
        assert "invalid op" in str(reply) or "unsupported" in str(reply)
    else:
        assert json.dumps(reply, separators=(",", ":")) == exchange.error_text
    assert client.keys == {}


@pytest.mark.parametrize("venue", NAMES)
def test_who_unsubscribes_gets_nothing_more(venue: str) -> None:
    exchange, client = speaking(venue)
    (answer,) = said(exchange, client, asked("subscribe", venue, TRADES[venue]))
    (key,) = client.keys
    assert exchange.stream_of(key) == ("trades", NAMES[venue])
    assert "error" not in str(answer)
    (answer,) = said(exchange, client, asked("unsubscribe", venue, TRADES[venue]))
    assert client.keys == {}
    match venue:
        case "okx":
            assert (answer["event"], answer["arg"]["channel"]) == ("unsubscribe", "trades")
        case "bybit":
            assert (answer["op"], answer["success"], answer["req_id"]) == ("unsubscribe", True, "7")
        case "coinbase":
            assert answer["events"] == [{"subscriptions": {}}]  # what there is still
        case _:
            assert (answer["method"], answer["success"], answer["req_id"]) == (
                "unsubscribe", True, 7,
            )  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "delivers", "n_replies"),
    [("silent", False, 1), ("unanswered", False, 0), ("reject", False, 1), ("kill", False, 0)],
)
@pytest.mark.parametrize("venue", NAMES)
def test_a_fault_strikes_one_subscribe(
    venue: str, fault: str, delivers: bool, n_replies: int
) -> None:
    struck = [parse(fault)]

    def on_subscribe(_number: int, channel: str, symbol: str) -> Fault | None:
        assert (channel, symbol) == ("book", NAMES[venue])
        return struck.pop() if struck else None

    exchange, client = speaking(venue, on_subscribe)
    request = json.dumps(asked("subscribe", venue, BOOK[venue]))
    reaction = exchange.request(request, client)
    assert reaction.reset == (fault == "kill")
    assert len(reaction.replies) == n_replies
    assert bool(client.keys) == delivers
    assert bool(client.silent) == (fault == "silent")
    assert reaction.first == []
    exchange.leave([*client.silent], client)
    assert client.silent == {}
    reaction = exchange.request(request, client)  # the next one is as ever
    assert [message.channel for message in reaction.first] == ["book"]


@pytest.mark.parametrize(
    ("venue", "request_", "answer"),
    [
        ("bybit", {"op": "ping", "req_id": "1"},
         {"success": True, "ret_msg": "pong", "conn_id": "sim", "req_id": "1", "op": "ping"}),
        ("bybit", {"op": "subscribe", "args": "publicTrade.BTCUSDT"},
         {"success": False, "ret_msg": "error:invalid op", "conn_id": "sim", "req_id": "",
          "op": "subscribe"}),
        ("bybit", {"op": "subscribe", "args": ["publicTrade.BTCUSDT"] * 11},
         {"success": False, "ret_msg": "args size >10", "conn_id": "sim", "req_id": "",
          "op": "subscribe"}),
        ("coinbase", {"type": "subscribe", "channel": "level2", "product_ids": "BTC-USD"},
         {"type": "error", "message": "unsupported request type"}),
        ("kraken", {"method": "ping", "req_id": 3},
         {"method": "pong", "time_in": "2025-11-30T10:53:20.123000Z",
          "time_out": "2025-11-30T10:53:20.123000Z", "req_id": 3}),
        ("kraken", {"method": "subscribe", "params": {"channel": "book", "symbol": "BTC/USD"}},
         {"error": "Malformed request", "method": "subscribe", "success": False}),
        ("okx", {"op": "login", "args": []},
         {"event": "error", "code": "60012", "msg": "Illegal request", "connId": "sim"}),
    ],
)  # fmt: skip
def test_answers(venue: str, request_: Any, answer: Any) -> None:
    assert said(*speaking(venue), request_) == [answer]


def test_okx_answers_the_text_ping() -> None:
    exchange, client = speaking("okx")
    assert exchange.request("ping", client) == Reaction(["pong"])


@pytest.mark.parametrize(
    ("venue", "channel", "more", "words"),
    [
        ("okx", "no-channel", {}, "Wrong URL or channel:no-channel, instId:BTC-USDT"),
        ("bybit", "no-topic", {}, "handler not found,topic:no-topic.BTCUSDT"),
        ("bybit", "orderbook.7", {}, "handler not found,topic:orderbook.7.BTCUSDT"),
        ("bybit", "kline.7", {}, "handler not found,topic:kline.7.BTCUSDT"),
        ("bybit", "kline", {}, "handler not found,topic:kline.BTCUSDT"),
        ("coinbase", "no-channel", {}, "Invalid product_ids"),
        ("kraken", "no-channel", {}, "Subscription depth not supported"),
        ("kraken", "book", {"depth": 11}, "Subscription depth not supported"),
        ("kraken", "ohlc", {"interval": 2}, "Subscription depth not supported"),
        ("kraken", "book", {"name": "BTC/XX"}, "Currency pair not supported BTC/XX"),
    ],
)
def test_what_there_is_not_is_refused(
    venue: str, channel: str, more: dict[str, Any], words: str
) -> None:
    exchange, client = speaking(venue)
    (answer,) = said(exchange, client, asked("subscribe", venue, channel, **more))
    assert words in json.dumps(answer)
    assert client.keys == {}


@pytest.mark.parametrize(
    ("venue", "channel", "more", "stream"),
    [
        ("okx", "candle1Dutc", {}, ("candles", "BTC-USDT", "1d")),
        ("okx", "index-tickers", {}, ("tickers", "BTC-USDT", "")),
        ("bybit", "kline.D", {}, ("candles", "BTCUSDT", "1d")),
        ("bybit", "orderbook.1", {}, ("quotes", "BTCUSDT", "")),
        ("bybit", "orderbook.200", {}, ("book", "BTCUSDT", "200")),
        ("coinbase", "candles", {}, ("candles", "BTC-USD", "5m")),
        ("kraken", "ohlc", {"interval": 60}, ("candles", "BTC/USD", "1h")),
        ("kraken", "book", {}, ("book", "BTC/USD", "10")),
    ],
)
def test_streams_by_the_venue_s_names(
    venue: str, channel: str, more: dict[str, Any], stream: tuple[str, str, str]
) -> None:
    exchange, client = speaking(venue)
    assert said(exchange, client, asked("subscribe", venue, channel, **more))
    (key,) = client.keys
    assert exchange.parse(key) == stream


def test_coinbase_and_kraken_beat_for_who_asked() -> None:
    exchange, client = speaking("coinbase")
    assert exchange.beat(client) is None
    said(exchange, client, {"type": "subscribe", "channel": "heartbeats"})
    beat = json.loads(exchange.beat(client) or "")
    assert beat["channel"] == "heartbeats"
    assert beat["sequence_num"] == 1  # behind the answer
    said(exchange, client, {"type": "unsubscribe", "channel": "heartbeats"})
    assert exchange.beat(client) is None

    exchange, client = speaking("kraken")
    assert exchange.beat(client) is None
    said(exchange, client, asked("subscribe", "kraken", "trade"))
    assert exchange.beat(client) == '{"channel":"heartbeat"}'


LISTS = {
    "okx": ("/api/v5/public/instruments", {"instType": "SPOT"}, ["BTC-USDT", "ETH-USDT"]),
    "bybit": ("/v5/market/instruments-info", {}, ["BTCUSDT", "ETHUSDT", "SOLUSDT"]),
    "coinbase": ("/api/v3/brokerage/market/products", {}, ["BTC-USD", "ETH-USD", "SOL-USD"]),
    "kraken": ("/0/public/AssetPairs", {}, ["XBT/USD", "ETH/USD", "SOL/USD"]),
}


@pytest.mark.parametrize("venue", LISTS)
def test_instruments_are_at_one_path(venue: str) -> None:
    path, query, names = LISTS[venue]
    exchange, _ = speaking(venue)
    answer = exchange.rest("GET", path, query, "")
    assert answer is not None
    assert answer.status == 200
    assert all(f'"{name}"' in answer.body for name in names)
    assert exchange.rest("POST", path, query, "") is None
    assert exchange.rest("GET", "/", query, "") is None
    captured, _ = speaking(venue, live=False)
    assert captured.rest("GET", path, query, "") is None  # the capture's own answers


OF_CAPTURES = {
    "okx": ('{"arg":{"channel":"trades","instId":"A-B"},"data":[]}',
            '{"channel":"trades","instId":"A-B"}'),
    "bybit": ('{"topic":"publicTrade.AB","data":[]}', "publicTrade.AB"),
}  # fmt: skip


@pytest.mark.parametrize("venue", OF_CAPTURES)
def test_a_captured_message_goes_to_who_asked_for_its_stream(venue: str) -> None:
    text, key = OF_CAPTURES[venue]
    exchange, _ = speaking(venue, live=False)
    assert exchange.key_of(text.encode()) == key
    for other in (b"no JSON", b"[]", b'{"topic":1,"arg":1}', b"{}"):
        assert exchange.key_of(other) is None


def test_okx_breaks_the_link_of_a_change_alone() -> None:
    exchange, _ = speaking("okx")
    change = b'{"action":"update","data":[{"seqId":12,"prevSeqId":10}]}'
    assert exchange.broken(change) == b'{"action":"update","data":[{"seqId":12,"prevSeqId":11}]}'
    assert exchange.broken(b'{"action":"snapshot","data":[{"seqId":12,"prevSeqId":-1}]}') is None


def test_a_venue_without_a_dialect_needs_a_capture() -> None:
    with pytest.raises(ConfigError, match="--venue: other is not simulated"):
        check("other", 1.0, None, 1.0, plays=False)
    with pytest.raises(ConfigError, match=r"--venue: .*other"):
        check("other", 1.0, None, 1.0, plays=True)  # and a declaration of its own
