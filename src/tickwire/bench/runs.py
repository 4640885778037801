"""Interleaved runs: each pipeline once, then each again; sender and receiver fresh each time."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tickwire.bench.cases import Case
from tickwire.bench.jobs import BASELINES, EMPTY, TICKWIRE, Job, Pipeline
from tickwire.bench.processes import ReceiverProcess
from tickwire.bench.senders import Preparation
from tickwire.errors import TickwireError

RUN_TIMEOUT_S = 120.0
FIGURES = (
    "messages_per_second",
    "cpu_ns_per_message",
    "user_ns_per_message",
    "system_ns_per_message",
    "sender_waited",
)


@dataclass(slots=True)
class Result:
    """The runs of one pipeline on one case.

    Parameters
    ----------
    case, pipeline
        By name.
    runs
        What each run gave.
    """

    case: str
    pipeline: str
    runs: list[dict[str, Any]] = field(default_factory=list)

    def median(self, figure: str) -> float:
        """Give the median over the runs."""
        return float(statistics.median(run[figure] for run in self.runs))

    def spread(self, figure: str) -> tuple[float, float]:
        """Give the smallest and the largest."""
        values = [run[figure] for run in self.runs]
        return min(values), max(values)

    @property
    def checked(self) -> bool:
        """Whether every run gave the known answer."""
        return all(run["checked"] for run in self.runs)

    @property
    def faults(self) -> list[str]:
        """What was wrong with answers."""
        return [fault for run in self.runs for fault in run["faults"]]

    @property
    def verdict(self) -> str:
        """What came of the check, in a word."""
        return "right" if self.checked else "WRONG" if self.faults else "none"

    def told(self, figure: str, per: float = 1.0) -> str:
        """Give the median and, in brackets, the spread; divided by `per`."""
        lowest, highest = (value / per for value in self.spread(figure))
        return f"{self.median(figure) / per:,.0f} ({lowest:,.0f}..{highest:,.0f})"

    def to_dict(self) -> dict[str, Any]:
        """Give what the results file has."""
        return {
            "case": self.case,
            "pipeline": self.pipeline,
            "messages": self.runs[0]["messages"],
            **{figure: self.median(figure) for figure in FIGURES},
            "rows": self.runs[0]["rows"],
            "checked": self.checked,
            "spread": {figure: self.spread(figure) for figure in FIGURES},
            "runs": self.runs,
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """A pipeline on a case, and how often.

    Parameters
    ----------
    case, pipeline
        What is measured.
    n_runs
        How many runs.
    """

    case: Case
    pipeline: Pipeline
    n_runs: int


def measure(
    wanted: Sequence[Wanted],
    *,
    tell: Callable[[str], None] = print,
    prepare: Callable[[Case], Preparation] = Preparation,
) -> list[Result]:
    """Measure in turn, A B C A B C, so that what disturbs one disturbs all.

    Parameters
    ----------
    wanted
        What is to be compared with each other; who has fewer runs leaves the rounds earlier.
    tell
        Gets a line per run.
    prepare
        Makes what a case needs before its runs.

    Raises
    ------
    TickwireError
        Where a process fails.
    """
    results = [Result(each.case.name, each.pipeline.name) for each in wanted]
    with contextlib.ExitStack() as stack:
        prepared = {
            case: stack.enter_context(prepare(case))
            for case in dict.fromkeys(each.case for each in wanted)
        }
        for number in range(max(each.n_runs for each in wanted)):
            for each, result in zip(wanted, results, strict=True):
                if number < each.n_runs:
                    run = run_once(prepared[each.case], each.pipeline)
                    result.runs.append(run)
                    tell(_line(result, run, f"{number + 1}/{each.n_runs}"))
    return results


def _line(result: Result, run: dict[str, Any], number: str) -> str:
    return (
        f"{result.case:<25} {number} {result.pipeline:<28} "
        f"{run['messages_per_second'] / 1e3:9,.0f} k/s {run['cpu_ns_per_message']:9,.0f} ns"
        + "".join(f"  WRONG: {fault}" for fault in run["faults"])
    )


def run_once(prepared: Preparation, pipeline: Pipeline) -> dict[str, Any]:
    """Run a pipeline once against a sender of its own.

    Raises
    ------
    TickwireError
        Where a process fails.
    """
    case = prepared.case
    amount = pipeline.amount(case)
    answer, spliced = "", pipeline.name in TICKWIRE
    if pipeline.name not in BASELINES:
        answer = prepared.answer(amount.n_messages, spliced=spliced)
    hang_up = pipeline.name == EMPTY
    # Both processes start at once: what they import takes longer than many a run.
    with (
        ReceiverProcess(pipeline.receive) as receiver,
        prepared.sending(amount.n_messages, hang_up=hang_up, spliced=spliced) as sending,
    ):
        job = Job(
            pipeline.name,
            case,
            sending.endpoints,
            amount.n_warm,
            amount.n_main,
            sending.n_bytes,
            answer,
            sending.rest_url,
            sending.ca_file,
        )
        receiver.begin(job)
        try:
            run: dict[str, Any] = receiver.result(RUN_TIMEOUT_S)
        except TickwireError as error:
            raise TickwireError(f"{pipeline.name} on {case.name}: {error}") from None
        sent = sending.server.report()
    # The share of the time that the sender waited, or had sent all: near 1 where the receiver is
    # what limits the pair.
    busy_s = sent.seconds - sent.blocked_seconds
    run["sender_waited"] = max(1 - busy_s * 1e9 / (run.pop("ended_ns") - sent.start_ns), 0.0)
    return run
