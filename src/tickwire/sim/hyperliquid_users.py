"""What happens to the users of a simulated Hyperliquid: every event, whether they listen or not.

Rules of this file
------------------
- A user that was subscribed to once takes part in some trades of every symbol from then on: which
  ones, the trade's id and the user decide. So what happens while no client is subscribed is in the
  snapshot of the next subscribe, and the same seed gives the same to the same user.
- Orders have no snapshot, and their updates do not say whose they are.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from tickwire.sim.exchange import Message, dumps
from tickwire.sim.market import Event, Symbol, Trade

TABLES = {
    "userFills": "fills",
    "orderUpdates": "orders",
    "userFundings": "fundings",
    "userNonFundingLedgerUpdates": "ledger",
}
MEMBERS = {
    "userFills": "fills",
    "userFundings": "fundings",
    "userNonFundingLedgerUpdates": "nonFundingLedgerUpdates",
}
MAX_USERS = 10  # of one connection
TOO_MANY = f"Cannot track more than {MAX_USERS} total users."
TRADES_OF_ALL = 4  # a user takes part in one of so many
FUNDING_EVENTS = 200
LEDGER_EVENTS = 300
KEPT = 2000  # of a snapshot
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class Users:
    """All users that were asked for, and what happened to them."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, deque[dict[str, Any]]]] = {}
        self._unheard: dict[str, int] = {}  # by key: what is new since the last message

    @staticmethod
    def normal(asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the subscription as the venue echoes it, or None where it is not valid."""
        user = asked.get("user")
        if not isinstance(user, str) or not _ADDRESS.fullmatch(user):
            return None
        normal = {"type": asked["type"], "user": user.lower()}
        return normal | ({"aggregateByTime": False} if asked["type"] == "userFills" else {})

    def first(self, key: str, kind: str, user: str) -> Iterator[Message]:
        """Render what is sent at once: a snapshot, where the channel has one."""
        kept = self._kept.setdefault(user, {each: deque(maxlen=KEPT) for each in MEMBERS})
        if kind not in MEMBERS:
            return
        rows = [*kept[kind]][::-1]  # the newest first, as the venue has them
        n_new = min(self._unheard.pop(key, 0), len(rows))
        data = {"isSnapshot": True, "user": user, MEMBERS[kind]: rows}
        payload = dumps({"channel": kind, "data": data}).encode()
        yield Message(key, TABLES[kind], payload, len(rows), len(rows) - n_new)

    def render(self, event: Event, n_events: int, wanted: Mapping[str, Any]) -> Iterator[Message]:
        """Let an event happen to the users, and render what has subscribers."""
        for user in self._kept:
            trades = [each for each in event.trades if _takes_part(each, user)]
            if trades:
                fills = [_fill(event.symbol, each, user) for each in trades]
                yield from self._tell("userFills", user, fills, wanted)
                key = f"orderUpdates:{user}"
                if key in wanted:
                    orders = [_order(each) for each in fills]
                    payload = dumps({"channel": "orderUpdates", "data": orders})
                    yield Message(key, "orders", payload.encode(), len(orders))
            if n_events % FUNDING_EVENTS == 0:
                yield from self._tell("userFundings", user, [_funding(event)], wanted)
            if n_events % LEDGER_EVENTS == 0:
                update = _update(event, n_events)
                yield from self._tell("userNonFundingLedgerUpdates", user, [update], wanted)

    def _tell(
        self, kind: str, user: str, rows: list[dict[str, Any]], wanted: Mapping[str, Any]
    ) -> Iterator[Message]:
        self._kept[user][kind].extend(rows)
        key = f"{kind}:{user}"
        if key not in wanted:
            self._unheard[key] = self._unheard.get(key, 0) + len(rows)
            return
        payload = dumps({"channel": kind, "data": {"user": user, MEMBERS[kind]: rows}})
        yield Message(key, TABLES[kind], payload.encode(), len(rows))

    def happened(self, kind: str, user: str) -> list[dict[str, Any]]:
        """Give what happened to a user, the oldest first, as far as a snapshot has it."""
        return [*self._kept[user][kind]]

    @staticmethod
    def ids_of(message: Message) -> list[str]:
        """Read the trade ids of fills."""
        fills = json.loads(message.payload)["data"]["fills"]
        return [str(each["tid"]) for each in fills]


def _takes_part(trade: Trade, user: str) -> bool:
    return (trade.trade_id ^ int(user[2:10], 16)) % TRADES_OF_ALL == 0


def _fill(symbol: Symbol, trade: Trade, user: str) -> dict[str, Any]:
    buys = (trade.entropy ^ int(user, 16)) & 1
    size = symbol.instrument.size_text(trade.lots)
    return {
        "coin": symbol.name,
        "px": symbol.instrument.price_text(trade.ticks),
        "sz": size,
        "side": "B" if buys else "A",
        "time": trade.time_ms,
        "startPosition": "0.0",
        "dir": "Open Long" if buys else "Open Short",
        "closedPnl": "0.0",
        "hash": f"0x{trade.entropy:064x}",
        "oid": trade.number,
        "crossed": bool(buys) == trade.is_buy,
        "fee": "0.0125",
        "tid": trade.trade_id,
        "feeToken": "USDC",
        "twapId": None,
    }


def _order(fill: Mapping[str, Any]) -> dict[str, Any]:
    order = {
        "coin": fill["coin"],
        "side": fill["side"],
        "limitPx": fill["px"],
        "sz": "0.0",
        "oid": fill["oid"],
        "timestamp": fill["time"] - 1,
        "origSz": fill["sz"],
        "cloid": None,
    }
    return {"order": order, "status": "filled", "statusTimestamp": fill["time"]}


def _funding(event: Event) -> dict[str, Any]:
    return {
        "time": event.time_ms,
        "coin": event.symbol.name,
        "usdc": "-0.25",
        "szi": "1.0",
        "fundingRate": "0.0000125",
        "nSamples": None,
    }


def _update(event: Event, n_events: int) -> dict[str, Any]:
    delta = {"type": "deposit", "usdc": f"{n_events}.0"}
    return {"time": event.time_ms, "hash": f"0x{n_events:064x}", "delta": delta}
