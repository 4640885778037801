"""The registry: every figure of a feed by name and labels, and the one place to read them from.

Rules of this file
------------------
- A slot is a number in an array that never moves, so that compiled code may hold a pointer to it.
- What is kept elsewhere already (a ring's cursor) is watched: asked for when somebody reads.
- Any thread may make, read and add to figures; a compiled part writes its own from one thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from tickwire.observe._counter import Counter, Gauge
from tickwire.observe._histogram import Histogram
from tickwire.observe.kinds import Metric
from tickwire.observe.metrics import METRICS

SLOTS = 1024  # of one array; another one follows

Labels = tuple[str, ...]
_Made = TypeVar("_Made", Counter, Gauge, Histogram)


@dataclass(slots=True)
class _Family:
    """A metric and its figures, by the values of its labels."""

    metric: Metric
    made: dict[Labels, Counter | Gauge | Histogram] = field(default_factory=dict)
    watched: dict[Labels, list[Callable[[], float]]] = field(default_factory=dict)

    def values(self) -> list[tuple[Labels, float]]:
        """Give each figure; not for histograms.

        Others may be added meanwhile, so it goes over a copy. A list of the items is none: it makes
        tuples one by one, and a collection of garbage in between lets other threads run.
        """
        scale = self.metric.scale
        found: list[tuple[Labels, float]] = [
            (labels, made.value * scale)
            for labels, made in self.made.copy().items()
            if not isinstance(made, Histogram)
        ]
        found += [
            (labels, sum(read() for read in list(reads)) * scale)
            for labels, reads in self.watched.copy().items()
        ]
        return found

    def total(self) -> float:
        """Give the sum of all figures: as `values`, and in a fraction of its time."""
        total: float = 0  # whole where all are
        for made in list(self.made.values()):
            if not isinstance(made, Histogram):
                total += made.value
        for reads in list(self.watched.values()):
            for read in list(reads):
                total += read()
        return total * self.metric.scale


class Registry:
    """The figures of one feed.

    Parameters
    ----------
    metrics
        Those that there may be.
    """

    def __init__(self, metrics: Iterable[Metric] = METRICS) -> None:
        self._families = {metric.name: _Family(metric) for metric in metrics}
        self._memory = np.zeros(SLOTS, np.int64)
        self._n_used = 0
        self._making = threading.Lock()

    def labelled(self, **labels: str) -> Metrics:
        """Give what makes figures with these labels."""
        return Metrics(self, labels)

    # Reading.

    def total(self, name: str) -> float:
        """Give the sum of a counter or gauge over all labels."""
        return self._family(name).total()

    def most(self, name: str) -> float:
        """Give the greatest value of a gauge; 0 where there is none."""
        return max((value for _, value in self._family(name).values()), default=0)

    def figures(self, name: str) -> list[tuple[Labels, float]]:
        """Give a counter or gauge by the values of all its labels, as declared."""
        return self._family(name).values()

    def by(self, name: str, *labels: str) -> dict[str, Any]:
        """Give a counter or gauge by the values of some labels, nested in their order."""
        family = self._family(name)
        places = [family.metric.labels.index(label) for label in labels]
        result: dict[str, Any] = {}
        for values, figure in family.values():
            into = result
            for place in places[:-1]:
                into = into.setdefault(values[place], {})
            key = values[places[-1]]
            into[key] = into.get(key, 0) + figure
        return result

    def merged(self, name: str, **labels: str) -> Histogram:
        """Give a histogram over all labels, or those where some have a value: a copy."""
        family = self._family(name)
        wanted = [(family.metric.labels.index(label), value) for label, value in labels.items()]
        every = Histogram()
        for values, made in list(family.made.items()):
            if isinstance(made, Histogram) and all(values[at] == value for at, value in wanted):
                every.merge(made)
        return every

    def collect(self) -> Iterator[tuple[Metric, list[tuple[Labels, float | Histogram]]]]:
        """Give every metric with its figures by the values of its labels, as declared."""
        for family in self._families.values():
            figures: list[tuple[Labels, float | Histogram]] = [*family.values()]
            figures += [
                (labels, made)
                for labels, made in family.made.copy().items()
                if isinstance(made, Histogram)
            ]
            yield family.metric, figures

    # Making; `Metrics` fills in the labels.

    def make(self, kind: type[_Made], name: str, labels: Labels) -> _Made:
        """Give the figure of these labels, a new one the first time."""
        family = self._family(name)
        if family.metric.kind.value != kind.__name__.lower():
            raise ValueError(f"{name} is a {family.metric.kind.value}")
        made = family.made.get(labels)
        if made is None:
            with self._making:
                if (made := family.made.get(labels)) is None:
                    made = Histogram() if kind is Histogram else kind(*self._next_slot())
                    family.made[labels] = made
        return made  # type: ignore[return-value] # a family holds one kind

    def watch(self, name: str, labels: Labels, read: Callable[[], float]) -> None:
        """Let a figure be read from where it is kept."""
        self._family(name).watched.setdefault(labels, []).append(read)

    def labels_of(self, name: str, given: dict[str, str], preset: dict[str, str]) -> Labels:
        """Give the values of a metric's labels in order."""
        wanted = self._family(name).metric.labels
        unknown = given.keys() - set(wanted)
        values = preset | given
        missing = [label for label in wanted if label not in values]
        if unknown or missing:
            raise ValueError(f"{name} has the labels {wanted}, not {tuple(values)}")
        return tuple(values[label] for label in wanted)

    def _family(self, name: str) -> _Family:
        try:
            return self._families[name]
        except KeyError:
            raise KeyError(f"{name} is not declared in tickwire.observe.metrics") from None

    def _next_slot(self) -> tuple[np.ndarray[Any, np.dtype[np.int64]], int]:
        if self._n_used == SLOTS:
            # Those in use keep the old one alive.
            self._memory, self._n_used = np.zeros(SLOTS, np.int64), 0
        self._n_used += 1
        return self._memory, self._n_used - 1


class Metrics:
    """Makes figures that share some labels; what a part of the feed is given to count by.

    Asking twice for the same figure gives the same one.

    Parameters
    ----------
    registry
        Where they are kept; one of its own where left out.
    labels
        By name; each metric takes those that it has.
    """

    def __init__(
        self, registry: Registry | None = None, labels: dict[str, str] | None = None
    ) -> None:
        self.registry = Registry() if registry is None else registry
        self.labels = dict(labels or {})

    def labelled(self, **labels: str) -> Metrics:
        """Give the same with more labels."""
        return Metrics(self.registry, self.labels | labels)

    def counter(self, name: str, **labels: str) -> Counter:
        """Give a counter.

        Raises
        ------
        KeyError
            It is not declared.
        ValueError
            It has other labels, or is no counter.
        """
        return self.registry.make(Counter, name, self._labels(name, labels))

    def gauge(self, name: str, **labels: str) -> Gauge:
        """Give a gauge; raises as `counter` does."""
        return self.registry.make(Gauge, name, self._labels(name, labels))

    def histogram(self, name: str, **labels: str) -> Histogram:
        """Give a histogram; raises as `counter` does."""
        return self.registry.make(Histogram, name, self._labels(name, labels))

    def watch(self, name: str, read: Callable[[], float], **labels: str) -> None:
        """Have a counter or gauge read by a function; several of the same labels add up."""
        self.registry.watch(name, self._labels(name, labels), read)

    def _labels(self, name: str, given: dict[str, str]) -> Labels:
        return self.registry.labels_of(name, given, self.labels)
