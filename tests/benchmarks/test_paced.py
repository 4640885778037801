"""The benchmark of paced messages: every pipeline's answer, the gates' arithmetic, the tables."""

import json
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("websockets", reason="the dependency group bench is not installed")
pytest.importorskip("matplotlib", reason="the dependency group bench is not installed")

from benchmarks.paced import report
from benchmarks.paced.__main__ import main
from benchmarks.paced.busy import BUSY, SPINNING, measure_busy
from benchmarks.paced.gates import BUSY_GATE, GATED_RATES, GATES, PacedGate, compare, judge
from benchmarks.paced.plan import BATCHES, ORJSON, PIPELINES, RECV, TO_RING
from benchmarks.paced.where import main as where
from benchmarks.paced.where import table
from benchmarks.profiling import perf_works

from tickwire.bench.arrivals import Arrivals
from tickwire.bench.open_loop import StretchReport
from tickwire.bench.outcomes import StageResult
from tickwire.bench.receivers import Progress
from tickwire.bench.reference import ReferenceTrades
from tickwire.bench.schedule import TradeLoad
from tickwire.bench.stages import Pace, measure_stages

N_MESSAGES = 100


def result_of(pipeline, rate, *cpu_us):
    """Make a result whose runs have this CPU per message."""
    result = StageResult(pipeline, rate)
    due_ns = (np.arange(N_MESSAGES) * 1e9 / rate).astype(np.int64)
    for each in cpu_us:
        arrivals = Arrivals(due_ns + 5_000, np.arange(1, N_MESSAGES + 1), each * 1000 * N_MESSAGES)
        late_ns = np.zeros(N_MESSAGES, np.int64)
        result.add(arrivals, StretchReport(0, due_ns, late_ns, 0, 1.0, 0.0), 0)
    return result


def test_every_pipeline_is_measured_and_checked():
    results = measure_stages(
        PIPELINES, [Pace(1_000.0, 0.3, 1)], tell=lambda _line: None, n_warm=200
    )
    assert [result.faults for result in results] == [[]] * len(PIPELINES)
    for result in results:
        assert result.verdict == ("right" if result.pipeline.decodes else "none")
        assert result.runs[0]["cpu_ns_per_message"] > 0


def test_the_sum_of_the_prices_is_compared():
    tape = TradeLoad(10).record()
    answer = ReferenceTrades(tape)  # which writes the ids
    prices = [float(json.loads(payload)["data"][0]["px"]) for payload in tape.payloads()]
    total = sum(prices) + sum(prices[:5])  # they come again
    assert answer.sum_faults(15, total, 15) == []
    assert answer.sum_faults(15, total + 0.5, 15) == ["the sum of the prices differs"]
    assert answer.sum_faults(14, total, 15) == ["14 prices read instead of 15"]


def test_the_cpu_of_a_stretch_is_that_between_its_first_note_and_its_last(monkeypatch):
    clock = iter((1_000, 91_000))
    monkeypatch.setattr("tickwire.bench.receivers.process_time_ns", lambda: next(clock))
    progress = Progress()
    progress._stop = 10
    for count in (1, 5, 10):
        progress.add(count, count)
    _times_ns, counts = progress.notes.take()
    # Nine messages came in between; the tenth is taken to have cost as much.
    assert progress.cpu_ns(counts, 10) == 100_000
    assert progress.cpu_ns(counts[:1], 10) == 0


def test_a_ratio_is_the_median_of_those_of_runs_that_followed_each_other():
    own, theirs = result_of(BATCHES, 1_000.0, 10, 30, 22), result_of(ORJSON, 1_000.0, 10, 10, 20)
    verdict = compare(PacedGate(BATCHES, ORJSON, 1.0), own, theirs)
    assert (verdict.value, verdict.lowest, verdict.highest) == (1.1, 1.0, 3.0)
    assert verdict.fails
    assert not compare(PacedGate(BATCHES, ORJSON, 1.1), own, theirs).fails


def test_busy_polling_is_measured_beside_a_read_that_spins():
    results = measure_busy(Pace(1_000.0, 0.2, 2), n_warm=200)
    assert [result.pipeline for result in results] == [SPINNING, BUSY]
    assert [result.faults for result in results] == [[], []]
    assert [len(result.runs) for result in results] == [2, 2]
    assert [result.verdict for result in results] == ["none", "right"]
    verdict = compare(BUSY_GATE, results[1], results[0])
    assert verdict.what.startswith("at 1,000/s, tickwire, busy_poll_us = 200: p50 of the latency")
    assert verdict.lowest <= verdict.value <= verdict.highest


def test_every_gate_is_judged_at_both_rates_and_wrong_answers_do_not_count():
    names = {gate.own for gate in GATES} | {gate.theirs for gate in GATES}
    assert names <= set(PIPELINES)
    results = [result_of(each, rate, 10) for rate in GATED_RATES for each in names]
    assert len(judge(results)) == len(GATES) * len(GATED_RATES)
    for result in results:
        result.faults.append("price differs")
    assert judge(results) == []


def test_results_are_written_for_programs_and_people(tmp_path):
    results = [result_of(each, 1_000.0, 10, 12) for each in (RECV, TO_RING)]
    paths = report.write(results, judge(results), tmp_path)
    document = json.loads(paths[0].read_text())
    assert [entry["pipeline"] for entry in document["results"]] == [RECV.name, TO_RING.name]
    assert document["gates"][0]["value"] == 1.0
    text = paths[1].read_text()
    assert "| tickwire, every 50 ms | 2 | 11.0 (10.0..12.0) | batch |" in text
    capture = StageResult(TO_RING, 900.0, "binance capture x1")
    capture.join(results[0])
    report.write([capture], [], tmp_path / "capture")
    text = (tmp_path / "capture" / "paced.md").read_text()
    assert "binance capture x1, 900 messages/s on average, latency alone:" in text
    assert "| tickwire, every 50 ms | 2 | - | batch |" in text
    # The table of whole pipelines begins with them.
    lines = report.found_before(tmp_path, document["commit"])
    assert lines[1] == "## At a pace"
    assert report.found_before(tmp_path, "none") == []


def test_a_choice_that_leaves_nothing_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--pipeline", "no such"])
    assert "nothing is left" in capsys.readouterr().err


def test_where_the_cpu_goes_is_a_table_of_libraries():
    found = {
        "a": Counter({"Linux": 2_000, "Python": 500, "libm": 10}),
        "b": Counter({"Linux": 1_000, "uvloop": 700}),
    }
    assert table(found).splitlines() == [
        "| CPU, us per message | a | b |",
        "|---|---|---|",
        "| all | 2.51 | 1.70 |",
        "| Linux | 2.00 | 1.00 |",
        "| uvloop | 0.00 | 0.70 |",
        "| Python | 0.50 | 0.00 |",
        "| others | 0.01 | 0.00 |",
    ]


@pytest.mark.thorough
def test_where_the_cpu_goes_is_seen_of_a_whole_run_or_refused(capsys):
    # Some 300 samples on a quick machine, of which a few are in the decoder.
    worked = where(["--rate", "10000", "--seconds", "2", "--pipeline", "for rows"])
    said = capsys.readouterr()
    if perf_works():
        assert worked == 0
        assert "| tickwire.decode |" in said.out
    else:
        assert worked == 1
        assert said.err.startswith("benchmarks.paced.where: perf is missing or may not sample")


@pytest.mark.parametrize("bad", [["--pipeline", "unheard-of"], ["--rate", "1e9"]])
def test_where_takes_what_can_be_measured(bad, capsys):
    with pytest.raises(SystemExit):
        where(bad)
    assert "error:" in capsys.readouterr().err
