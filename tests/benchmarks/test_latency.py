"""The latency benchmark: the peer's rows, the gates' arithmetic, and what is written."""

import asyncio
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

pytest.importorskip("orjson", reason="the dependency group bench is not installed")
pytest.importorskip("matplotlib", reason="the dependency group bench is not installed")

from benchmarks.latency import report
from benchmarks.latency.gates import RATIO_GATES, RatioGate, Verdict, compare, judge
from benchmarks.latency.peers import TO_ROW, _receive_to_row

from tickwire.bench.arrivals import Arrivals
from tickwire.bench.open_loop import OpenLoopServer, StretchReport
from tickwire.bench.outcomes import StageResult
from tickwire.bench.receivers import Plan
from tickwire.bench.reference import ReferenceTrades
from tickwire.bench.schedule import Stretch, TradeLoad
from tickwire.bench.stages import (
    BARE_RECV,
    READ_CPU,
    TO_BATCH,
    TO_COMMIT,
    TO_RING,
    Pace,
    measure_stages,
)

N_MESSAGES = 2_000


def result_of(pipeline, rate, *runs_us, n_dropped=0, reached=None):
    """Make a result whose runs have one latency each."""
    result = StageResult(pipeline, rate)
    due_ns = (np.arange(N_MESSAGES) * 1e9 / rate).astype(np.int64)
    for latency_us in runs_us:
        late_ns = np.zeros(N_MESSAGES, np.int64)
        arrivals = Arrivals(due_ns + int(latency_us * 1000), np.arange(1, N_MESSAGES + 1), 5)
        arrivals.extra["dropped_rows"] = n_dropped
        arrivals.extra["read_cpu_us"] = {"p99": latency_us}
        result.add(arrivals, StretchReport(0, due_ns, late_ns, 0, 1.0, 0.0), 0)
        if reached is not None:
            result.runs[-1]["messages_per_second"] = reached
    return result


async def test_the_peer_makes_a_row_of_every_message():
    load = TradeLoad(n_different=100, n_repeats=2)
    tape = load.record()
    reports = []
    with OpenLoopServer(load) as server:
        plan = Plan(server.urls[0], (100, 200), int(tape.ends[0]))
        receiving = asyncio.create_task(_receive_to_row(plan, reports.append))
        await asyncio.to_thread(server.send, Stretch(100))
        sent = await asyncio.to_thread(server.send, Stretch(200, 2_000.0))
        await receiving
    _, arrivals = reports
    assert ReferenceTrades(tape).faults(arrivals.columns, sent) == []
    # One note for each message, after its row was made.
    assert arrivals.counts.tolist() == list(range(101, 301))
    assert (arrivals.latency_ns(sent.due_ns, 100) > 0).all()


def test_the_peer_is_measured_like_the_others():
    results = measure_stages(
        [BARE_RECV, TO_ROW], [Pace(2_000.0, 0.2, 1)], tell=lambda _line: None, n_warm=100
    )
    assert [result.verdict for result in results] == ["none", "right"]


def test_the_cpu_time_of_reads_is_taken():
    (result,) = measure_stages(
        [READ_CPU], [Pace(1_000.0, 0.2, 1)], tell=lambda _line: None, n_warm=100
    )
    assert result.faults == []
    (run,) = result.runs
    # At this rate nearly every read brings one message; one that brings more is not counted.
    assert 0 < run["read_cpu_us"]["count"] <= 200
    assert run["read_cpu_us"]["p50"] > 0


def test_a_ratio_is_that_of_the_medians_and_shows_the_noise():
    own = result_of(TO_RING, 10_000.0, 30, 36, 90)
    theirs = result_of(BARE_RECV, 10_000.0, 24, 30, 60)
    gate = RatioGate(10_000.0, TO_RING, BARE_RECV, 1.2)
    verdict = compare(gate, own, theirs)
    assert (verdict.value, verdict.lowest, verdict.highest) == (1.2, 1.2, 1.5)
    assert verdict.passed
    assert "reached" in str(verdict)
    assert not Verdict(verdict.what, 1.21, 1.2, 1.2, 1.5).passed
    own.faults.append("price differs")
    assert not compare(gate, own, theirs).passed


def test_every_gate_is_judged_once():
    results = [
        result_of(pipeline, rate, 50, 50)
        for rate in (10_000.0, 100_000.0)
        for pipeline in (BARE_RECV, TO_RING, TO_BATCH, TO_ROW)
    ]
    results += [
        result_of(READ_CPU, 10_000.0, 9, 9.5, 12),
        result_of(TO_COMMIT, 10_000.0, 50_000, reached=9_990.0),
        result_of(TO_COMMIT, 100_000.0, 99_000, reached=99_000.0),
    ]
    verdicts = judge(results)
    assert len(verdicts) == len(RATIO_GATES) + 3
    assert all(verdict.passed for verdict in verdicts)
    assert [verdict.value for verdict in verdicts] == [1, 1, 1, 1, 9.5, 50, 99]
    assert judge([]) == []


@pytest.mark.parametrize(
    ("result", "word"),
    [
        (result_of(TO_COMMIT, 100_000.0, 100_001), "MISSED"),
        (result_of(TO_COMMIT, 100_000.0, 5, n_dropped=3), "3 rows were dropped"),
        (result_of(TO_COMMIT, 100_000.0, 5, reached=97_900.0), "only 97,900 messages/s"),
        (result_of(TO_COMMIT, 10_000.0, 5, reached=9_700.0), "only 9,700 messages/s"),
        (result_of(READ_CPU, 10_000.0, 9, 11, 12), "MISSED"),
    ],
)
def test_what_misses_its_gate_is_told(result, word):
    (verdict,) = judge([result])
    assert not verdict.passed
    assert word in str(verdict)


def test_results_are_written(tmp_path):
    results = [
        result_of(BARE_RECV, 10_000.0, 20, 25, 30),
        result_of(TO_RING, 10_000.0, 25, 30, 35),
        result_of(TO_COMMIT, 100_000.0, 60_000),
        result_of(READ_CPU, 10_000.0, 7),
    ]
    results[2].runs[0]["messages_per_second"] = 99_500.0
    verdicts = judge(results)
    document, *pictures, table = report.write(results, verdicts, tmp_path)
    written = json.loads(document.read_text())
    assert [entry["stage"] for entry in written["results"]] == [
        "sent_to_recv",
        "sent_to_ring",
        "sent_to_commit",
        "read_to_publish",
    ]
    assert len(written["gates"]) == len(verdicts) == 3
    # A time per read is no latency of a message: it has no curve.
    assert len(list(document.parent.glob("*.hgrm"))) == 3
    assert [path.name for path in pictures] == [
        "latency-trades-ws-10-k-s.svg",
        "latency-trades-ws-100-k-s.svg",
    ]
    for path in pictures:
        assert ET.parse(path).getroot().tag.endswith("svg")  # noqa: S314 - our own file
    text = table.read_text()
    assert "| sent_to_ring | tickwire[protocol] | 3 | 30.0 (25.0..35.0) |" in text
    assert "MISSED" not in text
