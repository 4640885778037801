"""Hyperliquid's channel `l2`: a whole book of 20 levels, then what changes.

Rules of this file
------------------
- No document has it. Two programs that read it agree, and a message of theirs is a test.
- A change sets levels by price (`l`) and removes others by their position before it (`r`, in any
  order), bids before asks. It comes compressed (`c`) or as it is (`u`); both are one object.
- Nothing is numbered. What does not fit the book, and a whole book of the same time that differs
  (`l2Book`, the oracle), breaks it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tickwire.decode.plan import (
    Message,
    Rows,
    constant,
    inflated,
    message,
    ms,
    position,
    present,
    rows,
)

CHANNEL = "book:l2"
LEVELS = 20  # of a side, always
MOST_BYTES = 1 << 20  # of a change; they have some 1,300

_SIDES = ("bid", "ask")


def _changes(start: str) -> Iterator[Rows]:
    """Give the rows of an object, what it removes before what it sets; `start` is `data.u.`."""
    removed = {"price": position("", most=LEVELS)}
    placed = {"price": "p", "size": "s"}
    for levels, columns in (("r", removed), ("l", placed)):
        for index, side in enumerate(_SIDES):
            yield rows(
                at=f"{start}{levels}[{index}][]",
                into="book",
                optional=True,
                symbol=f"$.{start}c",
                ts_event=ms(f"$.{start}t"),
                channel=constant(CHANNEL),
                side=constant(side),
                is_snapshot=constant(False),
                **columns,
            )


def _whole() -> Iterator[Rows]:
    for index, side in enumerate(_SIDES):
        yield rows(
            at=f"data.s.levels[{index}][]",
            into="book",
            symbol="$.data.s.coin",
            ts_event=ms("$.data.s.time"),
            channel=constant(CHANNEL),
            side=constant(side),
            price="px",
            size="sz",
            order_count="n",
            is_snapshot=constant(True),
        )


L2_MESSAGES: tuple[Message, ...] = (
    message(
        "l2",
        when={"channel": "l2", "data.s": present()},
        spliced=True,
        rows=list(_whole()),
    ),
    message(
        "l2 packed",
        when={"channel": "l2", "data.c": present()},
        packed=inflated("data.c", most_bytes=MOST_BYTES),
    ),
    message("l2 changes", inside="l2 packed", spliced=True, rows=list(_changes(""))),
    message(
        "l2 plain changes",
        when={"channel": "l2", "data.u": present()},
        spliced=True,
        rows=list(_changes("data.u.")),
    ),
)
