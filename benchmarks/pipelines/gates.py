"""The figures that must be reached: ratios of medians of one session on one machine.

Rules of this file
------------------
- Ratios are of CPU per message, which is steadier than the clock.
- A result that was not checked does not count; a baseline has nothing to check.
- A gate whose figures were not measured has no verdict.
- What is informational has a figure to reach too, and stands beside the gates; missed, it fails
  nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.pipelines.memory import MemoryResult
from benchmarks.pipelines.plan import EMPTY, ORJSON, RECV, STREAM, TICKWIRE, WEBSOCKETS

from tickwire.bench.jobs import BASELINES
from tickwire.bench.runs import Result

CPU, RATE = "cpu_ns_per_message", "messages_per_second"
Place = tuple[str, str]  # case, pipeline


@dataclass(frozen=True, slots=True)
class Gate:
    """A ratio of two pipelines' medians.

    Parameters
    ----------
    what
        In words.
    over, under
        Case and pipeline of the ratio's two sides.
    at_least, at_most
        What it must be; neither: it is only reported.
    figure
        Of the results.
    is_informational
        It is no gate, whatever it must be.
    """

    what: str
    over: Place
    under: Place
    at_least: float | None = None
    at_most: float | None = None
    figure: str = CPU
    is_informational: bool = False


TRADES, BOOKS = "trades/ws", "l2Book/ws"
REAL_BOOKS, CAPTURE = "l2Book capture/ws", "binance capture/ws"
GATES = (
    Gate("trades: less CPU than picows + orjson", (TRADES, ORJSON), (TRADES, TICKWIRE), 12.0),
    Gate("trades: less CPU than an empty callback", (TRADES, EMPTY), (TRADES, TICKWIRE), 2.5),
    Gate("l2Book: less CPU than picows + orjson", (BOOKS, ORJSON), (BOOKS, TICKWIRE), 12.0),
    Gate(
        "recorded l2Book snapshots of one market: less CPU than picows + orjson",
        (REAL_BOOKS, ORJSON),
        (REAL_BOOKS, TICKWIRE),
        12.0,
        is_informational=True,
    ),
    Gate(
        "Binance capture: less CPU than picows + orjson",
        (CAPTURE, ORJSON),
        (CAPTURE, TICKWIRE),
        10.0,
    ),
    Gate(
        "trades over TLS: less CPU than picows + orjson",
        ("trades/wss", ORJSON),
        ("trades/wss", TICKWIRE),
        6.0,
    ),
    Gate(
        "trades compressed: less CPU than websockets + orjson",
        ("trades/ws+deflate", WEBSOCKETS),
        ("trades/ws+deflate", TICKWIRE),
        3.0,
    ),
    Gate(
        "trades compressed: less CPU than picows + orjson",
        ("trades/ws+deflate", ORJSON),
        ("trades/ws+deflate", TICKWIRE),
    ),
    Gate(
        "stream carrier: CPU against the protocol carrier",
        (TRADES, STREAM),
        (TRADES, TICKWIRE),
        at_most=1.4,
    ),
    Gate(
        "64 connections: CPU against one",
        ("trades/ws, 64 connections", TICKWIRE),
        ("trades/ws, 1 connection", TICKWIRE),
        at_most=1.3,
    ),
    Gate(
        "1,000 symbols: CPU against 10",
        ("trades/ws, 1,000 symbols", TICKWIRE),
        ("trades/ws, 10 symbols", TICKWIRE),
        at_most=1.15,
    ),
    Gate(
        "trades: messages/s as a share of recv alone",
        (TRADES, TICKWIRE),
        (TRADES, RECV),
        figure=RATE,
    ),
)
MEMORY_MB = 20.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate found.

    Parameters
    ----------
    what
        In words.
    value
        A ratio of medians, or MB.
    lowest, highest
        Of the runs that followed each other: what the noise makes of it.
    at_least, at_most
        What it must be; neither: it is only reported.
    n_runs
        On each side.
    is_informational
        It is no gate.
    """

    what: str
    value: float
    lowest: float
    highest: float
    at_least: float | None = None
    at_most: float | None = None
    n_runs: int = 0
    is_informational: bool = False

    @property
    def fails(self) -> bool:
        """Whether a gate was missed."""
        return self.kind == "gate" and not self.passed

    @property
    def kind(self) -> Literal["gate", "informational"]:
        """What it is; what is only reported is no gate."""
        is_open = self.at_least is None and self.at_most is None
        return "informational" if self.is_informational or is_open else "gate"

    @property
    def passed(self) -> bool:
        """Whether the figure was reached; what is only reported is."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    @property
    def bound(self) -> str:
        """What it must be, in words."""
        kind = "informational: " if self.is_informational else ""
        if self.at_least is not None:
            return f"{kind}at least {self.at_least:g}"
        return "reported" if self.at_most is None else f"{kind}at most {self.at_most:g}"

    @property
    def word(self) -> str:
        """What came of it."""
        if self.at_least is None and self.at_most is None:
            return "reported"
        if self.passed:
            return "reached"
        return "not reached" if self.is_informational else "MISSED"

    def __str__(self) -> str:
        return (
            f"{self.word}: {self.what}: {self.value:.2f} ({self.lowest:.2f}..{self.highest:.2f}), "
            f"{self.bound}, {self.n_runs} runs"
        )


def compare(over: Result, under: Result, figure: str = CPU) -> tuple[float, float, float]:
    """Give the ratio of the medians, and the lowest and highest of runs in the same round."""
    # Who has fewer runs leaves the rounds earlier.
    pairs = [one[figure] / other[figure] for one, other in zip(over.runs, under.runs, strict=False)]
    return over.median(figure) / under.median(figure), min(pairs), max(pairs)


def judge(results: Iterable[Result], memory: Sequence[MemoryResult] = ()) -> list[Verdict]:
    """Judge the gates whose pipelines were measured."""
    found: Mapping[Place, Result] = {
        (result.case, result.pipeline): result
        for result in results
        if result.checked or (result.pipeline in BASELINES and not result.faults)
    }
    verdicts = []
    for gate in GATES:
        over, under = found.get(gate.over), found.get(gate.under)
        if over is not None and under is not None:
            ratios = compare(over, under, gate.figure)
            n_runs = min(len(over.runs), len(under.runs))
            limits = gate.at_least, gate.at_most
            verdicts.append(Verdict(gate.what, *ratios, *limits, n_runs, gate.is_informational))
    if len(memory) == 2 and not any(result.faults for result in memory):
        verdicts.append(_memory_verdict(*memory))
    return verdicts


def _memory_verdict(small: MemoryResult, large: MemoryResult) -> Verdict:
    pairs = [(more - less) / 1e6 for less, more in zip(small.peaks, large.peaks, strict=True)]
    return Verdict(
        f"peak memory: MB more for {large.n_messages:,} messages than for {small.n_messages:,}",
        (large.median - small.median) / 1e6,
        min(pairs),
        max(pairs),
        at_most=MEMORY_MB,
        n_runs=len(pairs),
    )
