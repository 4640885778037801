"""Bitfinex, simulated: numbers of channels, answers, and what a connection counts."""

import json
from typing import Any

from tests.sim.test_requests import said, speaking

from tickwire.sim.exchange import Message
from tickwire.venues import load, plan

VENUE = load("bitfinex")


def asked(channel: str, symbol: str = "tBTCUSD") -> str:
    return VENUE.subscribe([plan(VENUE, [channel], [symbol])[0]], 1)


def test_answers_to_what_is_no_subscription() -> None:
    exchange, client = speaking("bitfinex")
    greeting = exchange.accept("/ws/2", {}, client)
    assert greeting is not None
    assert json.loads(str(greeting.replies[0]))["event"] == "info"
    [conf] = said(exchange, client, VENUE.hello[0])
    assert (conf["event"], conf["status"]) == ("conf", "OK")
    [pong] = said(exchange, client, VENUE.heartbeat.payload)
    assert pong["event"] == "pong"
    for text in ('{"event":"else"}', "no JSON"):
        [error] = said(exchange, client, text)
        assert error["code"] == 10000


def test_a_channel_has_a_number_of_its_connection() -> None:
    exchange, client = speaking("bitfinex")
    [told] = said(exchange, client, asked("book"))
    assert (told["event"], told["symbol"]) == ("subscribed", "tBTCUSD")
    [twice] = said(exchange, client, asked("book"))
    assert VENUE.reply("error", json.dumps(twice).encode()).acknowledged == ("book tBTCUSD",)
    [unknown] = said(exchange, client, asked("trades", "tNOTHING"))
    assert VENUE.reply("error", json.dumps(unknown).encode()).refused == ("trades tNOTHING",)
    [news] = said(exchange, client, '{"event":"subscribe","channel":"news","symbol":"tBTCUSD"}')
    assert news["code"] == 10300
    for count in (1, 2):
        sent: Any = exchange.addressed(Message("book tBTCUSD", "book", b"[0,[1,1,1],0]"), client)
        assert json.loads(sent.payload) == [told["chanId"], [1, 1, 1], count]


def test_pairs_are_listed() -> None:
    exchange, _ = speaking("bitfinex")
    assert VENUE.instruments is not None
    [query] = VENUE.instruments([])
    answer = exchange.rest("GET", query.path, {}, "")
    assert answer is not None
    listed = [each.symbol for each in query.read(answer.body.encode())]  # type: ignore[union-attr]
    assert "tBTCUSD" in listed
    assert exchange.rest("GET", "/v2/else", {}, "") is None
