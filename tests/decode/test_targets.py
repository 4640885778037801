"""Rings by number: each row set ends in its own, and all of a message's become visible together."""

from __future__ import annotations

import numpy as np
import pytest
from tests.decode.declarations import TRADES
from tests.decode.feeds import DATA, VENUE, Feed, plain
from tests.decode.pairs import usual

from tickwire.decode import Decoder, Program
from tickwire.decode.flatten import MAX_TARGETS
from tickwire.decode.plan import message, rows
from tickwire.errors import PlanError
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import Column, Kind, Table

N_TABLES = 16  # that a message may feed


def numbered(n_tables: int) -> dict[str, Table]:
    """Tables like mids, with a text of their own."""
    mids = DATA["mids"]
    return {
        f"table_{number}": Table(
            f"table_{number}",
            (*mids.columns, Column("word", Kind.TEXT, nullable=True, text_bytes=8)),
        )
        for number in range(n_tables)
    }


def fed(tables: dict[str, Table]) -> list:  # type: ignore[type-arg] # rows of every table
    return [
        rows(at=f"v{number}[]", into=name, optional=True, symbol="$.s", price="[0]", word="[1]")
        for number, name in enumerate(tables)
    ]


def test_a_message_feeds_as_many_tables_as_may_be() -> None:
    tables = numbered(N_TABLES)
    feed = Feed([message("m", rows=fed(tables))], tables=tables)
    lists = ",".join(f'"v{n}":[[{n},"w{n}"],[{n}.5,null]]' for n in range(N_TABLES))
    found = feed.rows(f'{{"s":"A",{lists}}}')
    assert {name: [(row["price"], row["word"]) for row in got] for name, got in found.items()} == {
        f"table_{n}": [(float(n), f"w{n}"), (n + 0.5, None)] for n in range(N_TABLES)
    }


def test_a_source_feeds_a_table_for_each_bit() -> None:
    tables = numbered(MAX_TARGETS)
    messages = [
        message(
            name, when={"k": name}, rows=[rows(at="", into=name, symbol="s", price="p", word="w")]
        )
        for name in tables
    ]
    feed = Feed(messages, tables=tables)
    for turn in range(3):
        for number, name in enumerate(tables):
            found = feed.rows(f'{{"k":"{name}","s":"A","p":{number},"w":"w{turn}"}}')
            assert {
                table: [(row["price"], row["word"]) for row in got]
                for table, got in found.items()
                if got
            } == {name: [(float(number), f"w{turn}")]}


def test_more_tables_are_refused() -> None:
    tables = numbered(MAX_TARGETS + 1)
    with pytest.raises(PlanError, match="more than 64 tables"):
        Feed([message("m", when={})], tables=tables)


@pytest.mark.parametrize("full", range(N_TABLES))
def test_where_one_ring_is_full_none_gets_rows(full: int) -> None:
    tables = numbered(N_TABLES)
    rings_rows = 1024
    feed = Feed([message("m", rows=fed(tables))], tables=tables, rows=rings_rows)
    one = f'{{"s":"A","v{full}":[[1,"x"]]}}'
    while feed.offer(one):
        pass
    before = {name: ring.published for name, ring in feed.rings.items()}
    lists = ",".join(f'"v{n}":[[{n},"w"]]' for n in range(N_TABLES))
    assert not feed.offer(f'{{"s":"A",{lists}}}')
    assert {name: ring.published for name, ring in feed.rings.items()} == before
    feed.take(f"table_{full}")
    assert feed.offer(f'{{"s":"A",{lists}}}')
    assert all(feed.rings[name].published == count + 1 for name, count in before.items())


def test_rings_live_as_long_as_the_decoder() -> None:
    dictionaries = Dictionaries()
    mids = rows(at="", into="mids", symbol="s", price="p")
    program = Program(VENUE, [message("m", rows=[mids])], DATA, wanted=["mids"])
    ring = Ring(DATA["mids"], 1024, dictionaries)
    consumer = Consumer(ring)
    decoder = Decoder(program, {"mids": ring}, dictionaries, venue=VENUE)
    del ring
    connection = decoder.connection(1)
    assert connection.decode(b'{"s":"A","p":1}', 1)
    batch = consumer.take()
    assert batch is not None
    assert batch.column("price").to_pylist() == [1.0]


def test_a_missing_ring_is_named() -> None:
    mids = rows(at="", into="mids", symbol="s", price="p")
    program = Program(VENUE, [message("m", rows=[mids])], DATA)
    with pytest.raises(PlanError, match="no ring for 'mids'"):
        Decoder(program, {}, Dictionaries(), venue=VENUE)


def test_rings_begin_again_between_reads_where_consumers_keep_up() -> None:
    tables = numbered(N_TABLES)
    feed = Feed([message("m", rows=fed(tables))], tables=tables, rows=1024)
    behind, unread = "table_3", "table_5"
    feed.consumers.pop(unread)
    lists = ",".join(f'"v{n}":[[{n},"w{n}"],[{n}.5,null]]' for n in range(N_TABLES))
    next_seq = dict.fromkeys(tables, 0)
    for turn in range(400):
        assert feed.offer(f'{{"s":"A",{lists}}}')
        for table in feed.consumers:
            if table == "quarantine":
                continue
            if table == behind and turn < 300:
                # Always a row short of all.
                rows_ = plain(feed.consumers[table].take(1 if turn == 0 else 2))
            else:
                rows_ = feed.take(table)
            first = next_seq[table]
            assert [row["seq"] for row in rows_] == list(range(first, first + len(rows_)))
            assert [row["word"] for row in rows_] == [
                None if row["seq"] % 2 else f"w{table.removeprefix('table_')}" for row in rows_
            ]
            next_seq[table] += len(rows_)
        if turn == 299:
            before = {name: used(ring) for name, ring in feed.rings.items()}
    # A window is 256 rows, a message two.
    expected = dict.fromkeys(tables, 256) | {behind: 600, unread: 600}
    assert before == expected
    expected |= {behind: 602, unread: 800}
    assert {name: used(ring) for name, ring in feed.rings.items()} == expected
    assert all(ring.published == 800 for ring in feed.rings.values())


@pytest.mark.parametrize(("step_ns", "n_kept"), [(1_000_000, 700), (900_000, 188)])
def test_a_late_consumer_finds_the_rows_of_a_second(step_ns: int, n_kept: int) -> None:
    """Only a flood, whose rows the ring would hold for less than a second, goes over them early."""
    feed = Feed(TRADES, rows=1024)
    feed.mono_step_ns = step_ns
    for number in range(1, 701):
        assert feed.rows(usual(number))
    late = Consumer(feed.rings["trades"]).take()
    assert late is not None
    assert late["seq"].to_pylist() == list(range(700 - n_kept, 700))


def used(ring: Ring) -> int:
    """Slots that have ever held a row."""
    return int(np.count_nonzero(ring.columns["recv_mono"]))
