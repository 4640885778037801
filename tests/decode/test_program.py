"""Mistakes in a declaration name the venue, the message and the field."""

from __future__ import annotations

from typing import Any

import pytest
from tests.decode.declarations import GROUPS
from tests.decode.feeds import DATA

from tickwire.decode import Program
from tickwire.decode.plan import (
    Message,
    choice,
    constant,
    equal,
    given,
    integer,
    member_key,
    message,
    number,
    part,
    prefix,
    present,
    rows,
    text,
    unlike,
)
from tickwire.errors import PlanError
from tickwire.schema import Kind


def quotes(at: str = "", **fields: Any) -> Message:
    return message("m", when={}, rows=[rows(at=at, into="quotes", **({"symbol": "s"} | fields))])


def spliced(**changed: Any) -> Message:
    fields: dict[str, Any] = {
        "symbol": "$.s",
        "channel": constant("book"),
        "is_snapshot": constant(False),
        "venue_seq": "$.u",
        "venue_prev_seq": "$.pu",
        "first_seq": integer("$.U"),
    } | changed
    given_fields = {name: value for name, value in fields.items() if value is not None}
    return message("m", when={}, spliced=True, rows=[rows(at="b[]", into="book", **given_fields)])


MANY = {f"k{i}": present() for i in range(65)}
BAD: list[tuple[Message, str]] = [
    (quotes(bid_prize="b"), "v.m.bid_prize: no such column; there are seq, venue, symbol"),
    (quotes(seq="b"), "v.m.seq: is filled by the decoder"),
    (quotes(ts_recv="b"), "v.m.ts_recv: is filled by the decoder"),
    (quotes(ts_event="b"), "v.m.ts_event: a time needs its unit"),
    (quotes(bid_price=text("b")), "v.m.bid_price: text does not fit"),
    (quotes(bid_price="a..b"), "v.m.bid_price: 'a..b' is no path"),
    (quotes(bid_price="$.a..b"), "v.m.bid_price: 'a..b|v.m.bid_price: '.a..b"),
    (quotes(at="a["), r"v.m.at: 'a\[' is no path"),
    (quotes(bid_price="a[]"), r"v.m.bid_price: 'a\[\]' iterates inside a row"),
    (quotes(at="a[]", bid_price="$.b[].x"), "v.m.bid_price: .* iterates where 'a\\[\\]' does not"),
    (quotes(bid_price=constant(1)), "v.m.bid_price: the constant 1 does not fit"),
    (quotes(symbol=member_key()), "v.m.symbol: member_key.. needs"),
    (quotes(bid_price=given()), "v.m.bid_price: given does not fit"),
    (quotes(symbol=part("s", "--", 0)), "v.m.symbol: the separator '--' is not one character"),
    (quotes(at="d{}", bid_price="$.d.x"), "v.m.x: stands where {} takes every member"),
    (message("m", rows=[rows(at="", into="quotes")]), "v.m.symbol: is required"),
    (message("m", rows=[rows(at="", into="nowhere", symbol="s")]), "v.m.rows: no table 'nowhere'"),
    (message("m", when={"a..b": 1}), "v.m.when: 'a..b' is no path"),
    (message("m", when={"a[].b": 1}), r"v.m.when: 'a\[\].b' may not iterate"),
    (message("m", when={"$.a": 1}), "v.m.when: .* without"),
    (message("m", when=MANY), "v.m.when: more than 64 values"),
    (
        message("m", rows=[rows(at="", into="mids", once=True, symbol="s", price="p")]),
        "v.m.trade_id: once needs it",
    ),
    (
        message(
            "m",
            rows=[
                rows(
                    at="",
                    into="liquidations",
                    symbol="s",
                    side=constant("buy"),
                    price="p",
                    size="q",
                    trade_id=constant("1"),
                )
            ],
        ),
        "v.m.trade_id: a text column takes no constant",
    ),
    (
        message(
            "m",
            rows=[rows(at="", into="tickers", carry=True, symbol=constant("A"), last_price="p")],
        ),
        "v.m.symbol: once and carry need it",
    ),
    (
        message(
            "m", rows=[rows(at="", into="book", symbol="s", channel="c", is_snapshot="x", last="l")]
        ),
        "v.m.last: is filled by the decoder",
    ),
    (spliced(symbol=constant("A")), "v.m.symbol: a spliced message must name it"),
    (
        quotes(bid_price=number("b", zero_when=("c..d", 0))),
        "v.m.bid_price.zero_when: 'c..d' is no path",
    ),
]


@pytest.mark.parametrize(("declared", "problem"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_a_mistake_is_named(declared: Message, problem: str) -> None:
    with pytest.raises(PlanError, match=f"^(?:{problem})"):
        Program("v", [declared], DATA)


def test_a_message_has_one_declaration() -> None:
    with pytest.raises(PlanError, match="v: message 'm' is declared twice"):
        Program("v", [quotes(), quotes()], DATA)


@pytest.mark.parametrize("group", GROUPS)
def test_the_tests_declarations_compile(group: str) -> None:
    program = Program("v", GROUPS[group], DATA)
    assert [route.name for route in program.routes] == [m.name for m in GROUPS[group]]
    assert all(route.requested for route in program.routes)


def test_a_message_is_requested_if_one_of_its_tables_is() -> None:
    both = message(
        "both",
        rows=[
            rows(at="", into="quotes", symbol="s"),
            rows(at="", into="mids", symbol="s", price="p"),
        ],
    )
    for wanted, requested in [(None, True), (["mids"], True), (["trades"], False), ([], False)]:
        (route,) = Program("v", [both], DATA, wanted=wanted).routes
        assert route.requested is requested
        assert len(route.row_sets) == (2 if wanted is None else 1 if requested else 0)


@pytest.mark.parametrize(
    ("one", "other", "rivals"),
    [
        ({"e": "a"}, {"e": "b"}, 0),
        ({"e": "a"}, {"e": equal("b", "a")}, 1),
        ({"e": 1}, {"e": True}, 0),
        ({"e": "a"}, {"f": "a"}, 1),
        ({"e": prefix("ab")}, {"e": prefix("b")}, 0),
        ({"e": prefix("ab")}, {"e": prefix("a")}, 1),
        ({"e": "a"}, {"e": unlike("a")}, 0),
        ({"e": True}, {"e": unlike(1)}, 1),
        ({"e": present()}, {"e": prefix("a")}, 1),
        ({}, {}, 1),
    ],
)
def test_only_messages_that_could_both_match_are_rivals(
    one: dict[str, Any], other: dict[str, Any], rivals: int
) -> None:
    program = Program("v", [message("one", when=one), message("other", when=other)], DATA)
    assert len(program.routes[0].rivals) == 0
    assert len(program.routes[1].rivals) == rivals


def test_a_shared_value_is_read_once() -> None:
    declared = message(
        "m",
        rows=[
            rows(at="", into="quotes", symbol="s", bid_price="p"),
            rows(at="", into="mids", symbol="s", price="p"),
            rows(at="", into="tickers", symbol="s", last_price=number("p", zero_when=("z", 0))),
        ],
    )
    (route,) = Program("v", [declared], DATA).routes
    assert route.n_registers == 4  # s, p, p that may be zero, whether it is
    assert len(route.root.keys["p"].actions) == 2


def test_kinds_have_the_numbers_of_the_ring() -> None:
    assert [kind.value for kind in Kind] == list(range(9))
    assert choice("x", {"a": "b"}).choices == (("a", "b"),)
