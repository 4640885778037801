"""How much tickwire takes on this machine, beside what nothing can be faster than."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec

from tickwire.bench.cases import CASES, Case
from tickwire.bench.runs import Result, Wanted, measure
from tickwire.bench.worker import PIPELINES

DEFAULT_RUNS = 3
USUAL_CASES = ("trades/ws", "trades/wss", "bbo/ws", "l2Book/ws", "mix/ws")


def usual_cases() -> list[str]:
    """Give the cases that are measured unless others are named; TLS where its package is there."""
    has_tls = find_spec("trustme") is not None
    return [name for name in USUAL_CASES if has_tls or not CASES[name].tls]


def measure_throughput(
    cases: Iterable[Case],
    n_runs: int = DEFAULT_RUNS,
    *,
    tell: Callable[[str], None] = print,
) -> list[Result]:
    """Measure tickwire with each carrier, picows with an empty callback, and recv alone.

    Parameters
    ----------
    cases
        What is sent.
    n_runs
        Of each pipeline on each case.
    tell
        Gets a line per run.

    Raises
    ------
    TickwireError
        Where a process fails.
    """
    results = []
    for case in cases:
        wanted = [Wanted(case, pipeline, n_runs) for pipeline in PIPELINES]
        results += measure(wanted, tell=tell)
    return results
