"""Takes, leases and attachments: one by one, and all mixed against a list."""

from __future__ import annotations

import gc
import random
import resource
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.ring.rows import ROWS, fill, make_row, mids, put, rows_of

from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES, Column, Kind, Table

WINDOW = 100
TABLE = Table(
    "mixed",
    (
        Column("seq", Kind.I64),
        Column("symbol", Kind.CODE32),
        Column("ts_recv", Kind.TS),
        Column("price", Kind.F64, nullable=True),
        Column("flag", Kind.BOOL, nullable=True),
        Column("text", Kind.TEXT, nullable=True, text_bytes=8),
        Column("data", Kind.BINARY, text_bytes=8),
    ),
)


def value_row(i: int, n_bytes: int) -> dict[str, Any]:
    return {
        "symbol": f"S{i % 40}",
        "ts_recv": i,
        "price": None if i % 7 == 0 else i / 4,
        "flag": (None, True, False)[i % 3],
        "text": None if i % 5 == 0 else f"{i:0{n_bytes}d}",
        "data": bytes([i & 255]) * n_bytes,
    }


sizes = st.sampled_from([1, 5, 90, 400, 1100])
widths = st.sampled_from([0, 1, 7, 8, 30])


class RingAgainstAList(RuleBasedStateMachine):
    """Every row is taken once and in order, or recorded as dropped; nothing else is ever seen."""

    overflow = "block"

    def __init__(self) -> None:
        super().__init__()
        self.ring = Ring(
            TABLE, ROWS, Dictionaries(), overflow=self.overflow, seq_base=5, window_rows=WINDOW
        )
        self.n_jumps = 0
        self.rows: list[dict[str, Any]] = []  # published
        self.staged: list[dict[str, Any]] = []
        self.consumers: list[Consumer] = []
        self.next: dict[int, int] = {}  # of each consumer, the row it must get next
        self.leased: dict[int, tuple[list[pa.RecordBatch], list[dict[str, Any]]]] = {}
        self.dropped: set[int] = set()
        self.batches: list[tuple[pa.RecordBatch, list[dict[str, Any]]]] = []
        self.count = 0

    def note_drops(self) -> None:
        for drop in self.ring.take_drops():
            assert (drop.ts_first_ns, drop.ts_last_ns) == (
                self.rows[drop.first_row]["ts_recv"],
                self.rows[drop.last_row]["ts_recv"],
            )
            assert drop.n_rows == drop.last_row - drop.first_row + 1
            fresh = set(range(drop.first_row, drop.last_row + 1))
            assert not fresh & self.dropped
            self.dropped |= fresh
        assert self.ring.dropped_rows == len(self.dropped)

    def check_batch(self, consumer: int, batch: pa.RecordBatch) -> list[dict[str, Any]]:
        batch.validate(full=True)
        found = rows_of(batch)
        first = found[0]["seq"] - 5
        skipped = set(range(self.next[consumer], first))
        assert skipped <= self.dropped
        expected = [
            row | {"seq": first + 5 + i}
            for i, row in enumerate(self.rows[first : first + len(found)])
        ]
        assert found == expected
        self.next[consumer] = first + len(found)
        return expected

    @initialize()
    def begin(self) -> None:
        self.attach()
        self.attach()

    @rule(n=sizes, n_bytes=widths)
    def stage(self, n: int, n_bytes: int) -> None:
        for _ in range(n):
            row = value_row(self.count, n_bytes)
            try:
                if not self.ring.stage(**row):
                    break
            except ValueError:
                # More text than rows published together may have.
                assert sum(len(row["data"]) for row in (*self.staged, row)) > 4096
                break
            self.staged.append(row)
            self.count += 1
        assert self.ring.head == len(self.rows) + len(self.staged)

    @rule()
    def publish(self) -> None:
        self.ring.publish()
        self.rows += self.staged
        self.staged = []
        assert self.ring.cursor == len(self.rows)

    @rule(keep=st.integers(0, 300))
    def rollback(self, keep: int) -> None:
        keep = min(keep, len(self.staged))
        self.ring.rollback(len(self.rows) + keep)
        del self.staged[keep:]

    @rule(n=sizes, n_bytes=widths)
    def append(self, n: int, n_bytes: int) -> None:
        self.publish()
        for _ in range(n):
            row = value_row(self.count, n_bytes)
            if not self.ring.append(**row):
                # Refused only for somebody's sake: a lease, or under `block` a laggard.
                holders = self.leased if self.overflow == "drop_oldest" else self.consumers
                assert holders
                break
            self.rows.append(row)
            self.count += 1

    @precondition(lambda self: len(self.consumers) < 4)
    @rule()
    def attach(self) -> None:
        self.note_drops()
        consumer = Consumer(self.ring)
        assert len(self.rows) - ROWS < consumer.position <= len(self.rows)
        self.consumers.append(consumer)
        self.next[id(consumer)] = consumer.position

    @precondition(lambda self: self.consumers)
    @rule(which=st.integers(0, 3), close=st.booleans())
    def detach(self, which: int, close: bool) -> None:
        consumer = self.consumers.pop(which % len(self.consumers))
        del self.next[id(consumer)]
        self.leased.pop(id(consumer), None)
        if close:
            consumer.close()

    @precondition(lambda self: self.consumers)
    @rule(which=st.integers(0, 3), max_rows=st.none() | sizes)
    def take(self, which: int, max_rows: int | None) -> None:
        self.note_drops()
        consumer = self.consumers[which % len(self.consumers)]
        if id(consumer) in self.leased:
            return
        available = consumer.available
        batch = consumer.take(max_rows)
        if batch is None:
            assert available == 0
            return
        assert batch.num_rows == (available if max_rows is None else min(available, max_rows))
        self.batches.append((batch, self.check_batch(id(consumer), batch)))

    @precondition(lambda self: self.consumers)
    @rule(which=st.integers(0, 3), max_rows=st.none() | sizes)
    def lease(self, which: int, max_rows: int | None) -> None:
        self.note_drops()
        consumer = self.consumers[which % len(self.consumers)]
        if id(consumer) in self.leased:
            return
        batches = consumer.lease(max_rows)
        assert len(batches) <= 2
        expected = [row for batch in batches for row in self.check_batch(id(consumer), batch)]
        if batches:
            self.leased[id(consumer)] = (batches, expected)

    @precondition(lambda self: self.leased)
    @rule()
    def release(self) -> None:
        consumer_id, (batches, expected) = self.leased.popitem()
        assert [row for batch in batches for row in rows_of(batch)] == expected
        (consumer,) = (one for one in self.consumers if id(one) == consumer_id)
        consumer.release()
        assert not consumer.is_leased

    @rule(all_take=st.booleans())
    def rewind(self, all_take: bool) -> None:
        if all_take:
            while self.leased:
                self.release()
            self.publish()
            for which, consumer in enumerate(self.consumers):
                while consumer.available:
                    self.take(which, None)
        before = (self.ring.head, self.ring.published, self.ring.next_seq, self.ring.dropped_rows)
        if self.ring.rewind():
            self.n_jumps += 1
            assert self.consumers
            assert not self.staged
            assert not self.leased
            assert all(consumer.position == len(self.rows) for consumer in self.consumers)
            assert not self.ring.is_full
        assert before == (
            self.ring.head,
            self.ring.published,
            self.ring.next_seq,
            self.ring.dropped_rows,
        )

    @invariant()
    def what_was_handed_out_stays(self) -> None:
        for batches, expected in self.leased.values():
            assert batches[0].column("seq")[0].as_py() == expected[0]["seq"]
        assert self.ring.next_seq == 5 + len(self.rows)

    def teardown(self) -> None:
        for batch, expected in self.batches[-5:]:
            assert rows_of(batch) == expected


class DroppingRingAgainstAList(RingAgainstAList):
    overflow = "drop_oldest"


limits = settings(max_examples=settings.default.max_examples * 2 // 5, stateful_step_count=50)
TestBlock = RingAgainstAList.TestCase
TestBlock.settings = limits
TestDropOldest = DroppingRingAgainstAList.TestCase
TestDropOldest.settings = limits


@pytest.mark.volume
@pytest.mark.parametrize("machine", [RingAgainstAList, DroppingRingAgainstAList])
@pytest.mark.parametrize("seed", range(8))
def test_long_mixed_runs(machine: type[RingAgainstAList], seed: int) -> None:
    """As the machines, seeded and long, so that rings and text wrap many times."""
    draw = random.Random(seed)
    run = machine()
    run.begin()
    for _ in range(150):
        n, width = draw.choice((1, 5, 90, 400, 1100)), draw.choice((0, 1, 7, 8, 30))
        which, max_rows = draw.randrange(4), draw.choice((None, None, 1, 90, 400))
        match draw.choices(range(9), (8, 4, 4, 1, 12, 4, 1, 1, 3))[0]:
            case 0:
                run.append(n, width)
            case 1:
                run.stage(n, width)
            case 2:
                run.publish()
            case 3:
                run.rollback(draw.randrange(300))
            case 4 if run.consumers:
                run.take(which, max_rows)
            case 5 if run.consumers:
                run.lease(which, max_rows)
            case 6 if len(run.consumers) < 4:
                run.attach()
            case 7 if run.consumers:
                run.detach(which, draw.random() < 0.5)
            case 8:
                run.rewind(draw.random() < 0.7)
            case _:
                pass
        if run.leased and draw.random() < 0.5:
            run.release()
        run.what_was_handed_out_stays()
    run.teardown()
    assert len(run.rows) > 2 * ROWS
    assert run.batches
    assert run.n_jumps
    assert bool(run.dropped) == (run.overflow == "drop_oldest")


def test_a_lease_that_wraps_comes_as_two() -> None:
    ring, consumer = mids()
    put(ring, 1000)
    consumer.take()
    put(ring, 100)
    assert [batch.num_rows for batch in consumer.lease()] == [24, 76]
    assert consumer.available == 0
    put(ring, 5)
    assert consumer.available == 5
    consumer.release()
    consumer.release()
    assert consumer.take().num_rows == 5
    assert consumer.lease() == []
    assert not consumer.is_leased


def test_rows_can_be_skipped_and_never_come_back() -> None:
    ring, consumer = mids()
    put(ring, 100)
    consumer.skip_to(30)
    assert consumer.position == 30
    consumer.skip_to(10)
    assert consumer.take(5).column("seq").to_pylist() == list(range(30, 35))
    consumer.skip_to(1000)  # no further than what is published
    assert (consumer.available, consumer.position) == (0, 100)
    put(ring, 1)
    assert consumer.take().column("seq").to_pylist() == [100]
    put(ring, 5)
    consumer.lease()
    with pytest.raises(RuntimeError, match="release it first"):
        consumer.skip_to(103)
    consumer.close()
    with pytest.raises(ValueError, match="closed"):
        consumer.skip_to(103)
    with pytest.raises(RuntimeError, match="takes every row"):
        Consumer(ring, commits=True).skip_to(103)


def test_rows_are_skipped_by_their_count_after_the_ring_began_again() -> None:
    ring = Ring(TABLES["mids"], 1024, Dictionaries(), window_rows=64)
    consumer = Consumer(ring)
    put(ring, 500)
    consumer.take()
    assert ring.rewind()
    put(ring, 100)
    assert consumer.position == 500
    consumer.skip_to(520)
    assert consumer.take().column("seq").to_pylist() == list(range(520, 600))


def test_no_second_reader_inside_a_lease() -> None:
    ring, consumer = mids()
    put(ring, 2)
    consumer.lease(1)
    with pytest.raises(RuntimeError, match="release it first"):
        consumer.take()
    with pytest.raises(RuntimeError, match="release it first"):
        consumer.lease()
    consumer.release()
    assert consumer.take().num_rows == 1


def test_a_closed_consumer_refuses() -> None:
    ring, consumer = mids()
    put(ring, 2)
    consumer.close()
    consumer.close()
    assert consumer.is_closed
    assert (consumer.available, consumer.position) == (0, -1)
    for call in (consumer.take, consumer.lease):
        with pytest.raises(ValueError, match="closed"):
            call()
    consumer.release()


@pytest.mark.parametrize("max_rows", [0, -1])
def test_max_rows_is_checked(max_rows: int) -> None:
    _, consumer = mids()
    with pytest.raises(ValueError, match="at least 1"):
        consumer.take(max_rows)


class Ages:
    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def add(self, value_ns: int, count: int) -> None:
        self.seen.append((value_ns, count))

    def add_since(self, starts: Any, counts: Any, now_ns: int) -> None:
        pairs = zip(starts.tolist(), counts.tolist(), strict=True)
        self.seen += [(now_ns - start, count) for start, count in pairs]


def test_ages_are_kept_per_read_until_recorded() -> None:
    ring, consumer = mids()
    ages = Ages()
    consumer.record(ages, 1)
    put(ring, 3, recv_mono=100)
    put(ring, 2, recv_mono=150)
    consumer.take(4)
    consumer.lease()
    consumer.release()
    put(ring, 1, recv_mono=160)
    consumer.record(ages, 200)
    consumer.record(ages, 300)
    assert ages.seen == [(100, 3), (50, 2)]
    consumer.take()
    consumer.record(ages)
    assert ages.seen[2][0] > 0
    assert ages.seen[2][1] == 1


def test_ages_of_reads_of_any_length_wherever_they_lie_in_the_ring() -> None:
    ring, consumer = mids()
    ages = Ages()
    lengths = [1, 2, 31, 32, 33, 64, 65, 100, 300, 5, 32, 32, 200] * 4
    for number, n in enumerate(lengths):
        put(ring, n, recv_mono=1000 + number)
        if number % 4 == 3:
            consumer.take()
            consumer.record(ages, 5000)
    assert ages.seen == [(4000 - number, n) for number, n in enumerate(lengths)]


def test_ages_need_bounded_memory_and_are_never_told_too_short() -> None:
    ring, consumer = mids()
    ages = Ages()
    for start in range(10):
        fill(ring, [make_row(ring, i) | {"recv_mono": start * 1000 + i} for i in range(1000)])
        consumer.take()
    consumer.record(ages, 20_000)
    assert len(ages.seen) == 4096
    assert sum(count for _, count in ages.seen) == 10_000
    assert all(age >= 20_000 - 10_000 for age, _ in ages.seen)
    assert ages.seen[-1] == (20_000 - 4095, 10_000 - 4095)


@pytest.mark.volume
def test_taking_does_not_grow_memory() -> None:
    ring = Ring(TABLES["trades"], ROWS, Dictionaries())
    consumer = Consumer(ring)
    row = make_row(ring, 1)

    def turn(n: int) -> int:
        for i in range(n):
            fill(ring, [row] * 50)
            if i % 2:
                consumer.take()
            else:
                consumer.lease()
                consumer.release()
        gc.collect()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    turn(300)
    before, allocated = turn(300), pa.total_allocated_bytes()
    # A leaked batch of 50 rows is over 3 KB: 2,000 of them would be 6 MB.
    after = turn(2000)
    assert after - before < 3000
    assert pa.total_allocated_bytes() == allocated


def test_a_consumer_says_how_much_it_has_to_take() -> None:
    ring = Ring(TABLE, ROWS, Dictionaries())
    consumer = Consumer(ring)
    for i in range(3):
        assert ring.append(**value_row(i, 1))
    assert repr(consumer) == "<Consumer of mixed: 3 rows to take>"
    consumer.close()
    assert repr(consumer) == "<Consumer of mixed: closed>"


def test_where_nothing_is_new_it_takes_nothing_and_holds_what_it_has() -> None:
    ring = Ring(TABLE, ROWS, Dictionaries())
    consumer = Consumer(ring, commits=True)
    assert consumer.take() is None
    assert ring.append(**value_row(0, 1))
    assert consumer.take().num_rows == 1
    assert consumer.take() is None
    assert consumer.available == 0
    consumer.commit()
    assert consumer.take() is None


def test_a_ring_for_which_there_is_no_memory_is_an_error() -> None:
    wide = Table("wide", (*TABLE.columns, *(Column(f"c{n}", Kind.F64) for n in range(30))))
    with pytest.raises(MemoryError, match="no memory for a ring of wide"):
        Ring(wide, 1 << 40, Dictionaries())  # more than a process can address
