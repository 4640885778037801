"""What rounds say about a message, and that every benchmark says what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.rounds import figures, percentile

ROOT = Path(__file__).parents[2]
BENCH = """
import time
import pytest
from benchmarks.rounds import judge, measure

@pytest.mark.informational
def test_sleep(benchmark):
    measure(benchmark, lambda: time.sleep(0.001), n_messages=10, n_bytes=1000, rounds=5)

@pytest.mark.gate
def test_gate(benchmark):
    measure(benchmark, lambda: None, n_messages=1, rounds=5)
    judge(benchmark, "0 of 1", False)

@pytest.mark.informational
def test_amount(benchmark):
    benchmark(lambda: None)
"""


def test_percentiles_are_times_that_came() -> None:
    ordered = [float(n) for n in range(1, 1001)]
    assert [percentile(ordered, q) for q in (0.0, 50.0, 99.0, 99.9, 100.0)] == [
        1.0,
        500.0,
        990.0,
        999.0,
        1000.0,
    ]
    assert percentile([7.0], 99.9) == 7.0


def test_figures_are_per_message() -> None:
    found = figures([3e-6, 1e-6, 2e-6], 10, 4000)
    assert found["rounds"] == 3
    assert found["ns_per_message"] == pytest.approx({"p50": 200.0, "p99": 300.0, "p999": 300.0})
    assert found["mb_per_s"] == pytest.approx(2000.0)
    assert "mb_per_s" not in figures([1e-6], 1, 0)


def run(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    bench = folder / "bench_it.py"
    bench.write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "benchmarks.conftest",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(  # noqa: S603 - our own program
        [
            *command,
            f"--results={folder / 'results'}",
            "-c",
            ROOT / "pyproject.toml",
            *options,
            bench,
        ],
        cwd=ROOT,
        # In a worker of pytest-xdist nothing would be timed.
        env={name: value for name, value in os.environ.items() if "XDIST" not in name},
        capture_output=True,
        text=True,
        check=False,
    )


def test_results_are_written_and_a_gate_can_fail(tmp_path: Path) -> None:
    done = run(tmp_path, BENCH)
    assert done.returncode == 1, done.stderr
    assert "extra_info lacks n_messages" in done.stdout
    (path,) = (tmp_path / "results").glob("*.modules.json")
    found = json.loads(path.read_text())["modules"]
    by_name = {name.rpartition(": ")[2]: each for name, each in found.items()}
    assert by_name.keys() == {"sleep", "gate"}
    assert by_name["gate"]["kind"] == "gate"
    assert by_name["gate"]["verdict"] == "0 of 1"
    sleep = by_name["sleep"]
    assert sleep["kind"] == "informational"
    assert sleep["rounds"] == 5
    assert 100_000 <= sleep["ns_per_message"]["p50"] <= sleep["ns_per_message"]["p999"]
    assert sleep["mb_per_s"] <= 1.0


def test_a_benchmark_says_what_it_is(tmp_path: Path) -> None:
    done = run(tmp_path, BENCH.replace("@pytest.mark.gate", ""), "--collect-only")
    assert done.returncode == 4
    assert "mark it gate or informational" in done.stderr + done.stdout
