"""What a metric is: its kind, its labels, its key in the summary."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a figure is."""

    COUNTER = "counter"  # only grows
    GAUGE = "gauge"  # goes up and down
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure, kept once for each set of label values.

    Parameters
    ----------
    name
        Unique.
    kind
        What it is.
    help
        One sentence.
    labels
        The names of its labels.
    summary
        Its key in the summary; empty where it has none, or where the summary nests it otherwise.
    by
        The labels by which the summary splits it; it sums over the others.
    sparse
        The summary leaves out what stands at 0.
    scale
        What a slot counts, in the unit of the name: 1e-9 where slots hold ns and the name says
        seconds.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    summary: str = ""
    by: tuple[str, ...] = ()
    sparse: bool = False
    scale: float = 1


def counter(
    name: str,
    text: str,
    labels: tuple[str, ...] = (),
    summary: str = "",
    *,
    by: tuple[str, ...] = (),
    sparse: bool = False,
    scale: float = 1,
) -> Metric:
    """Declare what only grows."""
    return Metric(name, Kind.COUNTER, text, labels, summary, by, sparse, scale)


def gauge(
    name: str, text: str, labels: tuple[str, ...] = (), summary: str = "", *, scale: float = 1
) -> Metric:
    """Declare what goes up and down."""
    return Metric(name, Kind.GAUGE, text, labels, summary, scale=scale)


def latency(name: str, text: str, labels: tuple[str, ...] = ()) -> Metric:
    """Declare durations, kept in ns."""
    return Metric(name, Kind.HISTOGRAM, text, labels, scale=1e-9)
