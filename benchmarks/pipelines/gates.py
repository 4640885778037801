"""The figures that must be reached: ratios of medians of one session on one machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tickwire.bench.runs import Result

OURS = "tickwire[protocol]"
THEIRS = "picows + orjson + pyarrow"


@dataclass(frozen=True, slots=True)
class Gate:
    """How many times less CPU per message one pipeline needs than another.

    Parameters
    ----------
    case, pipeline, against
        By name.
    at_least
        The ratio of the medians.
    """

    case: str
    pipeline: str
    against: str
    at_least: float


GATES = (Gate("trades/ws", OURS, THEIRS, 5.0),)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate found.

    Parameters
    ----------
    gate
        Which.
    ratio
        Of the medians.
    lowest, highest
        Of the runs that followed each other: what the noise makes of it.
    """

    gate: Gate
    ratio: float
    lowest: float
    highest: float

    @property
    def passed(self) -> bool:
        """Whether the figure was reached."""
        return self.ratio >= self.gate.at_least

    def __str__(self) -> str:
        gate = self.gate
        return (
            f"{'reached' if self.passed else 'MISSED'}: {gate.case}: {gate.pipeline} needs "
            f"{self.ratio:.2f} x less CPU per message than {gate.against} "
            f"({self.lowest:.2f}..{self.highest:.2f}); it must be {gate.at_least:g} x"
        )


def compare(ours: Result, theirs: Result) -> tuple[float, float, float]:
    """Give how many times less CPU per message ours needs: of the medians, lowest, highest."""
    figure = "cpu_ns_per_message"
    pairs = [other[figure] / one[figure] for one, other in zip(ours.runs, theirs.runs, strict=True)]
    return theirs.median(figure) / ours.median(figure), min(pairs), max(pairs)


def judge(results: Iterable[Result]) -> list[Verdict]:
    """Judge the gates whose pipelines were measured; unchecked results do not count."""
    found: Mapping[tuple[str, str], Result] = {
        (result.case, result.pipeline): result for result in results if result.checked
    }
    verdicts = []
    for gate in GATES:
        ours = found.get((gate.case, gate.pipeline))
        theirs = found.get((gate.case, gate.against))
        if ours is not None and theirs is not None:
            verdicts.append(Verdict(gate, *compare(ours, theirs)))
    return verdicts
