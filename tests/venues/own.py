"""A small venue as a user declares one."""

from typing import Any

from tickwire.decode.plan import choice, constant, message, ms, rows, text
from tickwire.venues.base import Channel, Heartbeat, Limits, Reply, Subscription, Venue


def subscriptions(channel: str, symbol: str) -> list[Subscription]:
    return [Subscription(channel, symbol, "trades", f"{channel}.{symbol}")]


TRADES = message(
    "trade",
    when={"type": "trade"},
    rows=[
        rows(
            at="",
            into="trades",
            symbol="s",
            ts_event=ms("t"),
            channel=constant("trades"),
            price="p",
            size="q",
            side=choice("side", {"buy": "buy", "sell": "sell"}),
            trade_id=text("id"),
        )
    ],
)


def declare(**changed: Any) -> Venue:
    """Declare it, with changes."""
    declared: dict[str, Any] = {
        "name": "own",
        "endpoints": {"main": "wss://own.example/ws"},
        "channels": (Channel("trades", "trades", subscriptions),),
        "messages": (TRADES,),
        "subscribe": lambda asked, number: f"{number} {[each.key for each in asked]}",
        "reply": lambda kind, payload: Reply(),
        "heartbeat": Heartbeat("ping", 20.0, 60.0),
        "limits": Limits(100, 10, 4.0, 60),
    }
    return Venue(**declared | changed)


OWN = declare()
NOT_A_VENUE = 1
