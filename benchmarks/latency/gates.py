"""The figures of latency that must be reached."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.latency.peers import TO_ROW

from tickwire.bench.outcomes import StagePipeline, StageResult
from tickwire.bench.stages import (
    BARE_RECV,
    READ_CPU,
    TO_BATCH,
    TO_COMMIT,
    TO_RING,
)

SUSTAINED = 0.98  # of the rate: a run's last commit comes later than its last message
MAX_COMMIT_MS = 100.0
MAX_READ_US = 10.0


@dataclass(frozen=True, slots=True)
class RatioGate:
    """The p50 of one pipeline against another's, at one rate.

    Parameters
    ----------
    rate
        Messages per second.
    own, theirs
        The pipelines.
    at_most
        The ratio of the medians.
    """

    rate: float
    own: StagePipeline
    theirs: StagePipeline
    at_most: float


RATIO_GATES = (
    RatioGate(10_000.0, TO_RING, BARE_RECV, 1.3),
    RatioGate(100_000.0, TO_RING, BARE_RECV, 1.3),
    RatioGate(10_000.0, TO_BATCH, TO_ROW, 1.2),
    RatioGate(100_000.0, TO_BATCH, TO_ROW, 1.0),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate found.

    Parameters
    ----------
    what
        In words.
    value, limit
        What was found, and what it must not be above.
    lowest, highest
        What the noise makes of it: of runs that followed each other, or of all runs.
    faults
        What else keeps it from being reached.
    """

    what: str
    value: float
    limit: float
    lowest: float
    highest: float
    faults: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the figure was reached."""
        return self.value <= self.limit and not self.faults

    def __str__(self) -> str:
        return (
            f"{'reached' if self.passed else 'MISSED'}: {self.what}: {self.value:.2f} "
            f"({self.lowest:.2f}..{self.highest:.2f}); it must be at most {self.limit:g}"
            + "".join(f"; {fault}" for fault in self.faults)
        )


def judge(results: Iterable[StageResult]) -> list[Verdict]:
    """Judge the gates whose pipelines were measured."""
    # Those of the recorded day have other rates.
    found = {(result.pipeline.stage, result.rate): result for result in results}
    verdicts = []
    for gate in RATIO_GATES:
        own = found.get((gate.own.stage, gate.rate))
        theirs = found.get((gate.theirs.stage, gate.rate))
        if own is not None and theirs is not None:
            verdicts.append(compare(gate, own, theirs))
    verdicts += [_read(result) for (stage, _), result in found.items() if stage == READ_CPU.stage]
    verdicts += [
        _commit(result) for (stage, _), result in found.items() if stage == TO_COMMIT.stage
    ]
    return verdicts


def compare(gate: RatioGate, own: StageResult, theirs: StageResult) -> Verdict:
    """Give the ratio of the medians of p50, and that of each two runs that followed each other."""
    pairs = [
        one["latency_us"]["p50"] / other["latency_us"]["p50"]
        for one, other in zip(own.runs, theirs.runs, strict=True)
    ]
    what = (
        f"{own.pipeline.stage} at {gate.rate / 1e3:g} k/s, p50 against {theirs.pipeline.stage} "
        f"of {theirs.pipeline.name}"
    )
    ratio = own.median("p50") / theirs.median("p50")
    return Verdict(what, ratio, gate.at_most, min(pairs), max(pairs), tuple(own.faults))


def _read(result: StageResult) -> Verdict:
    p99_us = [run["read_cpu_us"]["p99"] for run in result.runs]
    what = (
        f"read to publish, CPU time of a read of one message at {result.rate / 1e3:g} k/s, p99 us"
    )
    return Verdict(
        what, statistics.median(p99_us), MAX_READ_US, min(p99_us), max(p99_us), tuple(result.faults)
    )


def _commit(result: StageResult) -> Verdict:
    entry = result.to_dict()
    p99_ms = [run["latency_us"]["p99"] / 1e3 for run in result.runs]
    seconds = sum(run["messages"] for run in result.runs) / result.rate
    rate = entry["messages_per_second"]
    faults = list(result.faults)
    n_dropped = sum(run["dropped_rows"] for run in result.runs)
    if n_dropped:
        faults.append(f"{n_dropped} rows were dropped")
    # Kept up with to the end; more than 10,000 a second is the owner's target.
    if rate <= SUSTAINED * result.rate:
        faults.append(f"only {rate:,.0f} messages/s")
    what = (
        f"sent_to_commit at {result.rate / 1e3:g} k/s for {seconds:g} s "
        f"({rate:,.0f}/s reached), p99 ms outside checkpoints"
    )
    return Verdict(
        what,
        entry["latency_us"]["p99"] / 1e3,
        MAX_COMMIT_MS,
        min(p99_ms),
        max(p99_ms),
        tuple(faults),
    )
