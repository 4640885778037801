"""Gate's books: whole ones and what changes, which `full` tells apart."""

from __future__ import annotations

from typing import Any

from tickwire.decode import plan
from tickwire.decode.plan import constant, integer, message, ms, part, rows, suffix

DEPTHS = ("400", "50")


def _levels(depth: str, *, is_snapshot: bool, **ids: Any) -> list[plan.Rows]:
    return [
        rows(
            at=f"result.{side[0]}[]",
            into="book",
            optional=True,  # a side without a change
            symbol=part("$.result.s", ".", 1),  # ob.BTC_USDT.400
            ts_event=ms("$.result.t"),
            channel=constant(f"book:{depth}"),
            side=constant(side),
            price="[0]",
            size="[1]",
            is_snapshot=constant(is_snapshot),
            venue_seq="$.result.u",
            **ids,
        )
        for side in ("bid", "ask")
    ]


def books(market: str) -> list[plan.Message]:
    """Declare the books of a market, `spot` or `futures`."""
    book = f"{market}.obu"
    found: list[plan.Message] = []
    for depth in DEPTHS:
        name: dict[str, plan.Scalar | plan.Test] = {
            "channel": book,
            "event": "update",
            "result.s": suffix(f".{depth}"),
        }
        whole = _levels(depth, is_snapshot=True)
        change = _levels(
            depth, is_snapshot=False, first_seq=integer("$.result.U"),
            venue_prev_seq=integer("$.result.U", add=-1),
        )  # fmt: skip
        found += [
            message(
                f"book of {depth}", when=name | {"result.full": True}, rows=whole, spliced=True
            ),
            message(f"obu {depth}", when=name, rows=change, spliced=True),
        ]
    return found
