"""Gates compare medians, show the noise, and say honestly what was missed or not measured."""

import asyncio
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

pytest.importorskip("msgspec", reason="the dependency group bench is not installed")

from benchmarks.captures.cases import CASES
from benchmarks.pipelines import report
from benchmarks.pipelines.gates import CPU, GATES, RATE, compare, judge
from benchmarks.pipelines.memory import MemoryResult, drop_all
from benchmarks.pipelines.plan import (
    FULL,
    GATED_RUNS,
    ORJSON,
    OTHER_RUNS,
    QUICK,
    RECV,
    TICKWIRE,
    chosen,
)
from benchmarks.pipelines.worker import PIPELINES

from tickwire.bench.jobs import BASELINES
from tickwire.bench.load import LoadServer, LoadSpec
from tickwire.bench.results import KEYS
from tickwire.bench.runs import FIGURES, Result


def result_of(case, pipeline, *cpu_ns, **changes):
    runs = [
        dict.fromkeys(FIGURES, 0.5)
        | {CPU: ns, RATE: 1e9 / ns, "messages": 10, "rows": 10, "faults": []}
        | {"checked": pipeline not in BASELINES}
        | changes
        for ns in cpu_ns
    ]
    return Result(case, pipeline, runs)


def all_reached():
    """Give results of which every gate is just reached."""
    ns = {}
    for gate in GATES:
        if gate.figure == CPU:
            ns.setdefault(gate.under, 100.0)
            ns[gate.over] = max(
                ns.get(gate.over, 0.0), 100.0 * (gate.at_least or gate.at_most or 5)
            )
    ns["trades/ws", RECV] = 25.0
    return [result_of(*place, value, value, value) for place, value in ns.items()]


def test_a_gate_compares_medians_and_shows_the_noise():
    own = result_of("trades/ws", TICKWIRE, 10.0, 20.0, 12.0)
    theirs = result_of("trades/ws", ORJSON, 60.0, 60.0, 66.0)
    assert compare(theirs, own) == (5.0, 3.0, 6.0)
    fewer = result_of("trades/ws", ORJSON, 60.0)
    assert compare(fewer, own) == (5.0, 6.0, 6.0)


def test_every_gate_can_be_reached_and_missed():
    verdicts = judge(
        all_reached(), [MemoryResult(1, [10**7] * 3), MemoryResult(10, [3 * 10**7] * 3)]
    )
    assert len(verdicts) == len(GATES) + 1
    assert all(verdict.passed for verdict in verdicts), [str(one) for one in verdicts]
    assert [verdict.word for verdict in verdicts].count("reported") == 2
    assert not any(verdict.fails for verdict in verdicts)
    slower = [
        replace_cpu(result, 1.01 if result.pipeline == TICKWIRE else 1.0)
        for result in all_reached()
    ]
    missed = [verdict for verdict in judge(slower) if not verdict.passed]
    gated = [gate for gate in GATES if gate.at_least and gate.under[1] == TICKWIRE]
    assert [verdict.what for verdict in missed] == [gate.what for gate in gated]
    # What is informational is reported as missed, and fails nothing.
    (informational,) = [verdict for verdict in missed if not verdict.fails]
    assert informational.what.startswith("recorded l2Book snapshots")
    assert "not reached: recorded l2Book" in str(informational)
    assert informational.bound == "informational: at least 12"
    larger = [MemoryResult(1, [10**7] * 3), MemoryResult(10, [31 * 10**6] * 3)]
    (verdict,) = judge([], larger)
    assert str(verdict).startswith("MISSED: peak memory")


def replace_cpu(result, factor):
    return Result(
        result.case, result.pipeline, [run | {CPU: run[CPU] * factor} for run in result.runs]
    )


def test_what_is_not_right_has_no_verdict():
    results = [
        result_of("trades/ws", TICKWIRE, 1.0, checked=False, faults=["wrong"]),
        result_of("trades/ws", ORJSON, 100.0),
    ]
    assert judge(results) == []
    assert judge([], [MemoryResult(1, [1], ["lost"]), MemoryResult(2, [1])]) == []


def test_every_gate_is_measured_often_enough():
    runs = {
        (case, pipeline): number
        for group in FULL
        for case, pipelines in group.items()
        for pipeline, number in pipelines.items()
    }
    for gate in GATES:
        least = GATED_RUNS if gate.at_least or gate.at_most else OTHER_RUNS
        assert runs[gate.over] >= least, gate.what
        assert runs[gate.under] >= least, gate.what
    # Cases that are compared take turns.
    for gate in GATES:
        assert any(gate.over[0] in group and gate.under[0] in group for group in FULL)


def test_every_kind_of_message_is_measured_with_every_pipeline():
    plan = {case: runs for group in FULL for case, runs in group.items()}
    assert plan.keys() == CASES.keys()
    for name in ("trades", "bbo", "l2Book", "mix", "l2Book capture", "binance capture"):
        assert plan[f"{name}/ws"].keys() == PIPELINES.keys()
    assert plan["trades/wss"].keys() == PIPELINES.keys()


def test_a_plan_can_be_narrowed_and_says_what_it_cannot_do(monkeypatch):
    monkeypatch.delenv("TICKWIRE_CAPTURES", raising=False)
    groups, skipped = chosen(FULL)
    books, binance = skipped
    assert books.startswith("l2Book capture/ws: TICKWIRE_CAPTURES")
    assert binance.startswith("binance capture/ws: TICKWIRE_CAPTURES")
    assert len(groups) == len(FULL) - 1
    groups, skipped = chosen(FULL, ["bbo/ws"], [TICKWIRE, "tickwire[picows]"], 2)
    assert skipped == []
    ((first, second),) = groups
    assert (first.case, first.pipeline.name, first.n_runs) == (CASES["bbo/ws"], TICKWIRE, 2)
    assert second.pipeline.name == "tickwire[picows]"
    ((*quick,),), _ = chosen(QUICK)
    assert {each.n_runs for each in quick} == {3}


def test_results_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr("tickwire.bench.machine.commit", lambda: "abc")
    modules = {"decode/decoder: decode[trade]": {"kind": "gate", "verdict": "11 times, must be 10"}}
    (tmp_path / "abc.modules.json").write_text(json.dumps({"modules": modules}))
    results = [replace_cpu(each, 1.5 if each.pipeline == TICKWIRE else 1) for each in all_reached()]
    memory = [MemoryResult(1_000_000, [10**7] * 3), MemoryResult(10_000_000, [10**7] * 3)]
    verdicts = judge(results, memory)
    document, picture, table = report.write(results, memory, verdicts, tmp_path)
    written = json.loads(document.read_text())
    assert document.name == "abc.json"
    assert len(written["results"]) == len(results) + 2
    for entry in written["results"]:
        assert set(entry) >= set(KEYS)
    assert len(written["gates"]) == len(verdicts)
    kinds = [each["kind"] for each in written["gates"]]
    assert kinds.count("informational") == 3
    assert ET.parse(picture).getroot().tag.endswith("svg")  # noqa: S314 - our own file
    text = table.read_text()
    assert "| trades: less CPU than picows + orjson | 8.00 (8.00..8.00) | at least 12 " in text
    assert "| MISSED |" in text
    assert "- decode/decoder: decode[trade]: 11 times, must be 10" in text
    assert "## binance capture/ws" in text
    (only,) = report.write(results, [], [], tmp_path, kind="part")
    assert only.name == "abc.part.json"
    assert report.write(results, [], [], tmp_path, kind="quick")[0].name == "abc.quick.json"


async def test_memory_is_that_of_a_run_whose_rows_all_came():
    with LoadServer(LoadSpec(n_messages=50_000)) as server:
        run = await asyncio.wait_for(drop_all(server.url, 50_000), 60)
    assert run["faults"] == []
    assert run["peak_rss_bytes"] > 10**7


def test_two_sizes_make_a_verdict_of_pairs():
    small = MemoryResult(1, [10 * 10**6, 11 * 10**6, 12 * 10**6])
    large = MemoryResult(9, [13 * 10**6, 13 * 10**6, 11 * 10**6])
    (verdict,) = judge([], [small, large])
    assert (verdict.value, verdict.lowest, verdict.highest) == (2.0, -1.0, 3.0)
    assert verdict.passed
    assert not replace(verdict, at_most=1.9).passed
