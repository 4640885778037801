"""A rich set of declarations: every shape that plans can say, in groups that share a feed."""

from __future__ import annotations

from tickwire.decode.plan import (
    Message,
    absent,
    choice,
    constant,
    equal,
    integer,
    member_key,
    message,
    ms,
    ns,
    null,
    number,
    part,
    present,
    rfc3339,
    rows,
    seconds,
    sign,
    text,
    unlike,
    us,
)

TAKER = {"b": "buy", "s": "sell", 0: "buy", True: "sell"}


def _trades(name: str, at: str, **changed: object) -> Message:
    fields: dict[str, object] = {
        "symbol": "s",
        "ts_event": ms("t"),
        "channel": constant("trades"),
        "price": "p",
        "size": "q",
        "side": choice("m", TAKER),
        "trade_id": text("i"),
    }
    return message(
        name,
        when={"e": name},
        rows=[rows(at=at, into="trades", **(fields | changed))],  # type: ignore[arg-type]
    )


def _sides(bids: str, asks: str, **fields: object) -> list[object]:
    return [
        rows(at=at, into="book", side=constant(side), price="[0]", size="[1]", **fields)  # type: ignore[arg-type]
        for side, at in (("bid", bids), ("ask", asks))
    ]


TRADES = (
    _trades("flat", ""),
    _trades("listed", "data[]"),
    _trades("deep", "data[].fills[]", symbol="$.data[].s", ts_event=us("$.data[].t")),
    _trades("outer", "data[]", symbol="$.arg.s", ts_event=seconds("$.t"), trade_id=text("$.i")),
    _trades("inner", "o.data", price="x.p[0]", size=number("x.p[-1]", magnitude=True)),
    _trades("stream", "data[]", symbol=part("$.stream", "@", -1, upper=True), once=False),
    _trades(
        "rfc", "data[]", ts_event=rfc3339("when"), side=sign("q", positive="buy", negative="sell")
    ),
    _trades("optional", "data[]", optional=True),
    _trades("one side", "data[]", side=choice("m", {"b": "buy"}, otherwise="sell")),
    _trades("filtered", "data[]"),
)

BOOKS = (
    message(
        "sides",
        when={"e": "sides"},
        rows=_sides(
            "data.b[]",
            "data.a[]",
            symbol="$.data.s",
            ts_event=ms("$.t"),
            channel=constant("book"),
            is_snapshot=choice("$.kind", {"full": True, "delta": False}),
            venue_seq=integer("$.data.u"),
            venue_prev_seq=integer("$.data.u", add=-1),
        ),
    ),
    message(
        "nested",
        when={"e": "nested"},
        rows=_sides(
            "data[].levels[0][]",
            "data[].levels[1][]",
            symbol="$.data[].s",
            ts_event=ns("$.data[].t"),
            channel=constant("book:5"),
            order_count="[2]",
            is_snapshot=constant(True),
        ),
    ),
    message(
        "asks first",
        when={"e": "asks first"},
        rows=_sides(
            "data[].b[]",
            "data[].a[]",
            symbol="$.data[].s",
            ts_event=ms("$.data[].t"),
            channel=constant("book"),
            order_count="[2]",
            is_snapshot=constant(False),
        )[::-1],
    ),
    message(
        "mixed",
        when={"e": "mixed"},
        rows=[
            rows(
                at="gone[]",
                into="book",
                optional=True,
                symbol="s",
                channel=constant("book"),
                side=choice("side", {"B": "bid", "A": "ask"}),
                price="p",
                size=constant(0.0),
                is_snapshot=constant(False),
                venue_seq="$.u",
            ),
            rows(
                at="new[]",
                into="book",
                optional=True,
                symbol="s",
                channel=constant("book"),
                side=choice("side", {"B": "bid", "A": "ask"}),
                price="p",
                size=number("q", zero_when=("act", "del")),
                order_count="n",
                is_snapshot=constant(False),
                venue_seq="$.u",
            ),
        ],
    ),
    message(
        "both of one",
        when={"e": "both of one"},
        rows=[
            rows(
                at="data[]",
                into="book",
                symbol="$.s",
                channel=constant("book"),
                side=constant(side),
                price=f"{side[0]}p",
                size=f"{side[0]}q",
                is_snapshot=constant(side == "bid"),
            )
            for side in ("bid", "ask")
        ],
    ),
    message(
        "whole and levels",
        when={"e": "whole and levels"},
        rows=[
            rows(
                at="",
                into="book",
                symbol="s",
                ts_event=ms("t"),
                channel=constant("book"),
                price="p",
                is_snapshot="snap",
                venue_seq="u",
            ),
            rows(
                at="more[]",
                into="book",
                optional=True,
                symbol="$.s",
                channel=constant("book"),
                side=constant("ask"),
                size="[0]",
                is_snapshot="$.snap",
                order_count="[1]",
            ),
        ],
    ),
)

STATES = (
    message(
        "full",
        when={"e": "full"},
        rows=[
            rows(
                at="data",
                into="tickers",
                carry=True,
                carry_reset=True,
                symbol="s",
                ts_event=ms("$.t"),
                last_price="l",
                mark_price="m",
                funding_rate="f",
                next_funding_ts=ms("n"),
            )
        ],
    ),
    message(
        "change",
        when={"e": "change"},
        rows=[
            rows(
                at="data",
                into="tickers",
                carry=True,
                symbol="s",
                ts_event=ms("$.t"),
                funding_rate="f",
                last_price="l",
                mark_price="m",
                next_funding_ts=ms("n"),
            ),
            rows(at="data", into="quotes", symbol="s", bid_price="l", ask_price="m"),
        ],
    ),
    message(
        "mids",
        when={"e": "mids"},
        rows=[
            rows(at="mids{}", into="mids", symbol=member_key(), ts_event=ms("$.t"), price="p"),
            rows(at="mids{}", into="tickers", symbol=member_key(), mark_price="p"),
        ],
    ),
    message(
        "several",
        when={"e": "several"},
        rows=[
            rows(
                at="q", into="quotes", optional=True, symbol="$.s", bid_price="[0]", ask_price="[1]"
            ),
            rows(
                at="q",
                into="tickers",
                optional=True,
                symbol="$.s",
                last_price=number("[0]", zero_when=("[2]", 0)),
                mark_price="[0]",
            ),
            rows(at="list[]", into="mids", symbol="s", price="$.price"),
            rows(
                at="list[]",
                into="liquidations",
                symbol="s",
                side=sign("z", positive="buy", negative="sell"),
                price="$.price",
                size=number("z", magnitude=True),
            ),
        ],
    ),
    message(
        "candle",
        when={"e": "candle"},
        rows=[
            rows(
                at="k",
                into="candles",
                symbol="$.s",
                interval="i",
                ts_open=ms("t"),
                ts_close=ms("T"),
                open="o",
                high="h",
                low="l",
                close="c",
                volume="v",
                trade_count="n",
                closed="x",
            )
        ],
    ),
)

POSITIONAL = (
    message(
        "array trades",
        when={"[1]": "trade"},
        rows=[
            rows(
                at="[2][]",
                into="trades",
                symbol="$[-1]",
                ts_event=seconds("[2]"),
                channel=constant("trades"),
                price="[0]",
                size="[1]",
                side=choice("[3]", TAKER),
                trade_id=text("[-1]"),
            )
        ],
    ),
    message(
        "array book",
        when={"[1]": "book"},
        rows=[
            rows(
                at=at,
                into="book",
                optional=True,
                symbol="$[0]",
                channel=constant("book"),
                side=constant(side),
                price="[0]",
                size="[1]",
                is_snapshot=constant(False),
            )
            for at, side in (("[2].a[]", "ask"), ("[3].b[]", "bid"))
        ],
    ),
    message(
        "array mids",
        when={"[1]": "mids"},
        rows=[
            rows(at="[2][][]", into="mids", symbol="[0]", price="[1]", ts_event=ms("$[2][][0][2]"))
        ],
    ),
)

CONDITIONS = (
    message(
        "chosen",
        when={"e": "chosen"},
        rows=[
            rows(
                at="data[]",
                into="trades",
                when={"kind": "match"},
                symbol="s",
                channel=constant("trades"),
                price="p",
                size=number("q", zero_when=("act", "del")),
                side=choice("m", TAKER),
                trade_id=text("i"),
            ),
            rows(
                at="data[]",
                into="liquidations",
                when={"kind": unlike("match", "other"), "act": present()},
                symbol="s",
                side=choice("m", TAKER),
                price="p",
                size="q",
            ),
            rows(at="data[]", into="mids", when={"$.full": absent()}, symbol="s", price="p"),
        ],
    ),
    message(
        "packed",
        when={"e": "packed"},
        rows=[
            rows(
                at="k[]",
                into="candles",
                when={"$.full": equal("yes", True, 3)},
                symbol="$.s",
                interval=constant("1m"),
                ts_open=ms("t"),
                ts_close=ms("t", later_ms=59_999),
                open=number(part("x", ",", 0)),
                high=number(part("x", ",", -1), magnitude=True),
                low="l",
                close="c",
                volume="v",
                closed=choice("x2", {"1": True, "0": False, 1: True}, otherwise=null()),
            )
        ],
    ),
    message(
        "levels of one kind",
        when={"e": "levels of one kind"},
        rows=[
            rows(
                at="data[].levels[]",
                into="book",
                when={"$.data[].kind": kind},
                symbol="$.data[].s",
                channel=constant("book"),
                side=constant(side),
                price="[0]",
                size="[1]",
                is_snapshot=constant(kind == "full"),
            )
            for kind, side in (("full", "bid"), ("delta", "ask"))
        ],
    ),
)

GROUPS: dict[str, tuple[Message, ...]] = {
    "trades": TRADES,
    "books": BOOKS,
    "states": STATES,
    "positional": POSITIONAL,
    "conditions": CONDITIONS,
}
