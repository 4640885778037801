"""What a message may cost at a pace: CPU, or latency, against another pipeline's at the same rate.

A ratio is the median of the ratios of runs that followed each other.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.paced.busy import BUSY, SPINNING
from benchmarks.paced.plan import (
    BATCHES,
    COALESCED,
    LIGHT,
    LINGER,
    LINGER_LIGHT,
    ORJSON,
    RECV,
    ROWS,
    TO_RING,
)
from benchmarks.pipelines.gates import CPU, Verdict

from tickwire.bench.outcomes import StagePipeline, StageResult


@dataclass(frozen=True, slots=True)
class PacedGate:
    """A figure of one pipeline against another's.

    Parameters
    ----------
    own, theirs
        The pipelines.
    at_most
        The ratio.
    is_informational
        It is no gate, whatever it must be.
    figure
        CPU per message, or the p50 of the latency.
    """

    own: StagePipeline
    theirs: StagePipeline
    at_most: float
    is_informational: bool = False
    figure: Literal["cpu", "p50"] = "cpu"


GATED_RATES = (1_000.0, 10_000.0)
GATES = (
    PacedGate(TO_RING, RECV, 1.15),
    PacedGate(LIGHT, ORJSON, 1.0),
    # Most of its cost is pyarrow making an object per column for one row.
    PacedGate(BATCHES, ORJSON, 1.0, is_informational=True),
    PacedGate(ROWS, ORJSON, 0.9),
    PacedGate(LINGER, ORJSON, 0.85),
    PacedGate(LINGER_LIGHT, ORJSON, 0.85, is_informational=True),
    PacedGate(COALESCED, ORJSON, 0.4),
)
BUSY_GATE = PacedGate(BUSY, SPINNING, 1.2, figure="p50")


def judge(results: Iterable[StageResult]) -> list[Verdict]:
    """Judge the gates whose pipelines were measured and gave the right answer."""
    found = {(result.pipeline.name, result.rate): result for result in results if not result.faults}
    verdicts = []
    for rate in GATED_RATES:
        for gate in (*GATES, BUSY_GATE):
            own, theirs = found.get((gate.own.name, rate)), found.get((gate.theirs.name, rate))
            if own is not None and theirs is not None:
                verdicts.append(compare(gate, own, theirs))
    return verdicts


def compare(gate: PacedGate, own: StageResult, theirs: StageResult) -> Verdict:
    """Give the median ratio of the figure, and the smallest and the largest."""
    pairs = zip(own.runs, theirs.runs, strict=True)
    ratios = [figure_of(gate, one) / figure_of(gate, other) for one, other in pairs]
    name = "CPU per message" if gate.figure == "cpu" else "p50 of the latency"
    what = f"at {own.rate:,.0f}/s, {gate.own.name}: {name} against {gate.theirs.name}"
    return Verdict(
        what,
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        at_most=gate.at_most,
        n_runs=len(ratios),
        is_informational=gate.is_informational,
    )


def figure_of(gate: PacedGate, run: dict[str, Any]) -> float:
    """Give what a gate compares of a run."""
    return float(run[CPU] if gate.figure == "cpu" else run["latency_us"][gate.figure])
