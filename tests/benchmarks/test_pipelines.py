"""The benchmarks' pipelines give the known answer, and the answer finds what is wrong."""

import asyncio
import gc
from dataclasses import replace

import pyarrow as pa
import pytest

pytest.importorskip("msgspec", reason="the dependency group bench is not installed")

from benchmarks.pipelines.gates import Gate, Verdict, compare
from benchmarks.pipelines.parsers import MsgspecParser, OrjsonParser
from benchmarks.pipelines.worker import PEERS, receive_peer

from tickwire.bench.answer import Answer
from tickwire.bench.cases import CASES, Amount
from tickwire.bench.meter import Collector
from tickwire.bench.orders import RECV, TICKWIRE, Order
from tickwire.bench.runs import Result, n_bytes_of
from tickwire.bench.worker import receive_ours, run_yardstick
from tickwire.sim.load import LoadServer

AMOUNT = Amount(200, 400)
MIX = replace(CASES["mix/ws"], fast=AMOUNT, slow=AMOUNT, tape_messages=200)


@pytest.fixture
def answer():
    """What one pass must become; made before the batches, whose times it looks at."""
    return Answer(MIX.spec(200))


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.unfreeze()  # a meter freezes what lives when its main phase begins


def made_batches(n_messages=200):
    """Give the batches of one pass, by the parser with dicts."""
    batches = []
    parser = OrjsonParser(lambda table, batch: batches.append((table, batch)))
    tape = MIX.spec(n_messages).record()
    tape.number(0)
    for payload in tape.payloads():
        parser.add(payload)
    parser.flush()
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


@pytest.mark.parametrize("pipeline", [*TICKWIRE, *PEERS])
async def test_a_pipeline_gives_the_known_answer(pipeline):
    spec = MIX.spec(AMOUNT.n_messages)
    answer = Answer(spec)
    done = asyncio.get_running_loop().create_future()
    collector = Collector(MIX.tables, AMOUNT, answer, lambda: done.set_result(None))
    with LoadServer(spec) as server:
        order = Order(pipeline, MIX, AMOUNT.n_warm, AMOUNT.n_main, 0, server.url)
        receive = receive_peer if pipeline in PEERS else receive_ours
        await receive(order, collector, done)
    assert answer.finish() == []
    assert collector.n_rows == 600 * 3 // 10 + 600 * 5 // 10 + 600 * 2 // 10 * 40
    figures = collector.meter.figures()
    assert 0 < figures["messages"] <= AMOUNT.n_main
    assert figures["cpu_ns_per_message"] > 0


def test_the_yardstick_reads_every_byte():
    spec = MIX.spec(AMOUNT.n_messages)
    with LoadServer(spec) as server:
        order = Order(RECV, MIX, AMOUNT.n_warm, AMOUNT.n_main, n_bytes_of(spec), server.url)
        figures = run_yardstick(order).figures()
        assert server.report().bytes == order.n_bytes
    assert 0 < figures["messages"] <= AMOUNT.n_main


@pytest.mark.parametrize("parser", [OrjsonParser, MsgspecParser])
def test_both_parsers_fill_the_same_columns(parser, answer):
    batches = []
    other = parser(lambda table, batch: batches.append((table, batch)))
    tape = MIX.spec(200).record()
    tape.number(0)
    for payload in tape.payloads():
        other.add(payload)
        if len(batches) < 10:
            other.flush()
    other.flush()
    assert faults_of(answer, batches) == []


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("trades", "price", 1.0),
        ("trades", "trade_id", "7"),
        ("trades", "ts_event", 5),
        ("trades", "ts_recv", 5),
        ("trades", "seq", 5),
        ("quotes", "ask_size", None),
        ("quotes", "venue_seq", 3),
        ("book", "last", True),
        ("book", "order_count", 99),
        ("book", "conn", 2),
    ],
)
def test_the_answer_finds_one_wrong_value(table, column, value, answer):
    batches = []
    for name, batch in made_batches():
        if name == table:
            batches.append((name, with_value(batch, column, 17, value)))
        else:
            batches.append((name, batch))
    faults = faults_of(answer, batches)
    assert faults
    assert all(column in fault or "connections" in fault for fault in faults)


def test_the_answer_misses_no_row(answer):
    short = [
        (table, batch.slice(0, batch.num_rows - 1) if table == "quotes" else batch)
        for table, batch in made_batches()
    ]
    assert faults_of(answer, short) == ["quotes: 99 rows instead of 100"]


def test_a_gate_compares_medians_and_shows_the_noise():
    ours = Result("trades/ws", "a", [{"cpu_ns_per_message": ns} for ns in (10.0, 20.0, 12.0)])
    theirs = Result("trades/ws", "b", [{"cpu_ns_per_message": ns} for ns in (60.0, 60.0, 66.0)])
    assert compare(ours, theirs) == (5.0, 3.0, 6.0)
    gate = Gate("trades/ws", "a", "b", 5.0)
    assert Verdict(gate, *compare(ours, theirs)).passed
    assert not Verdict(replace(gate, at_least=5.1), *compare(ours, theirs)).passed
