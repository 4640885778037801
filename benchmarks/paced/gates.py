"""What a message may cost at a pace: CPU against another pipeline's at the same rate.

A ratio is the median of the ratios of runs that followed each other.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.paced.plan import (
    BATCHES,
    COALESCED,
    LIGHT,
    LINGER,
    ORJSON,
    RECV,
    ROWS,
    TO_RING,
)
from benchmarks.pipelines.gates import CPU, Verdict

from tickwire.bench.outcomes import StagePipeline, StageResult


@dataclass(frozen=True, slots=True)
class PacedGate:
    """CPU per message of one pipeline against another's.

    Parameters
    ----------
    own, theirs
        The pipelines.
    at_most
        The ratio.
    is_informational
        It is no gate, whatever it must be.
    """

    own: StagePipeline
    theirs: StagePipeline
    at_most: float
    is_informational: bool = False


GATED_RATES = (1_000.0, 10_000.0)
GATES = (
    PacedGate(TO_RING, RECV, 1.15),
    PacedGate(LIGHT, ORJSON, 1.0),
    # Most of its cost is pyarrow making an object per column for one row.
    PacedGate(BATCHES, ORJSON, 1.0, is_informational=True),
    PacedGate(ROWS, ORJSON, 0.9),
    PacedGate(LINGER, ORJSON, 0.85),
    PacedGate(COALESCED, ORJSON, 0.4),
)


def judge(results: Iterable[StageResult]) -> list[Verdict]:
    """Judge the gates whose pipelines were measured and gave the right answer."""
    found = {(result.pipeline.name, result.rate): result for result in results if not result.faults}
    verdicts = []
    for rate in GATED_RATES:
        for gate in GATES:
            own, theirs = found.get((gate.own.name, rate)), found.get((gate.theirs.name, rate))
            if own is not None and theirs is not None:
                verdicts.append(compare(gate, own, theirs))
    return verdicts


def compare(gate: PacedGate, own: StageResult, theirs: StageResult) -> Verdict:
    """Give the median ratio of CPU per message, and the smallest and the largest."""
    ratios = [one[CPU] / other[CPU] for one, other in zip(own.runs, theirs.runs, strict=True)]
    what = f"at {own.rate:,.0f}/s, {gate.own.name}: CPU per message against {gate.theirs.name}"
    return Verdict(
        what,
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        at_most=gate.at_most,
        n_runs=len(ratios),
        is_informational=gate.is_informational,
    )
