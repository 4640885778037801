"""`python -m benchmarks.latency`: measure latency, write the results, judge the gates."""

from __future__ import annotations

import argparse
import sys

from benchmarks.captures.cases import BINANCE_CAPTURE, find_capture
from benchmarks.latency import report
from benchmarks.latency.bursts import measure_bursts
from benchmarks.latency.gates import judge
from benchmarks.latency.peers import TO_ROW

from tickwire.bench.outcomes import StageResult
from tickwire.bench.stages import (
    BARE_RECV,
    READ_CPU,
    TO_BATCH,
    TO_RING,
    Pace,
    measure_commits,
    measure_stages,
)
from tickwire.errors import TickwireError

PIPELINES = (BARE_RECV, TO_RING, TO_BATCH, TO_ROW)
FULL = (Pace(10_000.0, 1.0, 9), Pace(50_000.0, 1.0, 3), Pace(100_000.0, 1.0, 9))
QUICK = (Pace(10_000.0, 0.5, 3), Pace(100_000.0, 0.5, 3))
BURST_S = 4.0
COMMITS = (Pace(10_000.0, 60.0, 1), Pace(100_000.0, 60.0, 1))
QUICK_COMMITS = (Pace(100_000.0, 5.0, 1),)
READS = (Pace(10_000.0, 1.0, 3),)


def measure(*, quick: bool, commits: bool) -> list[StageResult]:
    """Measure everything, or the main part of it."""
    results = measure_stages(PIPELINES, QUICK if quick else FULL)
    if not quick:
        results += measure_stages([READ_CPU], READS)
        try:
            path = find_capture(BINANCE_CAPTURE)
        except TickwireError as reason:
            print(f"SKIPPED: the market's own bursts: {reason}")
        else:
            results += measure_bursts(path, BURST_S)
    if commits:
        results += measure_commits(QUICK_COMMITS if quick else COMMITS)
    return results


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments ask for; 1 where a gate is missed or an answer is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a minute: fewer, shorter runs")
    parser.add_argument("--no-commits", action="store_true", help="leave DuckDB out")
    options = parser.parse_args(arguments)
    results = measure(quick=options.quick, commits=not options.no_commits)
    verdicts = judge(results)
    for path in report.write(results, verdicts):
        print(f"wrote {path}")
    for verdict in verdicts:
        print(verdict)
    wrong = [fault for result in results for fault in result.faults]
    for fault in wrong:
        print(f"WRONG: {fault}", file=sys.stderr)
    return int(bool(wrong) or not all(verdict.passed for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
