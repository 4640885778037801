"""Deribit, Bitget, Gate, Kraken Futures, simulated: declared requests have their answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from tests.sim.test_requests import said, speaking

from tickwire.feed.streams.message_kinds import kinds_of
from tickwire.sim.dialect import Dialect
from tickwire.sim.exchange import Client, Message
from tickwire.venues import Reply, Venue, load, plan

CHANNELS = ["trades", "quotes", "book", "tickers"]
SYMBOLS = {
    "deribit": "BTC-PERPETUAL", "bitget-futures": "BTCUSDT", "bitget": "BTCUSDT",
    "gate": "BTC_USDT", "gate-futures": "BTC_USDT", "kraken-futures": "PF_XBTUSD",
}  # fmt: skip


@cache
def _kinds_of(name: str) -> Callable[[bytes], Any]:
    return kinds_of(load(name))


def meant(venue: Venue, replies: list[Any]) -> list[Reply]:
    """Read answers as a session does."""
    kind_of = _kinds_of(venue.name)
    found = []
    for reply in replies:
        payload = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
        message = kind_of(payload)
        assert message is not None, reply
        if message.kind not in ("data", "ignore"):
            found.append(venue.reply(message.kind, payload))
    return found


def asked(venue: Venue, channel: str, symbol: str, *, end: bool = False) -> tuple[str, str]:
    """Give the key of the first subscription of a channel, and the request for it."""
    subscription = plan(venue, [channel], [symbol])[0]
    write = venue.unsubscribe if end else venue.subscribe
    assert write is not None
    return subscription.key, write([subscription], 7)


def channels_of(venue: Venue) -> list[str]:
    return [*CHANNELS, *(["candles:1m"] if venue.channel("candles:1m") else [])]


@pytest.mark.parametrize("name", SYMBOLS)
def test_what_is_asked_for_is_acknowledged_and_ended(name: str) -> None:
    venue, symbol = load(name), SYMBOLS[name]
    for channel in channels_of(venue):
        exchange, client = speaking(name)
        key, text = asked(venue, channel, symbol)
        (answer,) = meant(venue, said(exchange, client, text))
        is_by_number = answer.request_id == 7 and answer.request_ok
        assert answer.acknowledged == (key,) or is_by_number, channel
        assert list(client.keys) == [key]
        (end,) = meant(venue, said(exchange, client, asked(venue, channel, symbol, end=True)[1]))
        assert (end.acknowledged, end.refused, end.request_id) == ((), (), None)
        assert not client.keys


@pytest.mark.parametrize("name", SYMBOLS)
def test_what_does_not_exist_is_not_acknowledged(name: str) -> None:
    venue = load(name)
    exchange, client = speaking(name)
    key, text = asked(venue, "trades", "NONE")
    (answer,) = meant(venue, said(exchange, client, text))
    assert answer.acknowledged == ()
    assert not client.keys
    if name.startswith("bitget"):
        assert answer.refused == (key,)
    elif name.startswith("gate"):
        assert (answer.request_id, answer.request_ok) == (7, False)
    elif name == "kraken-futures":
        assert answer.text == "Invalid product id"


@pytest.mark.parametrize("name", SYMBOLS)
@pytest.mark.parametrize("text", ["no JSON", "[]", "{}", '{"op":"login"}'])
def test_other_requests_are_errors(name: str, text: str) -> None:
    exchange, client = speaking(name)
    assert [json.dumps(each, separators=(",", ":")) for each in said(exchange, client, text)] == [
        exchange.error_text
    ]


def test_signs_of_life() -> None:
    venue = load("deribit")
    exchange, client = speaking("deribit")
    assert exchange.beat(client) is None
    (hello,) = venue.hello
    assert said(exchange, client, hello)[0]["result"] == "ok"
    beat = exchange.beat(client)
    assert beat is not None
    (answer,) = meant(venue, [beat])
    assert answer.answer is not None
    assert meant(venue, said(exchange, client, answer.answer)) == [Reply()]

    exchange, client = speaking("kraken-futures")
    greeting = exchange.accept("/", {}, client)
    assert greeting is not None
    assert meant(load("kraken-futures"), greeting.replies) == []
    assert exchange.beat(client) is None
    said(exchange, client, load("kraken-futures").hello[0])
    assert json.loads(exchange.beat(client) or "")["feed"] == "heartbeat"

    exchange, client = speaking("bitget-futures")
    assert exchange.request("ping", client).replies == ["pong"]
    for name in ("gate", "gate-futures"):
        exchange, client = speaking(name)
        assert meant(load(name), said(exchange, client, load(name).heartbeat.payload)) == [Reply()]


@pytest.mark.parametrize("name", SYMBOLS)
def test_instruments_are_read_as_they_are_listed(name: str) -> None:
    venue = load(name)
    exchange, _ = speaking(name)
    assert venue.instruments is not None
    found = []
    for query in venue.instruments([SYMBOLS[name]]):
        path, _, text = query.path.partition("?")
        given = dict(each.split("=") for each in text.split("&") if each)
        answer = exchange.rest("GET", path, given, "")
        assert answer is not None
        found += list(query.read(answer.body.encode()))
    assert SYMBOLS[name] in [each if isinstance(each, str) else each.symbol for each in found]
    assert exchange.rest("GET", "/", {}, "") is None


def first(exchange: Dialect, client: Client, venue: Venue, channel: str, symbol: str) -> bytes:
    """Give the first message of a channel that the market makes; of a book, the first change."""
    key, text = asked(venue, channel, symbol)
    exchange.request(text, client)
    for _ in range(1000):
        for message in exchange.render(exchange.market.step(), client.keys):
            if message.key == key:
                return message.payload
    raise AssertionError(channel)


@pytest.mark.parametrize("name", [name for name in SYMBOLS if name != "kraken-futures"])
def test_a_change_can_lose_its_link(name: str) -> None:
    venue, symbol = load(name), SYMBOLS[name]
    exchange, client = speaking(name)
    change = first(exchange, client, venue, "book", symbol)
    broken = exchange.broken(change)
    assert broken is not None
    assert broken != change
    trades = first(*speaking(name), venue, "trades", symbol)
    assert exchange.broken(trades) is None


@pytest.mark.parametrize("name", SYMBOLS)
def test_ids_and_keys_are_those_of_the_message(name: str) -> None:
    venue, symbol = load(name), SYMBOLS[name]
    for channel in ("trades", "book"):
        exchange, client = speaking(name)
        payload = first(exchange, client, venue, channel, symbol)
        ids = exchange.ids_of(Message("", channel, payload))
        assert ids
        assert all(each.encode() in payload for each in ids)
        key = exchange.key_of(payload)
        assert key == (None if name.startswith("gate") else asked(venue, channel, symbol)[0])
    for other in (b"no JSON", b"[]", b"{}"):
        assert exchange.key_of(other) is None


def test_keys_that_name_no_stream() -> None:
    deribit, _ = speaking("deribit")
    names = ("book.A.raw", "chart.trades.A.7", "x", "trades.A")
    assert [deribit.parse(each) for each in names] == [None] * 4
    gate, _ = speaking("gate")
    keys = ({"channel": "spot.x", "payload": ["A"]}, {"channel": "spot.obu", "payload": ["ob.A.7"]},
            {"channel": "spot.trades", "payload": []})  # fmt: skip
    assert [gate.parse(json.dumps(each)) for each in keys] == [None] * 3
    bitget, _ = speaking("bitget-futures")
    assert bitget.parse('{"topic":"x","symbol":"A"}') is None
    assert bitget.end_texts('{"topic":"x"}') == ['{"event":"unsubscribe","arg":{"topic":"x"}}']
