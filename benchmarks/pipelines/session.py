"""What `python -m benchmarks.pipelines` does."""

from __future__ import annotations

import argparse
import sys

from benchmarks.captures.cases import CASES
from benchmarks.captures.preparation import prepare
from benchmarks.pipelines import report
from benchmarks.pipelines.gates import judge
from benchmarks.pipelines.memory import MemoryResult, measure_memory
from benchmarks.pipelines.plan import FULL, QUICK, chosen
from benchmarks.pipelines.worker import PIPELINES

from tickwire.bench.runs import Result, measure


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments ask for; 1 where a gate is missed or an answer is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pipelines",
        description="Measure whole pipelines, write the results, judge the gates.",
    )
    parser.add_argument("--quick", action="store_true", help="a few pipelines, 3 runs, trades")
    parser.add_argument("--runs", type=int, help="of each pipeline, instead of 9 or 3")
    parser.add_argument("--case", action="append", choices=CASES, help="may be repeated")
    parser.add_argument("--pipeline", action="append", choices=PIPELINES, help="may be repeated")
    parser.add_argument("--no-memory", action="store_true", help="leave the memory gate out")
    options = parser.parse_args(arguments)
    plan = QUICK if options.quick else FULL
    groups, skipped = chosen(plan, options.case, options.pipeline, options.runs)
    for line in skipped:
        print(f"SKIPPED: {line}")
    results: list[Result] = []
    for group in groups:
        results += measure(group, prepare=prepare)
    memory: list[MemoryResult] = []
    if not (options.no_memory or options.quick or options.case or options.pipeline):
        memory = measure_memory()
    verdicts = judge(results, memory)
    is_part = options.case or options.pipeline or options.runs
    kind = "part" if is_part else "quick" if options.quick else ""
    for path in report.write(results, memory, verdicts, kind=kind):
        print(f"wrote {path}")
    for verdict in verdicts:
        print(verdict)
    wrong = [fault for result in (*results, *memory) for fault in result.faults]
    for fault in wrong:
        print(f"WRONG: {fault}", file=sys.stderr)
    return int(bool(wrong) or any(verdict.fails for verdict in verdicts))
