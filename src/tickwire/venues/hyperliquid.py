"""Hyperliquid, main net and test net.

Rules of this file
------------------
- Every frame is `{"channel": ..., "data": ...}`; numbers are decimal strings, times milliseconds of
  the block. No channel has sequence numbers.
- A book message is the whole book, but for `l2` (`_hyperliquid_l2`). `fast` books say so
  (`data.fast`); those with nSigFigs or mantissa do not, so they have a connection each
  (`Subscription.group`).
- The first `trades` frame after a subscribe repeats trades already printed: `rows(once=...)`.
- The server's echo of a subscription has defaults added, so a key is the subscription without what
  is null, false or empty, and without members that we never send.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tickwire.decode.plan import (
    Message,
    Scalar,
    Test,
    absent,
    choice,
    constant,
    inflated,
    member_key,
    message,
    ms,
    present,
    rows,
    text,
)
from tickwire.schema import Column, Kind
from tickwire.venues import _fields
from tickwire.venues._book_rule import BookRule, none
from tickwire.venues._hyperliquid_l2 import CHANNEL as L2
from tickwire.venues._hyperliquid_l2 import L2_MESSAGES, LEVELS
from tickwire.venues._hyperliquid_users import (
    TYPES,
    USER_EXTRAS,
    USER_MESSAGES,
    spell_user,
)
from tickwire.venues._instrument import Instrument, Name
from tickwire.venues._oracle import same_time
from tickwire.venues.base import (
    Channel,
    Heartbeat,
    InstrumentQuery,
    Limits,
    Reply,
    Subscription,
    Venue,
)

INTERVALS = (
    "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M",
)  # fmt: skip
# nSigFigs 2 to 5; mantissa only with 5.
PRECISIONS = ("n2", "n3", "n4", "n5", "n5m1", "n5m2", "n5m5")
MOST_CONTEXT_BYTES = 32 << 20  # of all coins; 1,241 had 60 kB
KEY_MEMBERS = ("type", "coin", "c", "interval", "nSigFigs", "mantissa", "fast", "dex", "user")


def _key(subscription: dict[str, object]) -> str:
    """Give the subscription's key: what we send, and what an echo of it comes down to."""
    kept = {name: subscription.get(name) for name in KEY_MEMBERS}
    return json.dumps(
        {name: value for name, value in kept.items() if value not in (None, False, "")},
        separators=(",", ":"),
    )


def _subscription(channel: str, symbol: str) -> list[Subscription]:
    family, _, argument = channel.partition(":")
    asked: dict[str, object] = {"coin": symbol}
    group = ""
    labels: tuple[tuple[str, str], ...] = ()
    if family == "trades":
        asked["type"] = "trades"
    elif family == "quotes":
        asked["type"] = "bbo"
    elif family == "candles":
        asked |= {"type": "candle", "interval": argument}
    elif family == "tickers":
        asked["type"] = "activeAssetCtx"
        if argument:  # of all coins of all dexes, by one subscription
            asked = {"type": "fastAssetCtxs"}
            symbol = "*"
    elif family == "mids":
        # One subscription gives all mids of a perpetuals exchange ("dex:COIN"), or of the main one.
        dex, colon, _ = symbol.partition(":")
        asked = {"type": "allMids", "dex": dex if colon else ""}
        symbol = "*"
    elif channel == L2:
        asked = {"type": "l2", "c": symbol}
    else:
        asked["type"] = "l2Book"
        if argument == "fast":
            asked["fast"] = True
        elif argument:
            figures, _, mantissa = argument[1:].partition("m")
            asked["nSigFigs"] = int(figures)
            asked["mantissa"] = int(mantissa) if mantissa else None
            group, labels = channel, (("book", channel),)
    return [Subscription(channel, symbol, family, _key(asked), group=group, labels=labels)]


def _of_user(channel: str, user: str) -> list[Subscription]:
    key = _key({"type": TYPES[channel], "user": user})
    return [Subscription(channel, user, channel, key, names_symbol=channel != "orders")]


def _subscribe(subscriptions: Sequence[Subscription], request_id: int) -> str:
    (subscription,) = subscriptions
    return f'{{"method":"subscribe","subscription":{subscription.key}}}'


def _unsubscribe(subscriptions: Sequence[Subscription], request_id: int) -> str:
    (subscription,) = subscriptions
    return f'{{"method":"unsubscribe","subscription":{subscription.key}}}'


def _embedded(words: str) -> str | None:
    """Find the key of the subscription that an error text quotes, if it quotes one."""
    start = words.find("{")
    if start < 0:
        return None
    try:
        quoted, _ = json.JSONDecoder().raw_decode(words, start)
    except ValueError:
        return None
    subscription = quoted.get("subscription", quoted)
    return _key(subscription) if isinstance(subscription, dict) and "type" in subscription else None


def _reply(kind: str, payload: bytes) -> Reply:
    if kind == "pong":
        return Reply()
    data = json.loads(payload)["data"]
    if kind == "acknowledge":
        method = data.get("method")
        if method == "unsubscribe":
            return Reply(ended=(_key(data["subscription"]),))
        return Reply(acknowledged=(_key(data["subscription"]),) if method == "subscribe" else ())
    words = str(data)
    key = _embedded(words)
    if words.startswith("Already subscribed"):
        return Reply(acknowledged=(key,) if key else (), text=words)
    if words.startswith("Already unsubscribed"):
        return Reply(ended=(key,) if key else (), text=words)
    # Over a limit the server rejects without naming the request, and later it may accept; what it
    # calls invalid or cannot parse stays so.
    final = words.startswith(("Invalid subscription", "Error parsing JSON"))
    return Reply(refused=(key,) if key else (), text=words, retry=not final)


def _listed(payload: bytes) -> Iterator[Instrument]:
    """Read a `meta`, or a `spotMeta`, which has tokens."""
    answer = json.loads(payload)
    tokens = {each["index"]: each for each in answer.get("tokens", ())}
    for each in answer["universe"]:
        pair = [tokens.get(index, {}) for index in each.get("tokens", ())]
        if "tokens" in answer:
            base, quote = (token.get("name", "") for token in (pair or [{}, {}])[:2])
            size = pair[0].get("szDecimals") if pair else None
            yield Instrument(each["name"], "spot", base, quote, lot_size=_lot(size))
            continue
        yield Instrument(
            each["name"],
            "perpetual",
            each["name"].rpartition(":")[2],
            "USD",
            settle="USDC",
            lot_size=_lot(each.get("szDecimals")),
            contract_size=1.0,
            status="delisted" if each.get("isDelisted") else "",
        )


def _lot(decimals: int | None) -> float | None:
    return None if decimals is None else float(f"1e-{decimals}")


def _spell(name: Name) -> str:
    return name.base if name.is_perpetual else f"{name.base}/{name.quote}"


def _instruments(symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for perpetuals and spot pairs, and for the perpetuals of each builder's dex named.

    Where no symbol is named, for those of every dex.
    """
    dexes = sorted({dex for dex, colon, _ in (each.partition(":") for each in symbols) if colon})
    queries = [_query(type="meta"), _query(type="spotMeta"), *map(_of_dex, dexes)]
    if not symbols:
        asked = json.dumps({"type": "perpDexs"})
        queries.append(InstrumentQuery("/info", lambda _: (), asked, more=_all_dexes))
    return queries


def _query(**asked: str) -> InstrumentQuery:
    return InstrumentQuery("/info", _listed, json.dumps(asked))


def _of_dex(dex: str) -> InstrumentQuery:
    return _query(type="meta", dex=dex)


def _all_dexes(payload: bytes) -> list[InstrumentQuery]:
    """Ask for the perpetuals of each dex of `perpDexs`, in which the main one is null."""
    return [_of_dex(each["name"]) for each in json.loads(payload) if each is not None]


def _book(name: str, channel: str, fast: bool) -> Message:
    sides = [
        rows(
            at=f"data.levels[{index}][]",
            into="book",
            symbol="$.data.coin",
            ts_event=ms("$.data.time"),
            channel=constant(channel),
            side=constant(side),
            price="px",
            size="sz",
            order_count="n",
            is_snapshot=constant(True),
        )
        for index, side in enumerate(("bid", "ask"))
    ]
    when: dict[str, Scalar | Test] = {"channel": "l2Book"}
    if fast:
        when["data.fast"] = True
    return message(name, when=when, rows=sides)


def _candle(name: str, at: str, *, single: bool) -> Message:
    candles = rows(
        at=at,
        into="candles",
        symbol="s",
        interval="i",
        ts_open=ms("t"),
        ts_close=ms("T"),
        open="o",
        high="h",
        low="l",
        close="c",
        volume="v",
        trade_count="n",
    )
    # The documentation says an array, the server sends one object.
    when: dict[str, Scalar | Test] = {
        "channel": "candle",
        "data.t": present() if single else absent(),
    }
    return message(name, when=when, rows=[candles])


_TICKER = rows(
    at="data",
    into="tickers",
    symbol="coin",
    mark_price="ctx.markPx",
    index_price="ctx.oraclePx",
    funding_rate="ctx.funding",
    open_interest="ctx.openInterest",
    volume_24h="ctx.dayBaseVlm",
    notional_24h="ctx.dayNtlVlm",
    mid_price="ctx.midPx",
    premium="ctx.premium",
    prev_day_price="ctx.prevDayPx",
    impact_bid_price="ctx.impactPxs[0]",
    impact_ask_price="ctx.impactPxs[1]",
    circulating_supply="ctx.circulatingSupply",
    total_supply="ctx.totalSupply",
)

MESSAGES = (
    message(
        "trades",
        when={"channel": "trades"},
        rows=[
            rows(
                at="data[]",
                into="trades",
                symbol="coin",
                ts_event=ms("time"),
                channel=constant("trades"),
                price="px",
                size="sz",
                side=choice("side", {"B": "buy", "A": "sell"}),
                trade_id=text("tid"),
                tx_hash=text("hash"),
                buyer=text("users[0]"),
                seller=text("users[1]"),
            )
        ],
    ),
    message(
        "bbo",
        when={"channel": "bbo"},
        rows=[
            rows(
                at="data",
                into="quotes",
                symbol="coin",
                ts_event=ms("time"),
                bid_price="bbo[0].px",
                bid_size="bbo[0].sz",
                ask_price="bbo[1].px",
                ask_size="bbo[1].sz",
                bid_order_count="bbo[0].n",
                ask_order_count="bbo[1].n",
            )
        ],
    ),
    _book("fast l2Book", "book:fast", fast=True),
    _book("l2Book", "book", fast=False),
    _candle("candle", "data", single=True),
    _candle("candles", "data[]", single=False),
    message("activeAssetCtx", when={"channel": "activeAssetCtx"}, rows=[_TICKER]),
    message("activeSpotAssetCtx", when={"channel": "activeSpotAssetCtx"}, rows=[_TICKER]),
    # All coins first, then those that have changed, with what has.
    message(
        "fastAssetCtxs",
        when={"channel": "fastAssetCtxs"},
        packed=inflated("data", most_bytes=MOST_CONTEXT_BYTES),
    ),
    message(
        "fastAssetCtxs inside",
        inside="fastAssetCtxs",
        rows=[
            rows(
                at="{}",
                into="tickers",
                symbol=member_key(),
                carry=True,
                mark_price="markPx",
                mid_price="midPx",
            )
        ],
    ),
    message(
        "allMids",
        when={"channel": "allMids"},
        rows=[
            rows(
                at="data.mids{}",
                into="mids",
                symbol=member_key(),
                price="",
            )
        ],
    ),
    *L2_MESSAGES,
    *USER_MESSAGES,
    message("subscriptionResponse", when={"channel": "subscriptionResponse"}, kind="acknowledge"),
    message("error", when={"channel": "error"}, kind="error"),
    message("pong", when={"channel": "pong"}, kind="pong"),
    message("greeting", raw="Websocket connection established.", kind="ignore"),
)

CHANNELS = (
    Channel("trades", "trades", _subscription),
    Channel("quotes", "quotes", _subscription),
    # Pushed every 5 s, the fast one every 0.5 s, whether the book has changed or not.
    Channel("book", "book", _subscription, cadence_s=6.0),
    Channel("book:fast", "book", _subscription, cadence_s=1.0, poorer="book"),
    # What changes comes every 0.5 s, and nothing in a quiet market.
    Channel(L2, "book", _subscription, spliced=True, poorer="book"),
    Channel("book:<precision>", "book", _subscription, arguments=PRECISIONS, cadence_s=6.0),
    Channel("candles:<interval>", "candles", _subscription, arguments=INTERVALS),
    Channel("tickers", "tickers", _subscription),
    Channel("tickers:fast", "tickers", _subscription, wildcard=True),
    Channel("mids", "mids", _subscription, wildcard=True),
    *(Channel(name, name, _of_user, of_users=True) for name in TYPES),
)


def _floats(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.F64, nullable=True) for name in names)


EXTRAS = {
    "trades": (
        Column("tx_hash", Kind.TEXT, nullable=True, text_bytes=66),
        Column("buyer", Kind.TEXT, nullable=True, text_bytes=42),
        Column("seller", Kind.TEXT, nullable=True, text_bytes=42),
    ),
    "quotes": (
        Column("bid_order_count", Kind.I32, nullable=True),
        Column("ask_order_count", Kind.I32, nullable=True),
    ),
    "tickers": _floats(
        "mid_price",
        "premium",
        "prev_day_price",
        "impact_bid_price",
        "impact_ask_price",
        "circulating_supply",
        "total_supply",
    ),
    **USER_EXTRAS,
}

MAIN = Venue(
    name="hyperliquid",
    endpoints={"main": "wss://api.hyperliquid.xyz/ws"},
    channels=CHANNELS,
    messages=MESSAGES,
    subscribe=_subscribe,
    reply=_reply,
    # The server closes a connection to which it has sent nothing for 60 s; every ping is answered.
    heartbeat=Heartbeat("text", every_s=25.0, timeout_s=60.0, payload='{"method":"ping"}'),
    # 2000 messages a minute over all connections, and bursts above 33 a second fail. So a hundred
    # streams are asked for again in 3.6 s.
    limits=Limits(
        subscriptions_per_connection=1000,
        subscriptions_per_request=1,
        requests_per_s=28.0,
        total_requests_per_s=28,
        connects_per_min=30,
        connections=100,
        subscriptions=1000,
        users=10,
    ),
    unsubscribe=_unsubscribe,
    rest_url="https://api.hyperliquid.xyz",
    book=BookRule(chain=none(), repair="resubscribe"),
    oracle=same_time("book", levels=LEVELS),
    instruments=_instruments,
    spell=_spell,
    spell_user=spell_user,
    extras=EXTRAS,
    verified="2026-11-22",
    unverified=(*TYPES, "tickers:fast", L2),
    fields=_fields.HYPERLIQUID,
)

TEST = replace(
    MAIN,
    name="hyperliquid-testnet",
    endpoints={"main": "wss://api.hyperliquid-testnet.xyz/ws"},
    rest_url="https://api.hyperliquid-testnet.xyz",
)

VENUES = (MAIN, TEST)
