"""Flat lists, and the bounds that the walker's arrays have."""

from __future__ import annotations

from typing import Any

import pytest
from tests.decode.declarations import GROUPS
from tests.decode.feeds import DATA

from tickwire.decode import Program
from tickwire.decode.flatten import MAX_KEYS, MAX_TURNS, Flat
from tickwire.decode.plan import Message, constant, message, rows
from tickwire.errors import PlanError
from tickwire.ring import Dictionaries
from tickwire.schema import TABLES, Table


def flat(*messages: Message, tables: dict[str, Table] = DATA, **more: Any) -> Flat:
    return Flat(Program("v", messages, tables, **more), Dictionaries())


def mids(at: str) -> Any:
    return rows(at=at, into="mids", symbol="s", price="p")


@pytest.mark.parametrize("group", GROUPS)
def test_every_stretch_lies_inside_its_list(group: str) -> None:
    made = flat(*GROUPS[group])
    lists = {
        "keys": made.edges,
        "items": made.edges,
        "actions": made.actions,
        "key_actions": made.actions,
        "rows": made.numbers,
        "containers": made.numbers,
        "fills": made.cells,
    }
    for node in made.nodes:
        assert node is not None
        for name, array in lists.items():
            first, n = getattr(node, name)
            assert 0 <= first <= first + n <= len(array)
        assert node.each < len(made.nodes)
        assert node.members < len(made.nodes)
    for _, child, turn, _ in made.edges:
        assert 0 < child < len(made.nodes)
        assert -1 <= turn < MAX_TURNS
    assert all(0 <= route.root < len(made.nodes) for route in made.routes)


def test_turns_follow_the_declaration() -> None:
    made = flat(message("m", rows=[mids("z[]"), mids("a[]"), mids("k[]")]))
    turns = {step: turn for step, _, turn, _ in made.edges if turn >= 0}
    assert turns == {"z": 0, "a": 1, "k": 2}


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ([mids(f"k{i}[]") for i in range(MAX_TURNS + 1)], f"v.m: over {MAX_TURNS} places"),
        (
            [mids("a[]"), mids("b[]"), mids("a[]")],
            "v.m: rows below 'a' and 'b' are declared in turn",
        ),
        ([mids("a[]")] * 13, "v.m.rows: more than 12"),
    ],
    ids=["turns", "in turn", "one array"],
)
def test_what_the_walker_has_no_room_for_is_refused(declared: list[Any], problem: str) -> None:
    with pytest.raises(PlanError, match=problem):
        flat(message("m", rows=declared))


def test_an_object_has_so_many_known_keys() -> None:
    # A route observes at most 64 values, so only nested ones could be more.
    assert MAX_KEYS >= 64 + 16


def test_a_feed_has_so_many_tables() -> None:
    tables = {f"t{i}": Table(f"t{i}", TABLES["mids"].columns) for i in range(65)}
    with pytest.raises(PlanError, match="v: more than 64 tables"):
        flat(message("m", when={}), tables=tables)


def test_constants_have_codes_and_channels_their_configured_names() -> None:
    declared = message(
        "m",
        rows=[
            rows(
                at="b[]",
                into="book",
                symbol="$.s",
                channel=constant("book"),
                is_snapshot=constant(True),
            )
        ],
    )
    made = flat(declared, aliases={"book": "book:100ms"})
    channels = made.dictionaries.of("channel")
    assert [channels.value(code) for code in range(len(channels))] == ["book:100ms"]


def test_row_sets_of_a_table_and_channel_share_ids_and_state() -> None:
    def trades(name: str, channel: str) -> Message:
        declared = rows(
            at="",
            into="trades",
            symbol="s",
            channel=constant(channel),
            price="p",
            size="q",
            side="side",
            trade_id="i",
        )
        return message(name, when={"e": name}, rows=[declared])

    def ticker(name: str, *, carry: bool) -> Message:
        declared = rows(at="", into="tickers", carry=carry, symbol="s", last_price="p")
        return message(name, when={"e": name}, rows=[declared])

    made = flat(
        trades("a", "trades"),
        trades("b", "trades"),
        trades("c", "trades:agg"),
        ticker("d", carry=True),
        ticker("e", carry=True),
        ticker("f", carry=False),
    )
    assert [row_set.once for row_set in made.row_sets] == [0, 0, 1, -1, -1, -1]
    assert [row_set.carry for row_set in made.row_sets] == [-1, -1, -1, 0, 0, -1]
