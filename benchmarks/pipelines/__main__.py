"""`python -m benchmarks.pipelines`: measure whole pipelines, write the results, judge the gates."""

from __future__ import annotations

import argparse
import sys

from benchmarks.pipelines import report
from benchmarks.pipelines.gates import judge
from benchmarks.pipelines.worker import PIPELINES

from tickwire.bench.cases import CASES
from tickwire.bench.orders import EMPTY, RECV
from tickwire.bench.runs import measure

QUICK_CASES = ("trades/ws",)
QUICK_PIPELINES = (
    "tickwire[protocol]",
    "picows + orjson + pyarrow",
    "picows + msgspec + pyarrow",
    EMPTY,
    RECV,
)
# websockets and aiohttp take long and differ from picows in the same way everywhere.
WIDE_CASES = ("trades/ws", "l2Book/ws")
NARROW_PIPELINES = tuple(
    name for name in PIPELINES if not name.startswith(("websockets", "aiohttp"))
)


def default_pipelines(case: str, *, quick: bool) -> tuple[str, ...]:
    """Give what is measured on a case unless pipelines are named."""
    if quick:
        return QUICK_PIPELINES
    return tuple(PIPELINES) if case in WIDE_CASES else NARROW_PIPELINES


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments ask for; 1 where a gate is missed or an answer is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipelines", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few pipelines, 3 runs, trades")
    parser.add_argument("--runs", type=int, help="of each pipeline (default 5, quick 3)")
    parser.add_argument("--case", action="append", choices=CASES, help="may be repeated")
    parser.add_argument("--pipeline", action="append", choices=PIPELINES, help="may be repeated")
    options = parser.parse_args(arguments)
    cases = options.case or (QUICK_CASES if options.quick else tuple(CASES))
    n_runs = options.runs or (3 if options.quick else 5)
    results = []
    for case in cases:
        pipelines = options.pipeline or default_pipelines(case, quick=options.quick)
        results += measure(CASES[case], [PIPELINES[name] for name in pipelines], n_runs)
    verdicts = judge(results)
    wrong = [fault for result in results for fault in result.faults]
    for path in report.write(results, verdicts):
        print(f"wrote {path}")
    for verdict in verdicts:
        print(verdict)
    for fault in wrong:
        print(f"WRONG: {fault}", file=sys.stderr)
    passed = all(verdict.passed for verdict in verdicts)
    return int(bool(wrong) or not passed)


if __name__ == "__main__":
    sys.exit(main())
