"""Every table of a feed is written by its own number."""

from __future__ import annotations

import pytest
from tests.decode.feeds import Feed

from tickwire.decode._targets import Targets
from tickwire.decode.plan import message, rows, text
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import Column, Kind, Table

COMMON = (
    Column("seq", Kind.I64),
    Column("venue", Kind.CODE16),
    Column("symbol", Kind.CODE32),
    Column("ts_event", Kind.TS, nullable=True),
    Column("ts_recv", Kind.TS),
    Column("conn", Kind.I32),
)
TABLES = {
    f"t{i}": Table(
        f"t{i}",
        (*COMMON, Column("note", Kind.TEXT, text_bytes=16), Column("maybe", Kind.TEXT, True, 16)),
    )
    for i in range(12)
}


@pytest.mark.parametrize("number", range(12))
def test_each_of_twelve_rings_stages_publishes_and_rolls_back(number: int) -> None:
    name = f"t{number}"
    declared = rows(at="[]", into=name, symbol="[0]", note=text("[1]"), maybe=text("[2]"))
    feed = Feed([message("m", when={}, rows=[declared])], tables=TABLES, rows=1024)
    assert feed.rows('[["A","x"],["B",[]]]') == {}
    found = feed.rows('[["A","x"],["B","y","z"]]')
    assert [(r["symbol"], r["note"], r["maybe"]) for r in found[name]] == [
        ("A", "x", None),
        ("B", "y", "z"),
    ]
    many = "[" + ",".join(["[1,2]"] * 500) + "]"
    assert feed.offer(many)
    assert feed.offer(many)
    assert not feed.offer(many)
    assert len(feed.take(name)) == 1000
    assert feed.offer(many)


def test_tables_without_a_ring_have_a_number_too() -> None:
    ring = Ring(TABLES["t0"], 1024, Dictionaries())
    assert Targets([None, ring, None]) is not None
