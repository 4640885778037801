"""Rounds of work, and what their times say about a message.

A round is as many messages as a read or a batch brings, so that neither the clock nor the call from
Python counts for much. Percentiles are over rounds: the p99.9 of 1,000 rounds is the second worst
round, that of 100 is the worst.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

PERCENTILES = {"p50": 50.0, "p99": 99.0, "p999": 99.9}


def measure(
    benchmark: BenchmarkFixture,
    run: Callable[..., Any],
    *,
    n_messages: int,
    n_bytes: int = 0,
    rounds: int = 300,
    setup: Callable[[], Any] | None = None,
) -> Any:
    """Run rounds, the first of them to warm up.

    Parameters
    ----------
    benchmark
        pytest-benchmark's.
    run
        A round.
    n_messages
        Of a round; or whatever it is that a round has many of.
    n_bytes
        Of a round; 0 where what is done has no size.
    rounds
        How many.
    setup
        Called before each round and not measured; what it gives are the round's arguments, as
        pytest-benchmark wants them.

    Returns
    -------
    Any
        What the last round gave.
    """
    benchmark.extra_info.update(n_messages=n_messages, n_bytes=n_bytes)
    return benchmark.pedantic(
        run, setup=setup, rounds=rounds, warmup_rounds=max(2, min(rounds // 10, 50))
    )


def judge(benchmark: BenchmarkFixture, verdict: str, passed: bool) -> None:
    """Keep what a gate found beside the figures, and fail where it is missed."""
    benchmark.extra_info["verdict"] = verdict
    if not passed:
        pytest.fail(verdict, pytrace=False)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Give the smallest value that so many percent of all do not exceed."""
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def figures(seconds: Sequence[float], n_messages: int, n_bytes: int) -> dict[str, Any]:
    """Give what rounds of these times say: ns for a message, and MB a second at the median."""
    ordered = sorted(seconds)
    found: dict[str, Any] = {
        "rounds": len(ordered),
        "ns_per_message": {
            name: percentile(ordered, percent) / n_messages * 1e9
            for name, percent in PERCENTILES.items()
        },
    }
    if n_bytes:
        found["mb_per_s"] = n_bytes / percentile(ordered, 50) / 1e6
    return found
