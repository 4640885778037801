"""What a load of Hyperliquid's messages must become, decoded by the standard library.

Nothing here is shared with a pipeline: `json.loads`, `float` and the tape's own texts, made or
recorded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tickwire.bench.expected import ENDS, ID, ID_STEP, About, Expected, Row
from tickwire.bench.load import LoadSpec
from tickwire.bench.tape import FIRST_TRADE_ID
from tickwire.errors import TickwireError

VENUE = "hyperliquid"


def expected_of_load(spec: LoadSpec) -> Expected:
    """Give the rows of a load.

    Parameters
    ----------
    spec
        The arguments of the load generator: a whole number of passes of its tape.

    Raises
    ------
    TickwireError
        Where it is not.
    """
    n_pass = min(spec.tape_messages, spec.n_messages)
    n_passes, rest = divmod(spec.n_messages, n_pass)
    if rest:
        raise TickwireError("the load is not a whole number of passes of its tape")
    rows: dict[str, list[Row]] = {}
    parts = spec.parts()
    for part in parts:
        for table, own in decode(part).items():
            rows.setdefault(table, []).extend(own)
    return Expected.of_rows(rows, About(n_passes, len(parts)))


def decode(spec: LoadSpec) -> dict[str, list[Row]]:
    """Decode one pass of a connection's tape, the slow and certain way."""
    readers: dict[str, tuple[str, Callable[[Any], list[Row]]]] = {
        "trades": ("trades", _trades),
        "bbo": ("quotes", _quotes),
        "l2Book": ("book", _levels),
    }
    tables: dict[str, list[Row]] = {}
    tape = spec.record()
    # The zeros of a fresh tape are no JSON number.
    tape.number(0)
    for number, payload in enumerate(tape.payloads()):
        message = json.loads(payload)
        table, read = readers[message["channel"]]
        rows = read(message["data"])
        for row in rows:
            row |= {"venue": VENUE, ENDS: False}
            if table == "trades":
                # Ids count the messages of all passes.
                row |= {ID: FIRST_TRADE_ID + number, ID_STEP: tape.n_messages}
        rows[-1][ENDS] = True
        tables.setdefault(table, []).extend(rows)
    return tables


def _trades(trades: list[Any]) -> list[Row]:
    return [
        {
            "symbol": trade["coin"],
            "ts_event": trade["time"] * 1_000_000,
            "channel": "trades",
            "price": float(trade["px"]),
            "size": float(trade["sz"]),
            "side": "buy" if trade["side"] == "B" else "sell",
        }
        for trade in trades
    ]


def _quotes(data: Any) -> list[Row]:
    bid, ask = data["bbo"]
    return [
        {
            "symbol": data["coin"],
            "ts_event": data["time"] * 1_000_000,
            "bid_price": float(bid["px"]),
            "bid_size": float(bid["sz"]),
            "ask_price": float(ask["px"]),
            "ask_size": float(ask["sz"]),
        }
    ]


def _levels(data: Any) -> list[Row]:
    sides = zip(("bid", "ask"), data["levels"], strict=True)
    rows = [
        {
            "symbol": data["coin"],
            "ts_event": data["time"] * 1_000_000,
            "channel": "book",
            "side": side,
            "price": float(level["px"]),
            "size": float(level["sz"]),
            "order_count": level["n"],
            "is_snapshot": True,
            "last": False,
        }
        for side, levels in sides
        for level in levels
    ]
    rows[-1]["last"] = True
    return rows
