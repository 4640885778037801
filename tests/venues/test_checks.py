"""A declaration's mistakes are found when it is made."""

from dataclasses import replace
from typing import Any

import pytest
from tests.venues.own import TRADES, declare, subscriptions

from tickwire.decode.plan import constant, integer, message, rows
from tickwire.errors import ConfigError, PlanError
from tickwire.schema import Column, Kind
from tickwire.venues import (
    Backfill,
    BookRule,
    Channel,
    Heartbeat,
    Limits,
    Subscription,
    checksum,
    counted,
    crc32,
    linked,
    per_connection,
    plan,
    ranges,
    rest,
    same_id,
)

LIMITS = Limits(100, 10, 4.0, 60)
MISSED = Backfill("trades", "/trades?symbol={symbol}&limit={limit}", "missed", "id")
BOOK = BookRule(chain=ranges(), begin=rest("/depth?symbol={symbol}"), repair="rest")
IN_BAND = BookRule(chain=linked())


def changes(**named: Any) -> dict[str, Any]:
    """Declare a venue whose spliced message names these numbers."""
    first_seq = named.pop("first_seq", None)
    book = rows(
        at="b[]", into="book", symbol="$.s", channel=constant("book"),
        is_snapshot=constant(False), first_seq=first_seq, **named,
    )  # fmt: skip
    return {"messages": (TRADES, message("delta", spliced=True, when={"b": "x"}, rows=[book]))}


def channel(**changed: Any) -> tuple[Channel, ...]:
    return (replace(Channel("trades", "trades", subscriptions), **changed),)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"name": ""}, ": name: is '', should be printable text"),
        ({"name": "a\nb"}, "name: is 'a\\nb', should be printable text"),
        ({"subscribe": None}, "own: subscribe: should be a function"),
        ({"reply": "x"}, "own: reply: should be a function"),
        ({"aliases": {}}, "own: aliases: should be a function"),
        ({"frames": "brotli"}, "own: frames: is 'brotli', should be 'plain', 'gzip' or 'deflate'"),
        ({"endpoints": {}}, "own: endpoints: should be names and URLs"),
        ({"endpoints": "wss://h"}, "own: endpoints: should be names and URLs"),
        ({"endpoints": {"main": "https://h"}}, "own: endpoints['main']: "),
        ({"endpoints": {"main": None}}, "own: endpoints['main']: "),
        ({"rest_url": "h/api"}, "own: rest_url: should be a URL with http:// or https://"),
        ({"heartbeat": Heartbeat("pong", 1, 1)}, "own: heartbeat.kind: is 'pong', should be"),  # type: ignore[arg-type]
        ({"heartbeat": Heartbeat("text", 1, 1)}, "own: heartbeat.payload: is empty"),
        ({"heartbeat": Heartbeat("ping", 0, 1)}, "own: heartbeat.every_s: is 0, should be above"),
        ({"heartbeat": Heartbeat("ping", 1, -1)}, "own: heartbeat.timeout_s: is -1, should be 0"),
        (
            {"limits": replace(LIMITS, subscriptions_per_request=0)},
            "own: limits.subscriptions_per_request: is 0, should be at least 1",
        ),
        (
            {"limits": replace(LIMITS, requests_per_s=-1)},
            "own: limits.requests_per_s: is -1, should be 0 (no limit) or more",
        ),
        ({"messages": ("trade",)}, "own: messages: 'trade' was not made by message(...)"),
        ({"channels": channel(table="trade")}, "own: channel 'trades': no table 'trade', one of"),
        ({"channels": channel(table="quotes")}, "no message gives rows of quotes"),
        ({"channels": channel(subscriptions=None)}, "subscriptions should be a function"),
        ({"channels": channel(name="trades:<kind>")}, "a family has a name such as"),
        ({"channels": channel(spliced=True)}, "is spliced, so the venue needs a book rule"),
        ({"channels": channel() * 2}, "own: channel 'trades': is declared twice"),
        ({"extras": {"trade": ()}}, "own: extras: no table 'trade', one of trades"),
        ({"extras": {"trades": ("fee",)}}, "own: extras['trades']: 'fee' is no Column"),
        (
            {"extras": {"trades": (Column("price", Kind.F64, True),)}},
            "own: extras['trades']: 'price' is a column of the table already",
        ),
        (
            {"extras": {"trades": (Column("fee", Kind.F64, False),)}},
            "own: extras['trades']: 'fee' should be nullable",
        ),
        ({"book": BOOK}, "own: rest_url: is required, for snapshots of books"),
        ({"book": BOOK, "rest_url": "https://h"}, "no message 'snapshot' of kind 'snapshot' gives"),
        ({"book": "linked"}, "own: book: is 'linked', should be BookRule(chain=linked())"),
        ({"book": replace(BOOK, begin="rest")}, "own: book.begin: is 'rest', should be in_band()"),
        ({"book": replace(BOOK, begin=rest("depth"))}, "should begin with / and hold {symbol}"),
        ({"book": replace(BOOK, chain=counted())}, "is 'counted', a REST snapshot needs linked()"),
        ({"book": replace(BOOK, repair="resubscribe")}, "book.repair: 'rest' goes with begin=rest"),
        ({"book": replace(IN_BAND, repair="rest")}, "book.repair: 'rest' goes with begin=rest"),
        ({"book": replace(IN_BAND, repair="hope")}, "own: book.repair: is 'hope', one of"),
        ({"book": IN_BAND}, "own: unsubscribe: is required with book.repair 'resubscribe'"),
        ({"book": replace(IN_BAND, depth=-1)}, "own: book.depth: is -1, should be 0 (all) or more"),
        ({"book": replace(IN_BAND, chain=counted(0))}, "step is 0, should be at least 1"),
        ({"book": BookRule(chain=per_connection(""))}, "per_connection needs the path"),
        ({"book": BookRule(chain=per_connection("n"))}, "book.repair: should be 'reconnect'"),
        ({"book": BookRule(chain=checksum(None))}, "checksum of None, should be of crc32(...)"),  # type: ignore[arg-type]
        ({"book": BookRule(chain=checksum(crc32(levels=0)))}, "crc32 of 0 levels, should be 1"),
        (
            {"book": IN_BAND, **changes(venue_seq="$.u")},
            "message 'delta': has no venue_prev_seq, which the book rule needs",
        ),
        (
            {"book": BookRule(chain=ranges()), **changes(first_seq=integer("$.U"))},
            "message 'delta': has no venue_seq, which the book rule needs",
        ),
        (
            {"book": BookRule(chain=checksum(crc32())), **changes()},
            "message 'delta': has no checksum, which the book rule needs",
        ),
        ({"backfills": (MISSED,)}, "own: rest_url: is required, for trades that were missed"),
        ({"backfills": (MISSED,)}, "no message 'missed' of kind 'backfill' gives trades"),
        (
            {"backfills": (replace(MISSED, channel="quotes"),)},
            "own: backfills['quotes']: should be a channel of trades, no family",
        ),
        (
            {"backfills": (replace(MISSED, path="/trades?symbol={symbol}"),)},
            "own: backfills['trades'].path: should be /... of {symbol}, {limit}, maybe {first_id}",
        ),
        (
            {
                "backfills": (
                    replace(MISSED, path="/trades?symbol={symbol}&limit={limit}&key={key}"),
                )
            },
            "own: backfills['trades'].path: should be /... of {symbol}, {limit}, maybe {first_id}",
        ),
        (
            {"backfills": (replace(MISSED, path="/trades?symbol={symbol}&limit={limit"),)},
            "own: backfills['trades'].path: should be /... of {symbol}, {limit}, maybe {first_id}",
        ),
        (
            {"backfills": (replace(MISSED, limit=0),)},
            "own: backfills['trades'].limit: is 0, should be at least 1",
        ),
        (
            {"limits": replace(LIMITS, backfills_per_min=-1)},
            "own: limits.backfills_per_min: is -1, should be 0 (no limit) or more",
        ),
        ({"messages": (TRADES, TRADES)}, "own: message 'trade' is declared twice"),
        (
            {"oracle": "bbo"},
            "own: oracle: is 'bbo', should be same_id(...), same_time(...) or lasting(...)",
        ),
        ({"oracle": same_id()}, "own: oracle: goes with a book rule"),
        ({"oracle": same_id("bbo")}, "own: oracle: 'bbo' should be a channel of quotes"),
        ({"oracle": same_id()}, "own: oracle: same_id needs quotes with venue_seq"),
        (
            {"messages": (TRADES, message("x", rows=[rows(at="", into="mids", symbol="s")]))},
            "own.x.price: is required: name where it stands",
        ),
    ],
)
def test_a_mistake_is_found_where_it_is_made(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(PlanError) as caught:
        declare(**changed)
    assert problem in str(caught.value)


def test_all_mistakes_are_told_together() -> None:
    with pytest.raises(PlanError) as caught:
        declare(frames="brotli", subscribe=None)
    assert len(str(caught.value).splitlines()) == 2
    wrong = [message(name, rows=[rows(at="", into="mids", symbol="s")]) for name in ("x", "y")]
    with pytest.raises(PlanError) as caught:
        declare(messages=(TRADES, *wrong))
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "own.x.price",
        "own.y.price",
    ]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (lambda *_: {}["x"], "own: subscriptions of channel 'trades' raised KeyError: 'x'"),
        (lambda *_: ["x"], "own: subscriptions of channel 'trades' gave 'x', should give"),
        (
            lambda *_: [Subscription("trades", "A", "trades", "k", endpoint="mian")],
            "own: subscriptions of channel 'trades': no endpoint 'mian', one of main",
        ),
        (
            lambda *_: [Subscription("trades", "A", "quotes", "k")],
            "own: subscriptions of channel 'trades' names table 'quotes', should be 'trades'",
        ),
    ],
)
def test_what_a_venue_s_function_gives_is_checked(given: Any, problem: str) -> None:
    venue = declare(channels=(Channel("trades", "trades", given),))
    with pytest.raises(ConfigError) as caught:
        plan(venue, ["trades"], ["A"])
    assert problem in caught.value.problems[0]
