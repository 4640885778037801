"""Talking to Hyperliquid: what is subscribed to, and what its answers mean.

The server's echo of a subscription has defaults added, so a key is the subscription without what
is null, false or empty, and without members that we never send.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from tickwire.venues.base import Reply, Subscription
from tickwire.venues.hyperliquid.accounts import TYPES
from tickwire.venues.hyperliquid.l2 import CHANNEL as L2

KEY_MEMBERS = ("type", "coin", "c", "interval", "nSigFigs", "mantissa", "fast", "dex", "user")


def _key(subscription: dict[str, object]) -> str:
    """Give the subscription's key: what we send, and what an echo of it comes down to."""
    kept = {name: subscription.get(name) for name in KEY_MEMBERS}
    return json.dumps(
        {name: value for name, value in kept.items() if value not in (None, False, "")},
        separators=(",", ":"),
    )


def subscriptions(channel: str, symbol: str) -> list[Subscription]:
    """Give what a channel asks for of a symbol."""
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
    elif family == "mids" and argument:
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


def user_subscriptions(channel: str, user: str) -> list[Subscription]:
    """Give what a channel asks for of a user."""
    key = _key({"type": TYPES[channel], "user": user})
    return [Subscription(channel, user, channel, key, names_symbol=channel != "orders")]


def subscribe(subscriptions: Sequence[Subscription], request_id: int) -> str:
    """Give the text that asks for a subscription."""
    (subscription,) = subscriptions
    return f'{{"method":"subscribe","subscription":{subscription.key}}}'


def unsubscribe(subscriptions: Sequence[Subscription], request_id: int) -> str:
    """Give the text that ends a subscription."""
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


def reply(kind: str, payload: bytes) -> Reply:
    """Give what an answer means."""
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
