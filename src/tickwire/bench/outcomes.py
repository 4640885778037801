"""What the runs of a pipeline gave: latencies, and whether its answer was right."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tickwire.bench.arrivals import Arrivals, Ns, is_stalled, percentiles_us
from tickwire.bench.open_loop import StretchReport
from tickwire.bench.processes import Receive
from tickwire.observe import Histogram


@dataclass(frozen=True, slots=True)
class StagePipeline:
    """A pipeline whose latency is measured.

    Parameters
    ----------
    name
        As in the results.
    stage
        What it has reached when the time is taken.
    receive
        What runs it.
    decodes
        Whether it has an answer to compare.
    """

    name: str
    stage: str
    receive: Receive
    decodes: bool = True


@dataclass(slots=True)
class StageResult:
    """The runs of one pipeline on one load.

    Parameters
    ----------
    pipeline
        Which.
    rate
        Messages per second that were due, on average.
    load
        What was sent; by default trades, evenly spaced.
    lead_s
        So much of the beginning of each run does not count: the processors wake from their sleep.
    """

    pipeline: StagePipeline
    rate: float
    load: str = ""
    lead_s: float = 0.05
    runs: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    histogram: Histogram = field(default_factory=Histogram)
    _latency_ns: list[Ns] = field(default_factory=list)
    _stalled_ns: list[Ns] = field(default_factory=list)
    _late_ns: list[Ns] = field(default_factory=list)

    @property
    def case(self) -> str:
        """As in the results."""
        return f"{self.what}, {self.pipeline.stage}"

    @property
    def what(self) -> str:
        """What was sent."""
        return self.load or f"trades/ws {self.rate / 1e3:g} k/s"

    @property
    def label(self) -> str:
        """As in the names of files: stage, load and pipeline."""
        load = file_words(self.load) or f"{self.rate / 1e3:g}k"
        return f"{self.pipeline.stage}-{load}-{file_words(self.pipeline.name)}"

    @property
    def verdict(self) -> str:
        """What a table says of the answer."""
        return "WRONG" if self.faults else "right" if self.checked else "none"

    @property
    def checked(self) -> bool:
        """Whether every run gave the known answer."""
        return self.pipeline.decodes and not self.faults

    def add(self, arrivals: Arrivals, sent: StretchReport, n_before: int) -> None:
        """Count a run: what arrived, what was sent, and how many messages had come before it."""
        self.count(
            arrivals.latency_ns(sent.due_ns, n_before), sent, arrivals.cpu_ns, arrivals.stalls_ns
        )
        self.runs[-1] |= {"notes": len(arrivals.times_ns), **arrivals.extra}

    def count(
        self,
        all_ns: Ns,
        sent: StretchReport,
        cpu_ns: int,
        stalls_ns: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Count the latencies of a run.

        Parameters
        ----------
        all_ns
            shape (n,), int64, ns, of every message that was sent.
        sent
            What was sent.
        cpu_ns
            Of the receiver.
        stalls_ns
            Begin and end of what is reported apart, by the clock of the due times.
        """
        n_messages = len(sent.due_ns)
        seconds = float((sent.due_ns + all_ns).max() - sent.due_ns[0]) / 1e9
        lead_ns = min(round(self.lead_s * 1e9), int(sent.due_ns[-1] - sent.due_ns[0]))
        counts = sent.due_ns - sent.due_ns[0] >= lead_ns
        all_ns, due_ns, late_ns = all_ns[counts], sent.due_ns[counts], sent.late_ns[counts]
        stalled = is_stalled(all_ns, due_ns, stalls_ns)
        latency_ns = all_ns[~stalled]
        self.runs.append(
            {
                "messages": n_messages,
                "messages_per_second": n_messages / seconds,
                "cpu_ns_per_message": cpu_ns / n_messages,
                "latency_us": percentiles_us(latency_ns),
                "stalled_latency_us": percentiles_us(all_ns[stalled]),
                "sender_late_us": percentiles_us(late_ns),
            }
        )
        self.histogram.add_values(latency_ns)
        self._latency_ns.append(latency_ns)
        self._stalled_ns.append(all_ns[stalled])
        self._late_ns.append(late_ns)

    def join(self, other: StageResult) -> None:
        """Count the runs of another result of the same pipeline, too."""
        self.runs += other.runs
        self.faults += other.faults
        self.histogram.merge(other.histogram)
        self._latency_ns += other._latency_ns
        self._stalled_ns += other._stalled_ns
        self._late_ns += other._late_ns

    def median(self, figure: str, group: str = "latency_us") -> float:
        """Give the median of a percentile over the runs, us."""
        return float(statistics.median(run[group][figure] for run in self.runs))

    def spread(self, figure: str, group: str = "latency_us") -> tuple[float, float]:
        """Give the smallest and the largest, us."""
        values = [run[group][figure] for run in self.runs]
        return min(values), max(values)

    def to_dict(self) -> dict[str, Any]:
        """Give what the results file has: percentiles of all runs together, and each run's."""
        latency_us = percentiles_us(np.concatenate(self._latency_ns))
        return {
            "case": self.case,
            "pipeline": self.pipeline.name,
            "stage": self.pipeline.stage,
            "messages": sum(run["messages"] for run in self.runs),
            "messages_per_second": statistics.median(
                run["messages_per_second"] for run in self.runs
            ),
            "cpu_ns_per_message": statistics.median(run["cpu_ns_per_message"] for run in self.runs),
            "rows": sum(run["messages"] for run in self.runs) if self.pipeline.decodes else 0,
            "checked": self.checked,
            "faults": self.faults,
            "offered_rate": self.rate,
            "latency_us": latency_us,
            "spread_us": {name: self.spread(name) for name in latency_us if name != "count"},
            "stalled_latency_us": percentiles_us(np.concatenate(self._stalled_ns)),
            "sender_late_us": percentiles_us(np.concatenate(self._late_ns)),
            "runs": self.runs,
        }


def file_words(name: str) -> str:
    """Give a name as part of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
