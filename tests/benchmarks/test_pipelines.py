"""The benchmarks' pipelines give the known answer over real sockets, whatever the case."""

import asyncio
import gc
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the dependency group bench is not installed")

from benchmarks.captures.cases import BINANCE_CONNECTIONS, CASES
from benchmarks.captures.preparation import prepare
from benchmarks.pipelines.worker import PEERS, decode_by_peer
from tests.benchmarks.recording import (
    N_BOOK_ROWS,
    N_BOOKS,
    N_OFF_BOOK,
    N_ROUNDS,
    SNAPSHOT_AFTER,
    write_books,
    write_capture,
)

from tickwire.bench.answer import Answer
from tickwire.bench.cases import Amount
from tickwire.bench.expected import Expected
from tickwire.bench.jobs import EMPTY, RECV, TICKWIRE, Job
from tickwire.bench.meter import Collector
from tickwire.bench.senders import Preparation
from tickwire.bench.worker import decode_by_tickwire, read_baseline, run_decoder
from tickwire.errors import TickwireError

AMOUNT = Amount(400, 800)
MIX = replace(CASES["mix/ws"], fast=AMOUNT, slow=AMOUNT, tape_messages=200)
TRADES = replace(CASES["trades/ws"], fast=AMOUNT, slow=AMOUNT, tape_messages=200)
SYMBOLS = replace(TRADES, n_symbols=50)
CONNECTIONS = replace(TRADES, n_symbols=8, n_connections=4)
DEFLATED = replace(TRADES, deflated=True)
TLS = replace(MIX, tls=True)
N_MIX_ROWS = 1200 * 3 // 10 + 1200 * 5 // 10 + 1200 * 2 // 10 * 40


@pytest.fixture(autouse=True)
def nothing_stays_frozen():
    n_frozen = gc.get_freeze_count()
    yield
    assert gc.get_freeze_count() <= n_frozen


def job_of(prepared, sending, pipeline, answer=""):
    amount = prepared.case.fast
    return Job(
        pipeline,
        prepared.case,
        sending.endpoints,
        amount.n_warm,
        amount.n_main,
        sending.n_bytes,
        answer,
        sending.rest_url,
        sending.ca_file,
    )


async def faults_of(case, pipeline):
    """Run a pipeline in this process; gives its collector and what was wrong."""
    spliced = pipeline in TICKWIRE
    n_messages = case.fast.n_messages
    done = asyncio.get_running_loop().create_future()
    with prepare(case) as prepared:
        folder = prepared.answer(n_messages, spliced=spliced)
        answer = Answer(Expected.load(Path(folder)))
        collector = Collector(case.fast, case.tables[-1], answer, lambda: done.set_result(None))
        with prepared.sending(n_messages, spliced=spliced) as sending:
            job = job_of(prepared, sending, pipeline, folder)
            decode = decode_by_tickwire if spliced else decode_by_peer
            async with asyncio.timeout(30):
                await decode(job, collector, done)
            assert sending.server.report().messages == n_messages
    return collector, answer.finish()


@pytest.mark.parametrize("pipeline", [*TICKWIRE, *PEERS])
async def test_a_pipeline_gives_the_known_answer(pipeline):
    collector, faults = await faults_of(MIX, pipeline)
    assert faults == []
    assert collector.n_rows == N_MIX_ROWS
    figures = collector.meter.figures()
    assert 0 < figures["messages"] <= AMOUNT.n_main
    assert figures["cpu_ns_per_message"] > 0


@pytest.mark.parametrize(
    ("case", "pipeline"),
    [
        (SYMBOLS, "tickwire[protocol]"),
        (SYMBOLS, "picows + msgspec + pyarrow"),
        (CONNECTIONS, "tickwire[protocol]"),
        (CONNECTIONS, "picows + orjson + pyarrow"),
        (DEFLATED, "tickwire[stream]"),
        (DEFLATED, "picows + orjson + pyarrow"),
        (DEFLATED, "websockets + orjson + pyarrow"),
        (TLS, "tickwire[protocol]"),
    ],
)
async def test_it_does_so_in_every_kind_of_case(case, pipeline):
    _, faults = await faults_of(case, pipeline)
    assert faults == []


@pytest.mark.parametrize(
    "pipeline",
    ["tickwire[protocol]", "picows + orjson + pyarrow", "picows + msgspec + pyarrow"],
)
async def test_a_capture_gives_the_known_answer(pipeline, tmp_path, monkeypatch):
    n_messages = write_capture(tmp_path)
    monkeypatch.setenv("TICKWIRE_CAPTURES", str(tmp_path))
    amount = Amount(600, n_messages - 600)
    case = replace(
        CASES["binance capture/ws"],
        fast=amount,
        slow=amount,
        capture="replay/binance-all6-20240808.jsonl",
    )
    collector, faults = await faults_of(case, pipeline)
    assert faults == []
    n_connections, n_empty = len(BINANCE_CONNECTIONS), N_ROUNDS // 10
    n_trades = n_quotes = n_connections * N_ROUNDS
    n_levels = n_connections * (N_ROUNDS * 3 - n_empty * 2)
    if pipeline in TICKWIRE:
        # The snapshot's levels come, the deltas that it has already in it do not. On futures the
        # one that ends with its id is the first.
        n_levels += n_connections * 3 - 3 * (2 * SNAPSHOT_AFTER + 4 * (SNAPSHOT_AFTER - 1))
    assert collector.n_rows == n_trades + n_quotes + n_levels
    assert n_messages == n_connections * N_ROUNDS * 3 + 4 * N_OFF_BOOK


@pytest.mark.parametrize(
    "pipeline",
    ["tickwire[protocol]", "picows + orjson + pyarrow", "picows + msgspec + pyarrow"],
)
async def test_recorded_books_give_the_known_answer_over_and_over(pipeline, tmp_path, monkeypatch):
    write_books(tmp_path / "books.jsonl")
    monkeypatch.setenv("TICKWIRE_CAPTURES", str(tmp_path))
    case = replace(
        CASES["l2Book capture/ws"],
        fast=Amount(N_BOOKS, 4 * N_BOOKS),
        slow=Amount(N_BOOKS, 4 * N_BOOKS),
        tape_messages=N_BOOKS,
        capture="books.jsonl",
    )
    collector, faults = await faults_of(case, pipeline)
    assert faults == []
    assert collector.n_rows == 5 * N_BOOK_ROWS


def test_a_capture_that_is_not_there_is_named(monkeypatch):
    for root in ("", "/nowhere"):
        monkeypatch.setenv("TICKWIRE_CAPTURES", root)
        for case in ("l2Book capture/ws", "binance capture/ws"):
            with (
                prepare(CASES[case]) as prepared,
                pytest.raises(TickwireError, match=f"no folder with {CASES[case].capture}"),
            ):
                prepared.answer(8000, spliced=True)


def test_a_run_that_fails_leaves_nothing_frozen():
    async def fail(job, collector, done):
        collector.meter.start(0)
        assert gc.get_freeze_count() > 0
        raise TickwireError("the sender left")

    with Preparation(TRADES) as prepared:
        folder = prepared.answer(AMOUNT.n_messages, spliced=True)
        job = Job(TICKWIRE[0], TRADES, (), AMOUNT.n_warm, AMOUNT.n_main, 0, folder)
        with pytest.raises(TickwireError, match="the sender left"):
            run_decoder(job, fail)


@pytest.mark.parametrize("case", [CONNECTIONS, DEFLATED], ids=["four", "deflated"])
def test_the_baselines_read_every_byte(case):
    amount = Amount(2000, 10_000)
    with Preparation(replace(case, fast=amount)) as prepared:
        for name in (RECV, EMPTY):
            with prepared.sending(amount.n_messages, hang_up=name == EMPTY) as sending:
                meter = read_baseline(job_of(prepared, sending, name))
                assert sending.server.report().messages == amount.n_messages
            assert 0 < meter.figures()["messages"] <= amount.n_messages
