"""`python -m benchmarks.paced`: the cost of a message at a pace, the results, the gates."""

from __future__ import annotations

import argparse
import sys

from benchmarks.captures.cases import BINANCE_CAPTURE, find_capture
from benchmarks.latency.bursts import measure_bursts
from benchmarks.paced import report
from benchmarks.paced.busy import measure_busy
from benchmarks.paced.gates import judge
from benchmarks.paced.plan import (
    BUSY_PACE,
    CAPTURE_S,
    N_WARM,
    PACES,
    PIPELINES,
    QUICK_BUSY_PACE,
    QUICK_PACES,
)

from tickwire.bench.outcomes import StageResult
from tickwire.bench.stages import Pace, measure_stages
from tickwire.errors import TickwireError


def measure_capture() -> list[StageResult]:
    """Measure latency at the pace of a recorded market; nothing where there is no capture."""
    try:
        path = find_capture(BINANCE_CAPTURE)
    except TickwireError as reason:
        print(f"SKIPPED: a capture at its own pace: {reason}")
        return []
    return measure_bursts(path, CAPTURE_S, (1.0,))


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments ask for; 1 where a gate is missed or an answer is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paced", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rates, fewer and shorter runs")
    parser.add_argument("--rate", type=float, action="append", help="only at this one")
    parser.add_argument("--runs", type=int, help="of each pipeline at each rate")
    parser.add_argument("--pipeline", action="append", help="those whose names have this")
    options = parser.parse_args(arguments)
    paces = QUICK_PACES if options.quick else PACES
    if options.rate:
        paces = [pace for pace in paces if pace.rate in options.rate]
    if options.runs:
        paces = [Pace(pace.rate, pace.seconds, options.runs) for pace in paces]
    words = options.pipeline or [""]
    pipelines = [each for each in PIPELINES if any(word in each.name for word in words)]
    if not (paces and pipelines):
        parser.error("nothing is left to measure")
    results = measure_stages(pipelines, paces, n_warm=N_WARM)
    if not (options.rate or options.pipeline):
        results += measure_busy(QUICK_BUSY_PACE if options.quick else BUSY_PACE)
        results += measure_capture()
    verdicts = judge(results)
    for path in report.write(results, verdicts):
        print(f"wrote {path}")
    for verdict in verdicts:
        print(verdict)
    wrong = [fault for result in results for fault in result.faults]
    for fault in wrong:
        print(f"WRONG: {fault}", file=sys.stderr)
    return int(bool(wrong) or any(verdict.fails for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
