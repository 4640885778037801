"""Bitfinex's messages: arrays that begin with the number of their channel.

Rules of this file
------------------
- An acknowledgement says which symbol a number stands for; what kind of channel it is shows in the
  form of the data: a level has three members, a trade four, a ticker ten.
- With the flag `SEQ_ALL` every array ends with the connection's number.
- [price, count, amount]: amount above 0 is a bid, and a count of 0 removes the level.
- A trade comes as `te` when it is executed and as `tu` when it is booked: the first counts.
"""

from __future__ import annotations

from tickwire.decode.plan import (
    Rows,
    absent,
    constant,
    equal,
    lookup,
    message,
    ms,
    number,
    present,
    rows,
    sign,
    text,
)


def _level(at: str, *, is_snapshot: bool) -> Rows:
    return rows(
        at=at,
        into="book",
        symbol=lookup("$[0]"),
        channel=constant("book"),
        side=sign("[2]", positive="bid", negative="ask"),
        price="[0]",
        size=number("[2]", magnitude=True, zero_when=("[1]", 0)),
        order_count="[1]",
        is_snapshot=constant(is_snapshot),
        venue_seq="$[2]",
    )


def _trade(at: str) -> Rows:
    return rows(
        at=at,
        into="trades",
        symbol=lookup("$[0]"),
        ts_event=ms("[1]"),
        channel=constant("trades"),
        side=sign("[2]", positive="buy", negative="sell"),
        size=number("[2]", magnitude=True),
        price="[3]",
        trade_id=text("[0]"),
    )


MESSAGES = (
    message("heartbeat", when={"[1]": "hb"}, kind="ignore"),
    message("te", when={"[1]": "te"}, rows=[_trade("[2]")]),
    message("tu", when={"[1]": equal("tu", "cs")}, kind="ignore"),
    message("last trades", when={"[1][0][3]": present()}, rows=[_trade("[1][]")]),
    message(
        "whole book",
        when={"[1][0][2]": present(), "[1][0][3]": absent()},
        spliced=True,
        rows=[_level("[1][]", is_snapshot=True)],
    ),
    message(
        "level",
        when={"[1][2]": present(), "[1][3]": absent(), "[1][0][0]": absent()},
        spliced=True,
        rows=[_level("[1]", is_snapshot=False)],
    ),
    message(
        "ticker",
        when={"[1][9]": present(), "[1][0][0]": absent()},
        rows=[
            rows(
                at="[1]",
                into="quotes",
                symbol=lookup("$[0]"),
                bid_price="[0]",
                bid_size="[1]",
                ask_price="[2]",
                ask_size="[3]",
                venue_seq="$[2]",
            ),
            rows(
                at="[1]",
                into="tickers",
                symbol=lookup("$[0]"),
                last_price="[6]",
                volume_24h="[7]",
            ),
        ],
    ),
    # A channel without a level or a trade yet.
    message("nothing yet", when={"[1]": present(), "[1][0]": absent()}, kind="ignore"),
    message("pong", when={"event": "pong"}, kind="pong"),
    message("error", when={"event": "error"}, kind="error"),
    message("subscribed", when={"event": "subscribed"}, kind="acknowledge",
            names=("chanId", "symbol")),
    message("event", when={"event": equal("info", "conf", "unsubscribed")}, kind="acknowledge"),
)  # fmt: skip
