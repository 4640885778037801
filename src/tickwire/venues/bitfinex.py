"""Bitfinex by its public WebSocket API, version 2.

Rules of this file
------------------
- A request is of one channel and one symbol. Its answer gives the channel a number, by which the
  connection's messages are called (`lookup`).
- Every message of a connection is counted: a hole may be of any symbol's book.
- Symbols of trading pairs begin with `t`; those of funding (`f`) have messages of other forms.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tickwire.venues._bitfinex_messages import MESSAGES
from tickwire.venues._book_rule import BookRule, in_band, per_connection
from tickwire.venues._instrument import Instrument, Name
from tickwire.venues._oracle import lasting
from tickwire.venues.base import (
    Channel,
    Heartbeat,
    InstrumentQuery,
    Limits,
    Reply,
    Subscription,
    Venue,
)

CHANNELS = {"trades": "trades", "quotes": "ticker", "tickers": "ticker", "book": "book"}
BOOK = {"prec": "P0", "freq": "F0", "len": "100"}
SEQ_ALL = 1 << 16
PAIRS = "/v2/conf/pub:list:pair:exchange,pub:list:pair:futures"
RENAMED = {"USDT": "UST", "USDC": "UDC"}  # as it calls them
ALREADY, TOO_MANY = 10301, 10305
# It restarts; a maintenance has ended, after which it wants all channels asked for again.
RENEWING = (20051, 20061)


def _key(channel: str, symbol: str) -> str:
    return f"{channel} {symbol}"


def _subscriptions(channel: str, symbol: str) -> list[Subscription]:
    return [Subscription(channel, symbol, channel, _key(CHANNELS[channel], symbol))]


def _subscribe(subscriptions: Sequence[Subscription], request_id: int) -> str:
    channel, _, symbol = subscriptions[0].key.partition(" ")
    asked = {"event": "subscribe", "channel": channel, "symbol": symbol}
    return json.dumps(asked | (BOOK if channel == "book" else {}), separators=(",", ":"))


def _reply(kind: str, payload: bytes) -> Reply:
    answer = json.loads(payload)
    code, words = answer.get("code"), str(answer.get("msg", ""))
    named = (_key(answer["channel"], answer["symbol"]),) if answer.get("symbol") else ()
    if kind == "error" and code != ALREADY:
        return Reply(refused=named, text=words, retry=code == TOO_MANY)
    if answer["event"] in ("subscribed", "error"):
        return Reply(acknowledged=named, text=words)
    return Reply(closing=code in RENEWING, text=words)


def _instruments(symbols: Sequence[str]) -> list[InstrumentQuery]:
    return [InstrumentQuery(PAIRS, _read)]


def _read(payload: bytes) -> Iterable[Instrument]:
    old = {new: name for name, new in RENAMED.items()}
    for pairs in json.loads(payload):
        for pair in pairs:
            base, quote = pair.split(":") if ":" in pair else (pair[:-3], pair[-3:])
            is_perpetual = base.endswith("F0")
            base, quote = (each.removesuffix("F0") for each in (base, quote))
            yield Instrument(
                f"t{pair}",
                "perpetual" if is_perpetual else "spot",
                old.get(base, base),
                old.get(quote, quote),
                settle=old.get(quote, quote) if is_perpetual else "",
            )


def _spell(name: Name) -> str:
    base, quote = (RENAMED.get(each, each) for each in (name.base, name.quote))
    if name.is_perpetual:
        return f"t{base}F0:{quote}F0"
    return f"t{base}{'' if max(len(base), len(quote)) <= 3 else ':'}{quote}"


BITFINEX = Venue(
    name="bitfinex",
    endpoints={"main": "wss://api-pub.bitfinex.com/ws/2"},
    channels=tuple(
        Channel(name, name, _subscriptions, spliced=name == "book") for name in CHANNELS
    ),
    messages=MESSAGES,
    hello=(f'{{"event":"conf","flags":{SEQ_ALL}}}',),
    subscribe=_subscribe,
    reply=_reply,
    heartbeat=Heartbeat("text", every_s=15.0, timeout_s=30.0, payload='{"event":"ping"}'),
    # 30 channels of a connection, 20 connections a minute.
    limits=Limits(
        subscriptions_per_connection=25,
        subscriptions_per_request=1,
        requests_per_s=10.0,
        connects_per_min=20,
    ),
    rest_url="https://api-pub.bitfinex.com",
    instruments=_instruments,
    spell=_spell,
    book=BookRule(chain=per_connection("[-1]"), begin=in_band(), repair="reconnect"),
    oracle=lasting(),
    verified="2021-04-05",
)

VENUES = (BITFINEX,)
