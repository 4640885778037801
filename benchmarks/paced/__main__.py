"""`python -m benchmarks.paced`: the cost of a message at a pace, the results, the gates."""

from __future__ import annotations

import argparse
import sys

from benchmarks.paced import report
from benchmarks.paced.gates import judge
from benchmarks.paced.plan import N_WARM, PACES, PIPELINES, QUICK_PACES

from tickwire.bench.stages import Pace, measure_stages


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
