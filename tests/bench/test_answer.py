"""The answer agrees with correct rows, in any order that is allowed, and finds what is wrong."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("msgspec", reason="the dependency group bench is not installed")

from benchmarks.pipelines.hyperliquid import MsgspecParser, OrjsonParser
from benchmarks.pipelines.rows import Target

from tickwire.bench.answer import Answer
from tickwire.bench.cases import CASES, Amount
from tickwire.bench.expected import Expected
from tickwire.bench.tape_answer import expected_of_load
from tickwire.errors import TickwireError

AMOUNT = Amount(200, 400)
MIX = replace(CASES["mix/ws"], fast=AMOUNT, slow=AMOUNT, tape_messages=200)
SYMBOLS = replace(MIX, n_symbols=7)


@pytest.fixture
def answer():
    """What one pass must become; made before the batches, whose times it looks at."""
    return Answer(expected_of_load(MIX.spec(200)))


def made_batches(parser=OrjsonParser, case=MIX, n_passes=1):
    """Give the batches of some passes, by a parser that is no part of tickwire."""
    batches = []
    target = Target(lambda *batch: batches.append(batch), "hyperliquid", 0, {})
    made = parser(target)
    tape = case.spec(200).record()
    for number in range(n_passes):
        tape.number(200 * number)
        for payload in tape.payloads():
            made.add(payload)
            if len(batches) < 10:
                made.flush()
    made.flush()
    return batches


def faults_of(answer, batches):
    for table, batch in batches:
        answer.check(table, batch)
    return answer.finish()


def with_value(batch, column, row, value):
    """Give the batch with another value in one place."""
    index = batch.schema.get_field_index(column)
    field = batch.schema.field(index)
    plain = batch.column(index)
    if pa.types.is_timestamp(field.type):
        plain = plain.view(pa.int64())
    values = plain.to_pylist()
    values[row] = value
    return batch.set_column(index, field, pa.array(values, plain.type).cast(field.type))


@pytest.mark.parametrize("parser", [OrjsonParser, MsgspecParser])
def test_what_is_right_has_no_faults(parser, answer):
    assert faults_of(answer, made_batches(parser)) == []


def test_an_answer_can_be_stored(tmp_path, answer):
    expected_of_load(MIX.spec(200)).save(tmp_path)
    stored = Answer(Expected.load(tmp_path))
    assert stored.n_rows == answer.n_rows == 60 + 100 + 40 * 40
    assert faults_of(stored, made_batches()) == []


def test_messages_are_counted_where_their_last_row_is(answer):
    counts = [answer.check(table, batch) for table, batch in made_batches()]
    assert sum(counts) == 200


def test_passes_have_their_own_trade_ids():
    answer = Answer(expected_of_load(MIX.spec(600)))
    assert faults_of(answer, made_batches(n_passes=3)) == []
    again = Answer(expected_of_load(MIX.spec(600)))
    once = [pair for _ in range(3) for pair in made_batches()]
    assert any("trade_id" in fault for fault in faults_of(again, once))


def test_several_symbols_may_come_in_any_order_between_them():
    expected = expected_of_load(SYMBOLS.spec(200))
    answers = [Answer(expected), Answer(of_two_links(expected)), Answer(of_two_links(expected))]
    batches = made_batches(case=SYMBOLS)
    assert faults_of(answers[0], batches) == []
    whole = pa.Table.from_batches([batch for table, batch in batches if table == "trades"])
    whole = whole.combine_chunks().to_batches()[0]
    order = np.argsort(np.array(whole["symbol"].to_pylist()), kind="stable")
    moved = with_numbers(whole.take(pa.array(order)), whole)
    others = [pair for pair in batches if pair[0] != "trades"]
    assert faults_of(answers[1], [*others, ("trades", moved)]) == [
        "rows of 1 connections"  # told to expect two, as only then times may mix
    ]
    swapped = with_numbers(whole.take(pa.array(order[::-1])), whole)
    faults = faults_of(answers[2], [*others, ("trades", swapped)])
    assert any("trades: " in fault for fault in faults)


def with_numbers(batch, whole):
    return batch.set_column(0, batch.schema.field(0), whole["seq"])


def of_two_links(expected):
    return Expected(expected.tables, replace(expected.about, n_connections=2))


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("trades", "price", 1.0),
        ("trades", "side", None),
        ("trades", "symbol", "ETH"),
        ("trades", "venue", "binance"),
        ("trades", "channel", "trades:agg"),
        ("trades", "trade_id", "7"),
        ("trades", "ts_event", 5),
        ("trades", "ts_recv", 5),
        ("trades", "seq", 5),
        ("quotes", "ask_size", None),
        ("quotes", "venue_seq", 3),
        ("book", "last", True),
        ("book", "order_count", 99),
        ("book", "order_count", None),
        ("book", "conn", 2),
    ],
)
def test_one_wrong_value_is_found(table, column, value, answer):
    batches = made_batches()
    place = next(n for n, (name, batch) in enumerate(batches) if name == table)
    batches[place] = (table, with_value(batches[place][1], column, 0, value))
    faults = faults_of(answer, batches)
    assert faults
    if column in ("venue", "symbol"):
        assert any("symbol that has no more" in fault for fault in faults)
    else:
        assert all(column in fault or "connections" in fault for fault in faults)


def test_a_missing_row_is_found(answer):
    *first, (table, last) = made_batches()
    faults = faults_of(answer, [*first, (table, last.slice(0, last.num_rows - 1))])
    n_rows = {"trades": 60, "quotes": 100, "book": 1600}[table]
    assert faults == [f"{table}: {n_rows - 1} rows instead of {n_rows}"]


def test_rows_too_many_are_found(answer):
    faults = faults_of(answer, made_batches(n_passes=2))
    assert any("rows instead of" in fault for fault in faults)


def test_a_table_that_was_not_sent_is_found(answer):
    ((_, batch), *_) = made_batches()
    answer.check("tickers", batch)
    assert answer.faults == ["tickers: rows that were not sent"]


def test_a_load_is_a_whole_number_of_passes():
    with pytest.raises(TickwireError, match="whole number of passes"):
        expected_of_load(MIX.spec(300))
