"""What a reader of books writes: rows of `top`, whole snapshots in `depth`; who waits for room."""

from __future__ import annotations

import pytest
from tests.book.rig import NS, Rig, random_messages

from tickwire.ring import Consumer


def test_owed_rows_of_top_wait_for_room() -> None:
    rig = Rig()
    rig.publish(("A", [("bid", 1.0, 1.0)], True))
    while rig.reader.read():
        rig.publish(("A", [("bid", 1.0, float(rig.n_messages))], True))
    rig.reader.break_book(rig.number("A"), 10**6)
    found = rig.rows_of_top()
    assert None not in [row[4] for row in found]
    assert rig.reader.read()  # the snapshot that did not fit makes the book live again
    found = rig.rows_of_top()
    assert [row[4] for row in found] == [None, 1.0]
    assert found[0][2] == 10**6


def test_depth_is_a_snapshot_at_each_interval() -> None:
    """At the first message past it, with that message's times; the last row says that it is."""
    rig = Rig(depth=3)
    assert rig.depths is not None
    expected = []
    due = 0
    for number, message in enumerate(random_messages(9, 400, "A")):
        rig.n_messages = number * NS // 7
        rig.publish(message)
        assert rig.reader.read()
        slow = rig.slow["A"]
        levels = [
            (side, at, *level)
            for side in ("bid", "ask")
            for at, level in enumerate(slow.sorted(side)[:3])  # type: ignore[arg-type]
        ]
        if rig.n_messages >= due and levels:
            due = (rig.n_messages // NS + 1) * NS
            expected += [(rig.n_messages, *level, level == levels[-1]) for level in levels]
        rig.rows_of_top()
    found = []
    while (batch := rig.depths.take()) is not None:
        columns = [batch["ts_recv"].cast("int64")]
        columns += [batch[name] for name in ("side", "level", "price", "size", "last")]
        found += zip(*(column.to_pylist() for column in columns), strict=True)
    assert len(expected) > 300
    assert found == expected


@pytest.mark.parametrize("maxsize", [1, 5, 6, 7])
def test_a_snapshot_of_more_rows_than_a_consumer_s_bound_passes_whole(maxsize: int) -> None:
    rig = Rig(depth=3)
    assert rig.depth is not None
    assert rig.depths is not None
    bounded = Consumer(rig.depth, on_lag="block", max_lag=maxsize)
    rig.depth.renew_limits()
    sizes, n_held = [], 0
    for number, message in enumerate(random_messages(9, 40, "A")):
        rig.n_messages = number * NS
        rig.publish(message)
        if not rig.reader.read():
            assert rig.reader.outputs.held_by is rig.depth
            n_held += 1
            batch = bounded.take()
            assert batch is not None
            sizes.append(len(batch))
            assert rig.reader.read()
        assert rig.reader.outputs.held_by is None
        rig.rows_of_top()
    assert n_held > 30
    assert max(sizes) == 6  # never two snapshots, never a part of one


def test_who_waits_for_room_is_called_when_there_is_some() -> None:
    """By the ring that held the reader, also where only a consumer's bound did."""
    rig = Rig(depth=3)
    assert rig.depth is not None
    bounded = Consumer(rig.depth, on_lag="block", max_lag=6)
    rig.depth.renew_limits()
    called: list[str] = []
    messages = random_messages(9, 40, "A")
    for number, message in enumerate(messages):
        rig.n_messages = number * NS
        rig.publish(message)
        if not rig.reader.read():
            break
        rig.rows_of_top()
    assert rig.reader.outputs.held_by is rig.depth
    assert rig.reader.outputs.depth_ring is rig.depth
    assert not rig.top.wait_for_room(lambda: called.append("top"))
    assert rig.depth.wait_for_room(lambda: called.append("depth"))
    assert not rig.reader.read()  # the other try
    assert called == []
    assert bounded.take() is not None
    assert called == ["depth"]
    assert rig.reader.read()
